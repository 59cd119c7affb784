"""Lowerings of users' own, and those that are wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export import lowering
from export.errors import OperatorError
from export.lowering import registry
from toolkit.errors import ConfigError

FEATURES = 4


class Erf(keras.layers.Layer):
    """A layer whose own graph no converter takes."""

    def call(self, x):
        y = tf.numpy_function(np.tanh, [x], tf.float32)
        return tf.ensure_shape(y, x.shape)

    def compute_output_shape(self, shape):
        return shape


def test_users_register_a_lowering_for_their_own_layer(tmp_path, monkeypatch):
    x = keras.Input((FEATURES,), name="x")
    model = keras.Model(x, Erf(name="mine")(x))
    with pytest.raises(OperatorError, match="PyFunc"):
        export.export(model, tmp_path, ["onnx"])
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @lowering.register(Erf, "onnx")
    def lower(layer):
        def call(x):
            (y,) = lowering.onnx_node("Tanh", [x], [(x.shape, x.dtype)])
            return y

        return call

    done = export.export(model, tmp_path, ["onnx"])
    assert done.formats["onnx"].operators == {"Tanh": 1}


@pytest.mark.parametrize("wrong", [None, "no such operator", 3])
def test_lowering_that_returns_something_else_is_named(
    wrong, tmp_path, monkeypatch
):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    lowering.register(Erf, "onnx")(lambda layer: wrong)
    x = keras.Input((None, FEATURES), name="x")
    lowered = keras.layers.GRU(FEATURES)(x)
    model = keras.Model(x, Erf(name="mine")(lowered))
    with pytest.raises(
        ConfigError, match='"mine" .Erf, onnx.*Fallback'
    ) as caught:
        export.export(model, tmp_path, ["onnx"])
    assert f"Received: {wrong!r} (of type" in str(caught.value)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


def test_wrong_registrations_are_refused():
    with pytest.raises(ConfigError, match="subclass of keras.layers.Layer"):
        lowering.register(int, "onnx")
    with pytest.raises(ConfigError, match='"onx". Did you mean "onnx"'):
        lowering.register(Erf, "onx")
