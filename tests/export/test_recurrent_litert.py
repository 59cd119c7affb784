"""Recurrent layers leave for LiteRT as loops of builtin operators."""

from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

import export
from export.errors import ConversionError
from tests.export.recurrent_forms import (
    CELLS,
    FEATURES,
    UNITS,
    Louder,
    compiled,
    forms,
    layers,
)
from tests.export.user_models import randomize
from toolkit.layers import PeepholeLSTMCell

pytestmark = pytest.mark.usefixtures("traced_reference")


def answer(path, arrays):
    """Runs a file once in the stock interpreter, and once again."""
    interpreter = Interpreter(model_path=str(path))
    runner = interpreter.get_signature_runner("serving_default")
    first = {k: v.copy() for k, v in runner(**arrays).items()}
    for name, again in runner(**arrays).items():
        np.testing.assert_array_equal(first[name], again)
    return first


def compare(reference, path, arrays):
    found = answer(path, arrays)
    expected = reference({k: tf.constant(v) for k, v in arrays.items()})
    assert len(found) >= len(expected)
    for name, value in zip(
        found, keras.tree.flatten(list(expected.values())), strict=True
    ):
        np.testing.assert_allclose(
            found[name], value, rtol=1e-5, atol=1e-5, err_msg=name
        )


def operators(path):
    """Counts operators; names those that the stock interpreter lacks."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items()}
    counts = Counter()
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            counts[
                names[max(code.builtinCode, code.deprecatedBuiltinCode)]
            ] += 1
    assert "CUSTOM" not in counts
    return counts


def in_order(outputs):
    """Outputs under names that keep their order in a file."""
    flat = {}
    for name, value in outputs.items():
        values = keras.tree.flatten(value)
        for i, item in enumerate(values):
            flat[f"{name}_{i}" if len(values) > 1 else name] = item
    return dict(sorted(flat.items()))


QUICK = (  # each way to begin, to go and to end, with masks and without
    "stacked", "bidirectional_last", "backwards_from_state",
    "masked_zero", "masked_from_state", "masked_backwards",
)  # fmt: skip


# Slow: 19 layers in one file, 17 s; six forms of one cell are quick.
@pytest.mark.parametrize(
    ("cell", "chosen"),
    [
        ("peephole_lstm", QUICK),
        *(pytest.param(c, None, marks=pytest.mark.slow) for c in CELLS),
    ],
)
def test_every_form_runs_in_the_stock_interpreter(cell, chosen, tmp_path):
    make, _, states = CELLS[cell]
    x = keras.Input((None, FEATURES), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    h, outputs, count = forms(make, states, x)
    count += 6  # one is bidirectional
    outputs |= {
        "masked": make(UNITS, return_sequences=True)(x, mask=mask),
        "masked_last": make(UNITS, return_state=True)(x, mask=mask),
        "masked_zero": make(
            UNITS, return_sequences=True, zero_output_for_mask=True
        )(x, mask=mask),
        "masked_from_state": make(UNITS, return_sequences=True)(
            x, mask=mask, initial_state=h
        ),
        "masked_backwards": layers.Bidirectional(
            make(UNITS, return_sequences=True)
        )(x, mask=mask),
    }
    if chosen:
        outputs = {name: outputs[name] for name in chosen}
        count = 9  # two for a stack, two for both directions
    model = randomize(
        keras.Model(
            {"x": x, "mask": mask, **{s.name: s for s in h}}, in_order(outputs)
        )
    )
    done = export.export(model, tmp_path, ["litert"])
    path = done.paths["litert"]
    # A loop for rounds of four steps, and one for what is left.
    assert operators(path)["WHILE"] == 2 * count
    rng = np.random.default_rng(3)
    reference = compiled(model)
    for batch, time in ((1, 1), (3, 2), (2, 3), (1, 4), (5, 11), (1, 512)):
        counts = rng.random((batch, time)) < 0.5
        counts[0] = time % 2  # all, or none
        arrays = {
            "x": rng.normal(size=(batch, time, FEATURES)).astype("float32"),
            "mask": counts,
        } | {
            s.name: rng.normal(size=(batch, UNITS)).astype("float32") for s in h
        }
        compare(reference, path, arrays)


@keras.saving.register_keras_serializable("tests")
class Doubling(keras.layers.Layer):
    """A cell of a user's, whose output is not its state."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = self.output_size = units
        self.state_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1] + self.units, 3))

    def call(self, inputs, states, training=False):
        joined = keras.ops.concatenate([inputs, states[0]], axis=1)
        hidden = keras.ops.tanh(joined @ self.kernel)
        return 2 * hidden, [hidden]


def test_cells_of_users_and_stacks_of_cells_run_too(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    mask = layers.Masking().compute_mask(x)
    stack = [
        layers.LSTMCell(4),
        layers.GRUCell(2),
        PeepholeLSTMCell(3),
        layers.SimpleRNNCell(2),
    ]
    outputs = {
        "last": layers.RNN(Doubling(3))(x),
        "masked": layers.RNN(Doubling(3), return_sequences=True)(x, mask=mask),
        "stack": layers.RNN(stack, return_state=True)(x),
        "turned": layers.RNN(PeepholeLSTMCell(3), go_backwards=True)(x),
    }
    model = randomize(keras.Model({"x": x}, in_order(outputs)))
    path = export.export(model, tmp_path, ["litert"]).paths["litert"]
    rng = np.random.default_rng(1)
    for batch, time in ((1, 3), (4, 9)):
        x = rng.normal(size=(batch, time, FEATURES)).astype("float32")
        x[:, 1] = 0
        compare(compiled(model), path, {"x": x})


def test_activations_need_no_fused_operator(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.GRU(
        3, activation="gelu", recurrent_activation="hard_sigmoid", name="gru"
    )(x)
    model = randomize(keras.Model(x, y))
    path = export.export(model, tmp_path, ["litert"]).paths["litert"]
    x = np.random.default_rng(0).normal(size=(2, 5, FEATURES))
    found = answer(path, {"x": x.astype("float32")})
    np.testing.assert_allclose(found["gru"], model(x), atol=1e-5)


def test_other_loops_need_a_fixed_batch_and_are_told_so(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = randomize(keras.Model(x, Louder(3, name="louder")(x)))
    with pytest.raises(ConversionError, match=r"--batch\s+1.*--time"):
        export.export(model, tmp_path, ["litert"])
    assert not list(tmp_path.iterdir())
    path = export.export(model, tmp_path, ["litert"], fixed={"batch": 1}).paths[
        "litert"
    ]
    x = np.random.default_rng(0).normal(size=(1, 7, FEATURES))
    found = answer(path, {"x": x.astype("float32")})
    np.testing.assert_allclose(found["louder"], model(x), atol=1e-5)


def test_a_short_fixed_sequence_needs_no_loop(tmp_path):
    x = keras.Input((3, FEATURES), name="x")
    y = layers.GRU(3, return_sequences=True)(x)
    model = randomize(keras.Model(x, layers.LSTM(3, unroll=True)(y)))
    done = export.export(model, tmp_path, ["litert"])
    assert "WHILE" not in operators(done.paths["litert"])
