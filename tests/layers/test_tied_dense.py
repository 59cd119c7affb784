import keras
import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.layers import TiedDense
from toolkit.models import autoencoder

RNG = np.random.default_rng(0)


def test_it_multiplies_by_the_transposed_kernel():
    encode = keras.layers.Dense(3)
    encode.build((None, 5))
    layer = TiedDense(encode, "tanh", bias_initializer="random_normal")
    x = RNG.normal(size=(2, 4, 3)).astype("float32")
    bias = np.asarray(layer(x) is not None and layer.bias)
    expected = np.tanh(x @ np.asarray(encode.kernel).T + bias)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_both_uses_contribute_to_the_gradient():
    import tensorflow as tf

    x = tf.constant(RNG.normal(size=(4, 5)), tf.float32)
    encode = keras.layers.Dense(3, use_bias=False)
    z = encode(x)
    layer = TiedDense(encode, use_bias=False)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(encode(x)) ** 2)
    found = tape.gradient(loss, encode.trainable_variables[0])
    kernel = np.asarray(encode.kernel)
    y = np.asarray(z) @ kernel.T
    expected = 2 * (np.asarray(x).T @ (y @ kernel) + y.T @ np.asarray(z))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.fixture
def tied():
    return autoencoder(
        (6,), [5, 4], 2, "elu", tied=True, bias_initializer="random_normal"
    )


def test_layers_of_two_inner_models_are_tied_again_when_loaded(tied, tmp_path):
    x = RNG.random((8, 6), np.float32)
    tied.compile("adam", "mse")
    tied.fit(x, x, verbose=0)
    tied.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(x), tied(x))
    assert loaded.count_params() == tied.count_params() == 58 + 11 + 15
    loaded.fit(x, x, verbose=0)  # and stay so
    encoder, decoder = map(loaded.get_layer, ("encoder", "decoder"))
    last = decoder.get_layer("decode_last")
    assert last.tied_to is encoder.get_layer("encode_1")
    assert not np.array_equal(loaded(x), tied(x))


def test_flat_model_stays_tied_without_help(tmp_path):
    x = keras.Input((6,))
    encode = keras.layers.Dense(2)
    model = keras.Model(x, TiedDense(encode)(encode(x)))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.count_params() == 12 + 2 + 6
    assert loaded.layers[-1].tied_to is loaded.layers[-2]


def test_decoder_alone_takes_the_kernels_along(tied, tmp_path):
    decoder = tied.get_layer("decoder")
    decoder.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    z = RNG.normal(size=(3, 2)).astype("float32")
    np.testing.assert_array_equal(loaded(z), decoder(z))


def test_it_refuses():
    with pytest.raises(ConfigError, match="must be a keras.layers.Dense"):
        TiedDense(keras.layers.Flatten())
    encode = keras.layers.Dense(3, name="code")
    with pytest.raises(ConfigError, match='"code".*has no weights yet'):
        TiedDense(encode)(np.ones((1, 3)))
    encode.build((None, 5))
    with pytest.raises(ConfigError, match="must be \\(batch, ..., 3\\)"):
        TiedDense(encode)(np.ones((1, 4)))
