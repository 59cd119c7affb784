"""Choices leave for ONNX as one node, and infinities do not spoil them."""

import keras
import numpy as np
import onnxruntime
import tensorflow as tf

import export


@keras.saving.register_keras_serializable("tests")
class Choices(keras.layers.Layer):
    def call(self, x):
        kinds = {
            "unbounded": tf.where(x > 0, x, -np.inf),
            "whole": tf.where(x > 0, 1, tf.cast(10 * x, tf.int32)),
            "row": tf.where(x[:, :1] > 0, tf.zeros_like(x[0]), x),
            "small": tf.where(x > 0, tf.constant(2, tf.int8), 3),
            "truth": tf.where(x > 0.5, x < 0.7, x > -0.2),
        }
        return {name: tf.cast(kind, tf.float32) for name, kind in kinds.items()}


def test_choices_are_those_of_keras(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, Choices()(x), name="choices")
    done = export.export(model, tmp_path, ["onnx"])
    assert done.formats["onnx"].operators["Where"] == 3
    values = np.float32([[-1, 0.6, 2, -0.1], [0.55, -3, 0, 0.9]])
    session = onnxruntime.InferenceSession(str(done.paths["onnx"]))
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"x": values}), strict=True))
    for name, expected in model(values).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)
    assert np.isneginf(found["unbounded"]).sum() == 4
