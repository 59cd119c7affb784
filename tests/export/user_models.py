"""Eight models as users bring them."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(7)


def functional():
    x = keras.Input((12, 12, 3), name="photo")
    y = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.GlobalAveragePooling2D()(y)
    y = keras.layers.Dense(5, activation="softmax", name="species")(y)
    return keras.Model(x, y, name="functional"), {}


def sequential():
    model = keras.Sequential(
        [
            keras.Input((6,), name="features"),
            keras.layers.Dense(8, activation="gelu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, name="score"),
        ],
        name="sequential",
    )
    return model, {}


@keras.saving.register_keras_serializable("tests")
class Gated(keras.Model):
    def __init__(self, units=4, **options):
        super().__init__(**options)
        self.units = units
        self.gate = keras.layers.Dense(units, activation="sigmoid")
        self.value = keras.layers.Dense(units)

    def build(self, shape):
        self.gate.build(shape)
        self.value.build(shape)
        self.built = True

    def call(self, x):
        return self.gate(x) * self.value(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def subclassed():
    signature = tf.TensorSpec((None, 7), tf.float32, name="measurements")
    return Gated(name="subclassed"), {"signatures": signature}


def nested():
    inner_input = keras.Input((5,))
    inner = keras.Model(
        inner_input,
        keras.layers.Dense(3, activation="tanh")(inner_input),
        name="inner",
    )
    x = keras.Input((5,), name="x")
    total = keras.layers.Add(name="total")([inner(x), inner(x * 2.0)])
    return keras.Model(x, total, name="nested"), {}


def several_inputs():
    left = keras.Input((4,), name="left")
    right = keras.Input((3,), name="a_right")
    both = keras.layers.Concatenate()([left, right])
    y = keras.layers.Dense(2, name="joined")(both)
    return keras.Model([left, right], y, name="several_inputs"), {}


def dict_outputs():
    x = keras.Input((4,), name="x")
    y = {
        "zeta": keras.layers.Dense(2, name="first")(x),
        "alpha": keras.layers.Dense(3, name="second")(x),
    }
    return keras.Model(x, y, name="dict_outputs"), {}


def mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        x = keras.Input((6,), name="x")
        y = keras.layers.Dense(4, activation="relu")(x)
        y = keras.layers.Dense(2, name="y")(y)
        return keras.Model(x, y, name="mixed_precision"), {}
    finally:
        keras.config.set_dtype_policy("float32")


def integer_input():
    ids = keras.Input((None,), dtype="int32", name="ids")
    y = keras.layers.Embedding(50, 4)(ids)
    y = keras.layers.GlobalAveragePooling1D()(y)
    y = keras.layers.Dense(3, name="topic")(y)
    return keras.Model(ids, y, name="integer_input"), {}


USER_MODELS = {
    builder.__name__: builder
    for builder in (
        functional,
        sequential,
        subclassed,
        nested,
        several_inputs,
        dict_outputs,
        mixed_precision,
        integer_input,
    )
}


def randomize(model, seed=0):
    """Gives every weight a random distinct value, biases included."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0.0, 0.5, variable.shape))
    return model
