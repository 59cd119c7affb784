"""Recurrent layers leave for ONNX as one fused node each, whatever the form."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

import export
from export import lowering
from export.errors import UnsupportedModelError
from export.onnx_graph import nodes
from tests.export.recurrent_forms import (
    CELLS,
    FEATURES,
    UNITS,
    compiled,
    each_cell_slowly,
    forms,
    layers,
)
from tests.export.user_models import randomize
from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell

pytestmark = pytest.mark.usefixtures("traced_reference")


def run(path, arrays):
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, arrays), strict=True))


def kinds(path):
    return [node.op_type for node in nodes(onnx.load(path).graph)]


def compare(model, path, arrays):
    found = run(path, arrays)
    expected = model({k: tf.constant(v) for k, v in arrays.items()})
    flat = dict(
        zip(
            found,
            keras.tree.flatten(list(expected.values())),
            strict=True,
        )
    )
    for name, value in flat.items():
        np.testing.assert_allclose(
            found[name], value, rtol=1e-5, atol=1e-5, err_msg=name
        )


@each_cell_slowly("gru_reset_before")  # the LSTM node: with masks, below
def test_every_form_is_one_fused_node(cell, tmp_path):
    make, kind, states = CELLS[cell]
    x = keras.Input((None, FEATURES), name="x")
    h, outputs, count = forms(make, states, x)
    model = randomize(keras.Model({"x": x, **{s.name: s for s in h}}, outputs))
    done = export.export(model, tmp_path, ["onnx"])
    path = done.paths["onnx"]
    found = kinds(path)
    assert found.count(kind) == count
    assert not {"Loop", "Scan", "If"} & set(found)
    graph = onnx.load(path).graph
    for node in graph.node:
        if node.op_type == "LSTM":
            peepholes = len(node.input) == 8 and node.input[7] != ""
            assert peepholes == (cell == "peephole_lstm")
        if node.op_type == "GRU":
            (before,) = [
                a.i for a in node.attribute if a.name == "linear_before_reset"
            ]
            assert before == (cell == "gru")
    (x,) = [value for value in graph.input if value.name == "x"]
    sizes = x.type.tensor_type.shape.dim
    assert [d.dim_param for d in sizes][:2] == ["batch", "time"]
    rng = np.random.default_rng(3)
    reference = compiled(model)
    for batch, time in ((1, 1), (1, 512), (5, 11)):
        arrays = {
            "x": rng.normal(size=(batch, time, FEATURES)).astype("float32")
        } | {
            s.name: rng.normal(size=(batch, UNITS)).astype("float32") for s in h
        }
        compare(reference, path, arrays)


@each_cell_slowly("peephole_lstm")  # two states, and most inputs of a node
def test_any_mask_is_run_fused(cell, tmp_path):
    make, kind, states = CELLS[cell]
    x = keras.Input((None, FEATURES), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    h, outputs, count = forms(make, states, x, mask=mask)
    model = randomize(
        keras.Model({"x": x, "mask": mask, **{s.name: s for s in h}}, outputs)
    )
    done = export.export(model, tmp_path, ["onnx"])
    path = done.paths["onnx"]
    found = kinds(path)
    assert found.count(kind) == count
    assert not {"Loop", "Scan", "If"} & set(found)
    rng = np.random.default_rng(4)
    reference = compiled(model)
    masks = np.array(
        [
            [1, 1, 1, 1, 1, 1],
            [1, 1, 1, 0, 0, 0],  # padded on the right
            [0, 0, 1, 1, 1, 1],  # on the left
            [0, 1, 0, 1, 1, 0],  # holes
            [0, 0, 0, 0, 0, 0],  # nothing at all
        ],
        bool,
    )
    arrays = {
        "x": rng.normal(size=(5, 6, FEATURES)).astype("float32"),
        "mask": masks,
        **{s.name: rng.normal(size=(5, UNITS)).astype("float32") for s in h},
    }
    compare(reference, path, arrays)
    for row in range(5):
        compare(
            reference, path, {k: v[row : row + 1] for k, v in arrays.items()}
        )
    compare(reference, path, {k: v[:, :1] if k in ("x", "mask") else v
                          for k, v in arrays.items()})  # fmt: skip


@keras.saving.register_keras_serializable("tests")
class Tagger(keras.Model):
    """A subclassed model with a model inside, masks from an embedding."""

    def __init__(self, **options):
        super().__init__(**options)
        self.embed = layers.Embedding(20, FEATURES, mask_zero=True)
        inner = keras.Input((None, FEATURES))
        self.inner = keras.Model(
            inner,
            layers.Bidirectional(
                layers.RNN(
                    PeepholeLSTMCell(UNITS),
                    return_sequences=True,
                    zero_output_for_mask=True,
                )
            )(inner),
            name="inner",
        )
        self.first = layers.GRU(FEATURES, return_sequences=True)
        self.last = layers.Dense(2)

    def call(self, ids):
        y = self.first(self.embed(ids))
        return self.last(self.inner(y * 1.0))  # whose mask ends here


def test_nested_subclassed_model_is_fused_and_keeps_its_own_calls(tmp_path):
    model = Tagger()
    ids = np.array([[3, 4, 5, 0, 0], [0, 0, 7, 0, 9], [0, 0, 0, 0, 0]])
    before = model(ids)
    randomize(model)
    signature = tf.TensorSpec((None, None), tf.int32, name="ids")
    done = export.export(
        model, tmp_path, ["onnx"], signatures=signature, samples=ids
    )
    found = kinds(done.paths["onnx"])
    assert found.count("GRU") == 1 and found.count("LSTM") == 2
    assert "Loop" not in found
    for layer in model._flatten_layers():
        assert "call" not in vars(layer)
    assert model(ids).shape == before.shape


def test_same_model_gives_the_same_bytes(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.LSTM(UNITS, return_sequences=True)(layers.Masking()(x))
    model = keras.Model(x, layers.GRU(UNITS)(y))
    first, second = (
        export.export(model, tmp_path / n, ["onnx"]).paths["onnx"].read_bytes()
        for n in "ab"
    )
    assert first == second


def test_step_by_step_masks_of_zero_rows_keep_the_given_state(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    h = keras.Input((UNITS,), name="h")
    output, state = layers.GRU(UNITS, return_state=True)(
        x, initial_state=h, mask=mask
    )
    model = keras.Model(
        {"x": x, "mask": mask, "h": h}, {"output": output, "state": state}
    )
    path = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    given = np.array([[0.1, -0.2, 0.3]], "float32")
    found = run(
        path,
        {
            "x": np.ones((1, 4, FEATURES), "float32"),
            "mask": np.zeros((1, 4), bool),
            "h": given,
        },
    )
    np.testing.assert_array_equal(found["state"], given)
    np.testing.assert_array_equal(found["output"], np.zeros((1, UNITS)))


def test_explain_tells_what_is_fused():
    x = keras.Input((None, FEATURES), name="x")
    y = layers.Bidirectional(PeepholeLSTM(UNITS), name="both")(x)
    explained = export.explain(keras.Model(x, layers.Dense(1, name="d")(y)))
    kinds = {item.layer: item.routes["onnx"].kind for item in explained.layers}
    assert kinds["both"] == "fused" and kinds["d"] == "builtin"


def doubled(layer_class):
    """A subclass that is no LSTM any more: its `call` does something else."""

    class Doubled(layer_class):
        def call(self, sequences, initial_state=None, mask=None, **options):
            return 2.0 * super().call(sequences, initial_state, mask, **options)

    return Doubled


@pytest.mark.parametrize("layer_class", [layers.LSTM, PeepholeLSTM])
def test_subclass_with_its_own_call_is_no_lstm(layer_class, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    layer = doubled(layer_class)(UNITS, name="doubled")
    model = randomize(keras.Model(x, layer(x)))
    assert lowering.find(model.layers[1], "onnx") is None
    path = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    x = np.ones((2, 5, FEATURES), "float32")
    (found,) = run(path, {"x": x}).values()
    np.testing.assert_allclose(found, model(x), atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_keras_own_export_of_a_peephole_lstm_gives_its_numbers(
    masked, tmp_path
):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.Masking()(x) if masked else x
    y = PeepholeLSTM(UNITS, return_sequences=True)(y)
    model = randomize(keras.Model(x, layers.Dense(2)(y)))
    data = np.random.default_rng(2).normal(size=(2, 6, FEATURES))
    data[:, 2] = 0.0
    expected = model(data)
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    (found,) = session.run(None, {given.name: data.astype("float32")})
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_wrong_lowering_does_not_pass_the_comparison(tmp_path, monkeypatch):
    from export.errors import ParityError
    from export.lowering import recurrent_node as recurrent

    monkeypatch.setitem(
        recurrent.ACTIVATIONS,
        keras.activations.tanh,
        ("Softsign", None, None),
    )
    x = keras.Input((None, FEATURES), name="x")
    with pytest.raises(ParityError, match="The ONNX file does not equal"):
        export.export(keras.Model(x, layers.LSTM(2)(x)), tmp_path, ["onnx"])


def masked_by_value():
    x = keras.Input((None, FEATURES), name="x")
    return keras.Model(x, layers.GRU(2)(layers.Masking(-1.0)(x)))


def masked_by_zero():
    ids = keras.Input((None,), dtype="int32", name="ids")
    # Of so many words a random one is never the one that is padding.
    embedded = layers.Embedding(5000, FEATURES, mask_zero=True)(ids)
    return keras.Model(ids, layers.GRU(2)(embedded))


@pytest.mark.parametrize("build", [masked_by_value, masked_by_zero])
def test_lowering_that_ignores_masks_does_not_pass_the_comparison(
    build, tmp_path, monkeypatch
):
    from export.errors import ParityError
    from export.lowering import recurrent_node as recurrent

    model = randomize(build())
    done = export.export(model, tmp_path, ["onnx"])  # as it is
    assert done.formats["onnx"].parity["passed"]

    def everything(x, mask):
        return x, tf.cumsum(tf.ones_like(mask, tf.int32), axis=1)

    monkeypatch.setattr(recurrent, "_to_the_front", everything)
    with pytest.raises(ParityError, match="masked"):
        export.export(model, tmp_path / "wrong", ["onnx"])


@pytest.mark.parametrize("all_steps", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_outputs_of_masked_steps_are_zero_on_request(
    all_steps, backwards, tmp_path
):
    x = keras.Input((None, FEATURES), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    output, *states = layers.LSTM(
        UNITS,
        return_sequences=all_steps,
        return_state=True,
        go_backwards=backwards,
        zero_output_for_mask=True,
    )(x, mask=mask)
    model = randomize(
        keras.Model(
            {"x": x, "mask": mask},
            {"output": output, "h": states[0], "c": states[1]},
        )
    )
    path = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    assert kinds(path).count("LSTM") == 1
    rng = np.random.default_rng(5)
    arrays = {
        "x": rng.normal(size=(3, 4, FEATURES)).astype("float32"),
        "mask": np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]], bool),
    }
    compare(model, path, arrays)


def test_layer_whose_call_was_replaced_keeps_what_it_does(tmp_path):
    layer = layers.GRU(UNITS)
    x = keras.Input((None, FEATURES), name="x")
    model = randomize(keras.Model(x, layer(x)))
    own = layer.call
    layer.call = lambda sequences, **options: -own(sequences, **options)
    assert lowering.find(layer, "onnx") is None
    path = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    data = np.ones((2, 5, FEATURES), "float32")
    (found,) = run(path, {"x": data}).values()
    np.testing.assert_allclose(found, -own(data), atol=1e-5)
    assert "call" in vars(layer)


def test_nothing_of_an_export_stays_behind(tmp_path):
    from export.lowering import onnx_nodes

    before = len(onnx_nodes._PENDING)
    model = masked_by_value()
    export.export(model, tmp_path, ["onnx"])
    export.explain(model)
    assert len(onnx_nodes._PENDING) == before


def test_stateful_model_is_never_frozen_in_silence(tmp_path):
    x = keras.Input(batch_shape=(2, 5, FEATURES), name="x")
    model = keras.Model(x, layers.LSTM(UNITS, stateful=True, name="kept")(x))
    with pytest.raises(UnsupportedModelError, match="kept is stateful"):
        export.export(model, tmp_path, ["onnx"])
    assert not list(tmp_path.iterdir())
