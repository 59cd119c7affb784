"""What a recurrent layer does is told by its cells, and in any precision."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import export
from export.onnx_graph import nodes
from tests.export.recurrent_forms import (
    CELLS,
    FEATURES,
    UNITS,
    compiled,
    layers,
)
from tests.export.user_models import randomize
from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell

pytestmark = pytest.mark.usefixtures("traced_reference")
FUSED = {"LSTM", "GRU", "RNN"}
each_format = pytest.mark.parametrize("kind", ["onnx", "litert"])


def leave(model, folder, kind, **options):
    """Exports a model in one format; returns the report and the file."""
    done = export.export(randomize(model), folder, [kind], **options)
    return done, done.paths[kind]


def answer(path, arrays):
    """Runs a file; returns its outputs by name."""
    if path.suffix == ".tflite":
        interpreter = Interpreter(model_path=str(path))
        return interpreter.get_signature_runner("serving_default")(**arrays)
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, arrays), strict=True))


def compare(reference, path, arrays):
    """Compares a file with a model whose outputs are a flat dict."""
    found = answer(path, arrays)
    expected = reference({k: tf.constant(v) for k, v in arrays.items()})
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.numpy().dtype
        np.testing.assert_allclose(
            found[name], value, rtol=1e-5, atol=1e-5, err_msg=name
        )


def fused(path):
    """Returns a file's recurrent nodes; there must be no loop beside them."""
    kinds = [node.op_type for node in nodes(onnx.load(path).graph)]
    assert not {"Loop", "Scan", "If"} & set(kinds)
    return [kind for kind in kinds if kind in FUSED]


def stack(**options):
    """A layer around three cells, with states of all widths."""
    cells = [layers.LSTMCell(5), PeepholeLSTMCell(3), layers.GRUCell(4)]
    return layers.RNN(cells, **options)


def flat(name, values):
    """Outputs by name: what a layer shows, and its states in order."""
    return {
        f"{name}_{i}": value
        for i, value in enumerate(keras.tree.flatten(values))
    }


@pytest.mark.slow
@each_format
def test_stack_of_known_cells_is_a_chain_of_them(kind, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    h = [
        keras.Input((width,), name=f"state_{i}")
        for i, width in enumerate((5, 5, 3, 3, 4))
    ]
    given = {"initial_state": [h[:2], h[2:4], h[4]]}
    full, turned = {"return_sequences": True}, {"go_backwards": True}
    with_state = {"return_state": True}
    outputs = {
        **flat("last", stack()(x)),
        **flat("all", stack(**full, **with_state)(x)),
        **flat("turned", stack(**turned, **with_state)(x)),
        **flat("all_turned", stack(**full, **turned)(x)),
        **flat("from", stack(**full, **with_state)(x, **given)),
        **flat("one", layers.RNN([layers.LSTMCell(3)])(x)),
        **flat("both", layers.Bidirectional(stack(**full))(x)),
        **flat("masked", stack(**full, **with_state)(x, mask=mask)),
        **flat("masked_from", stack(**with_state)(x, mask=mask, **given)),
        **flat("masked_turned", stack(**turned)(x, mask=mask)),
        **flat(
            "masked_zero",
            stack(**full, zero_output_for_mask=True)(x, mask=mask),
        ),
    }
    model = keras.Model(
        {"x": x, "mask": mask, **{s.name: s for s in h}}, outputs
    )
    done, path = leave(model, tmp_path, kind)
    assert not done.notes
    if kind == "onnx":
        assert len(fused(path)) == 11 * 3 + 1
    rng = np.random.default_rng(2)
    reference = compiled(model)
    for batch, time in ((1, 1), (4, 6)):
        counts = rng.random((batch, time)) < 0.5
        counts[0] = False
        arrays = {
            "x": rng.normal(size=(batch, time, FEATURES)).astype("float32"),
            "mask": counts,
        } | {
            s.name: rng.normal(size=(batch, s.shape[1])).astype("float32")
            for s in h
        }
        compare(reference, path, arrays)


@keras.saving.register_keras_serializable("tests")
class Unpacking(keras.Model):
    """A model that takes the states of a stack as Keras returns them."""

    def __init__(self, **options):
        super().__init__(**options)
        self.stack = stack(return_state=True)

    def build(self, shape):
        self.stack.build(shape)

    def call(self, x):
        _, (h, c), (_, p), (g,) = self.stack(x)
        return keras.ops.concatenate([h, c, p, g], axis=1)


@each_format
def test_states_of_a_stack_keep_their_structure(kind, tmp_path):
    signature = tf.TensorSpec((None, None, FEATURES), tf.float32, name="x")
    model = Unpacking()
    model.build((None, None, FEATURES))
    leave(model, tmp_path, kind, signatures=signature)


def test_stack_with_a_cell_of_a_user_is_no_chain_and_says_so(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    cells = [layers.GRUCell(2), Doubled(UNITS)]
    done, path = leave(
        keras.Model(x, layers.RNN(cells, name="mixed")(x)), tmp_path, "onnx"
    )
    (note,) = done.notes
    assert "mixed" in note and "Doubled" in note
    assert "Loop" in done.formats["onnx"].operators


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.LSTMCell):
    """A cell of a user's, which is no LSTM's any more."""

    def call(self, inputs, states, training=False):
        return super().call(2.0 * inputs, states, training)


@keras.saving.register_keras_serializable("tests")
class Tripled(layers.GRUCell):
    """The same with one state."""

    def call(self, inputs, states, training=False):
        return super().call(3.0 * inputs, states, training)


SWAPPED = {
    "lstm": (layers.LSTM, Doubled),
    "gru": (layers.GRU, Tripled),
    "elman": (layers.SimpleRNN, Tripled),
    "peephole_lstm": (PeepholeLSTM, Doubled),
    "to_a_known_one": (layers.LSTM, PeepholeLSTMCell),
}


@each_format
def test_cell_put_into_a_layer_is_the_one_that_leaves(kind, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    outputs = {}
    for name, (make, other) in SWAPPED.items():
        layer = make(UNITS, return_sequences=True, name=f"swapped_{name}")
        layer.cell = other(UNITS)
        outputs[name] = layer(x)
    done, path = leave(keras.Model(x, outputs), tmp_path, kind)
    if kind == "litert":
        return
    found = [node.op_type for node in nodes(onnx.load(path).graph)]
    assert [op for op in found if op in FUSED] == ["LSTM"]
    assert found.count("Loop") == len(SWAPPED) - 1
    assert len(done.notes) == len(SWAPPED) - 1  # all but the known one
    for name, (_, other) in SWAPPED.items():
        about = [n for n in done.notes if f"swapped_{name} " in n]
        assert len(about) == (name != "to_a_known_one")
        assert all(other.__name__ in note for note in about)


@keras.saving.register_keras_serializable("tests")
class Learned(layers.SimpleRNNCell):
    """A cell whose first state is learned."""

    def build(self, shape):
        super().build(shape)
        self.first = self.add_weight(shape=(self.units,))

    def get_initial_state(self, batch_size=None):
        return [keras.ops.tile(self.first[None], (batch_size, 1))]


@each_format
def test_first_state_of_a_cell_of_a_user_leaves_too(kind, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    leave(keras.Model(x, layers.RNN(Learned(UNITS))(x)), tmp_path, kind)


@each_format
def test_cell_whose_call_was_replaced_keeps_what_it_does(kind, tmp_path):
    layer = layers.GRU(UNITS)
    own = layer.cell.call
    layer.cell.call = lambda inputs, *rest, **options: own(
        2.0 * inputs, *rest, **options
    )
    x = keras.Input((None, FEATURES), name="x")
    leave(keras.Model(x, layer(x)), tmp_path, kind)


@pytest.mark.parametrize(
    "kind",
    # Slow: ten layers; a stack of cells in float64 is quick in both formats.
    [pytest.param(kind, marks=pytest.mark.slow) for kind in ("onnx", "litert")],
)
def test_layers_in_float64_leave_in_float64(kind, tmp_path):
    x = keras.Input((None, FEATURES), dtype="float64", name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    h = [
        keras.Input((UNITS,), dtype="float64", name=f"state_{i}")
        for i in range(2)
    ]
    with_state = {"return_state": True, "dtype": "float64"}
    outputs = {}
    for cell, (make, _, states) in CELLS.items():
        outputs |= flat(f"{cell}_last", make(UNITS, **with_state)(x))
        masked = make(UNITS, return_sequences=True, **with_state)(
            x, mask=mask, initial_state=h[:states]
        )
        outputs |= flat(f"{cell}_masked", masked)
    model = keras.Model(
        {"x": x, "mask": mask, **{s.name: s for s in h}}, outputs
    )
    _, path = leave(model, tmp_path, kind)
    if kind == "onnx":
        kinds = [node for _, node, _ in CELLS.values()]
        assert sorted(fused(path)) == sorted(2 * kinds)
    rng = np.random.default_rng(3)
    arrays = {
        "x": rng.normal(size=(3, 7, FEATURES)),
        "mask": rng.random((3, 7)) < 0.5,
        **{s.name: rng.normal(size=(3, UNITS)) for s in h},
    }
    compare(compiled(model), path, arrays)


@each_format
def test_stack_of_cells_in_float64_leaves_in_float64(kind, tmp_path):
    keras.config.set_dtype_policy("float64")
    try:
        x = keras.Input((None, FEATURES), dtype="float64", name="x")
        model = keras.Model({"x": x}, {"y": stack(return_sequences=True)(x)})
    finally:
        keras.config.set_dtype_policy("float32")
    _, path = leave(model, tmp_path, kind)
    if kind == "onnx":
        assert fused(path) == ["LSTM", "LSTM", "GRU"]
    data = np.random.default_rng(4).normal(size=(2, 5, FEATURES))
    compare(model, path, {"x": data})


def test_stack_streams_from_an_onnx_file(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = keras.Model(x, stack(return_sequences=True)(x))
    done, path = leave(model, tmp_path, "onnx", streaming=True)
    assert len(fused(done.paths["onnx:streaming"])) == 3
