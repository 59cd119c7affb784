"""Which activations of recurrent layers leave fused for ONNX."""

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import export
from tests.export.recurrent_forms import (
    CELLS,
    FEATURES,
    UNITS,
    each_cell,
    layers,
)
from tests.export.user_models import randomize
from toolkit.layers import PeepholeLSTM

pytestmark = pytest.mark.usefixtures("traced_reference")


def operators(done):
    return done.formats["onnx"].operators


NAMED = ("relu", "hard_sigmoid", "elu", "softsign", "linear")


def test_activations_that_onnx_has_are_fused(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    outputs = {}
    for name in NAMED:
        first = layers.SimpleRNN(
            UNITS, activation=name, return_sequences=True
        )(x)  # fmt: skip
        outputs[name] = layers.LSTM(
            UNITS, activation=name, recurrent_activation="hard_sigmoid"
        )(first)
    model = keras.Model(x, outputs)
    randomize(model)
    for variable in model.variables:  # `linear` grows without end
        variable.assign(variable * 0.5)
    found = operators(export.export(model, tmp_path, ["onnx"]))
    assert found["RNN"] == found["LSTM"] == len(NAMED)
    assert "Loop" not in found


def test_softplus_is_not_fused_as_it_overflows_in_recurrent_operators(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.SimpleRNN(UNITS, activation="softplus", name="rnn")(x)
    model = keras.Model(x, y)
    done = export.export(randomize(model), tmp_path, ["onnx"])
    assert "RNN" not in operators(done)
    far = {"x": np.full((2, 3, FEATURES), 400.0, np.float32)}
    answer = export.runtime.load(done.paths["onnx"]).run(far)["rnn"]
    np.testing.assert_allclose(answer, model(far["x"]), rtol=1e-5)


ACTIVATION_LAYERS = {
    "leaky": lambda: layers.LeakyReLU(0.3),
    "leaky_relu": lambda: layers.ReLU(negative_slope=0.1),
    "relu": lambda: layers.ReLU(),
    "threshold": lambda: layers.ReLU(threshold=0.2),
    "elu": lambda: layers.ELU(0.7),
    "named": lambda: layers.Activation("softsign"),
    "function": lambda: "leaky_relu",
}


@each_cell
def test_activations_of_every_kind_are_fused_with_their_slopes(cell, tmp_path):
    make, kind, _ = CELLS[cell]
    x = keras.Input((None, FEATURES), name="x")
    # Numbers of two activations, one after the other.
    gates = {"recurrent_activation": "hard_sigmoid"} if cell != "elman" else {}
    outputs = {
        name: make(
            UNITS, return_sequences=True, activation=activation(), **gates
        )(x)
        for name, activation in ACTIVATION_LAYERS.items()
    }
    model = randomize(keras.Model(x, outputs))
    found = operators(export.export(model, tmp_path, ["onnx"]))
    assert found[kind] == len(outputs) and "Loop" not in found


@pytest.mark.parametrize(
    "other", [layers.ReLU(max_value=1.0), layers.ReLU(1.0, 0.1), tf.tanh]
)
def test_activation_is_never_said_to_be_missing_without_need(other, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.GRU(UNITS, activation=other, name="odd")(x)
    (note,) = export.export(keras.Model(x, y), tmp_path, ["onnx"]).notes
    name = getattr(other, "__name__", "ReLU")
    assert f"is known to equal {name}" in note and "has no" not in note


@pytest.mark.parametrize("cell", [layers.GRU, PeepholeLSTM])
@pytest.mark.parametrize("name", ["celu", "softplus"])
def test_activation_that_is_not_known_leaves_as_a_loop(cell, name, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = cell(UNITS, activation=name, return_sequences=True)(x)
    model = randomize(keras.Model(x, y))
    done = export.export(model, tmp_path, ["onnx"])
    assert operators(done)["Loop"] == 1
    (note,) = done.notes
    assert name in note


def test_expm1_is_right_near_zero_and_far_from_it(tmp_path):
    x = keras.Input((1,), name="x")
    model = keras.Model(x, keras.ops.expm1(x))
    path = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    data = np.array([-90, -1, -1e-3, -1e-6, 0, 1e-6, 1e-3, 1, 20], "float32")
    session = onnxruntime.InferenceSession(path)
    (found,) = session.run(None, {"x": data[:, None]})
    expected = np.expm1(data.astype("float64"))
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)


def test_activation_that_onnx_lacks_falls_back_and_says_so(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = keras.Model(x, layers.GRU(UNITS, activation="gelu", name="odd")(x))
    done = export.export(model, tmp_path, ["onnx"])
    found = operators(done)
    assert "GRU" not in found and "Loop" in found
    assert any("odd" in note and "gelu" in note for note in done.notes)
    (route,) = [item.routes["onnx"] for item in export.explain(model).layers]
    assert route.kind == "builtin loop" and "gelu" in route.reason
