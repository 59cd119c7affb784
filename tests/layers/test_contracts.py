"""What every public layer must do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.contracts import LAYERS

each = pytest.mark.parametrize("name", LAYERS)


@each
def test_symbolic_shape_is_the_eager_shape(name):
    make, x = LAYERS[name]
    symbolic = make()(keras.Input(x.shape[1:]))
    assert symbolic.shape == (None, *make()(x).shape[1:])
    assert make().compute_output_shape(x.shape) == make()(x).shape


@each
def test_config_and_weights_make_the_same_layer(name):
    make, x = LAYERS[name]
    layer = make(name="one")
    expected = layer(x)
    again = type(layer).from_config(layer.get_config())
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), expected)
    assert again.get_config() == layer.get_config()


@each
def test_model_with_it_survives_saving_without_custom_objects(name, tmp_path):
    make, x = LAYERS[name]
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, make()(inputs))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(x), model(x))


@each
@pytest.mark.parametrize("jit", [False, True])
def test_it_trains(name, jit):
    make, x = LAYERS[name]
    inputs = keras.Input(x.shape[1:])
    scaled = keras.layers.Rescaling(0.7)(inputs)
    outputs = keras.layers.Flatten()(make()(scaled))
    model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
    model.compile("adam", "mse", jit_compile=jit)
    before = model.get_weights()
    model.fit(x, np.ones((len(x), 1)), epochs=2, verbose=0)
    trained = [
        not np.array_equal(a, b.numpy())
        for a, b in zip(before, model.weights, strict=True)
        if b.trainable
    ]
    assert trained and all(trained)


@each
def test_mixed_precision_computes_low_and_keeps_float32_weights(name):
    make, x = LAYERS[name]
    layer = make(dtype="mixed_bfloat16")
    outputs = layer(x)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert all(w.dtype == "float32" for w in layer.weights)
    full = make()
    full.build(x.shape)
    full.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32), full(x), rtol=0.05, atol=0.1
    )


@each
def test_gradient_is_that_of_central_differences(name):
    make, x = LAYERS[name]
    layer = make(dtype="float64")
    point = tf.constant(x, tf.float64)
    layer(point)
    weights = np.linspace(0.5, 1.5, tf.size(layer(point)).numpy())

    def value(z):
        flat = tf.reshape(layer(z), [-1])
        return tf.reduce_sum(flat * tf.constant(weights, tf.float64))

    with tf.GradientTape() as tape:
        tape.watch(point)
        gradient = tape.gradient(value(point), point)
    direction = np.random.default_rng(1).normal(size=x.shape)
    step = 1e-6
    expected = (
        value(point + step * direction) - value(point - step * direction)
    ) / (2 * step)
    found = np.sum(gradient.numpy() * direction)
    np.testing.assert_allclose(found, float(expected), rtol=1e-5)
