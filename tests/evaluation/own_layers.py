"""Nets with layers of a user's, none of them registered."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype("float32")
Y = RNG.normal(size=(6, 2)).astype("float32")


class Product(layers.Layer):
    """x W + b, whose gradients are those of TensorFlow times factors."""

    def __init__(self, units, kernel=None, bias=1.0, inputs=1.0, **options):
        super().__init__(**options)
        self.units, self.factors = units, (inputs, kernel, bias)

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(4, self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,))

    def call(self, x):
        @tf.custom_gradient
        def product(x, w, b):
            def backward(dy):
                right = (
                    tf.matmul(dy, w, transpose_b=True),
                    tf.matmul(x, dy, transpose_a=True),
                    tf.reduce_sum(dy, axis=0),
                )
                factors = (1.0 if f is None else f for f in self.factors)
                return [
                    g * tf.cast(f, g.dtype)
                    for g, f in zip(right, factors, strict=True)
                ]

            return tf.matmul(x, w) + b, backward

        return product(x, *map(tf.convert_to_tensor, (self.kernel, self.bias)))

    def get_config(self):
        inputs, kernel, bias = self.factors
        return {
            **super().get_config(),
            "units": self.units,
            "kernel": kernel,
            "bias": bias,
            "inputs": inputs,
        }


def net(**factors):
    x = keras.Input((4,))
    y = layers.Dense(4, "tanh", name="first")(x)
    y = Product(3, **factors, name="own")(y)
    return keras.Model(x, layers.Dense(2, name="last")(ops.tanh(y)))


def behind_dense(layer):
    if not isinstance(layer, layers.Layer):
        layer = layers.Lambda(layer)
    return keras.Sequential([keras.Input((4,)), layers.Dense(3), layer])
