import keras
import numpy as np
import pytest

from tests.models.contracts import BUILDERS
from toolkit.errors import ConfigError
from toolkit.models import (
    autoencoder,
    convolutional_autoencoder,
    language_model,
    lenet5,
    logistic_regression,
    mlp,
    sequence_classifier,
    softmax_regression,
)

# Slow: the recipes' tests train, save and load these.
OF_RECIPES = (
    "seq2seq",
    "language_model",
    "next_token_losses",
    "sequence_classifier",
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in OF_RECIPES else ())
        for name in BUILDERS
    ],
)
def test_builder_trains_and_survives_saving(name, tmp_path):
    build, x, y, loss = BUILDERS[name]
    model = build()
    model.compile("adam", loss)
    before = [w.copy() for w in model.get_weights()]
    history = model.fit(x, y, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert all(
        np.array_equal(old, weight.numpy()) != weight.trainable
        for old, weight in zip(before, model.weights, strict=True)
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))


@pytest.mark.parametrize(
    "name",
    sorted(
        set(BUILDERS)
        - {
            "lenet5_published",
            "language_model",
            "next_token_losses",
            "seq2seq",
        }
    ),
)
def test_builder_gives_probabilities_in_mixed_precision(name):
    build, x, _, _ = BUILDERS[name]
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        output = build()(x)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    assert float(np.min(output)) >= 0.0 and float(np.max(output)) <= 1.0


def test_lenet5_has_the_papers_layer_sizes():
    model = lenet5()
    sizes = {
        layer.name: layer.count_params()
        for layer in model.layers
        if layer.count_params()
    }
    assert sizes == {
        "c1": 156,
        "c3": 2416,
        "c5": 48120,
        "f6": 10164,
        "probabilities": 850,
    }
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    assert shapes["c1"] == (28, 28, 6)
    assert shapes["s2"] == (14, 14, 6)
    assert shapes["c3"] == (10, 10, 16)
    assert shapes["s4"] == (5, 5, 16)


def test_lenet5_equals_a_convolution_in_numpy():
    def convolve(image, kernel, bias):
        size = image.shape[0] - 4
        out = np.zeros((size, size, kernel.shape[-1]))
        for i in range(size):
            for j in range(size):
                patch = image[i : i + 5, j : j + 5]
                out[i, j] = np.tensordot(patch, kernel, 3) + bias
        return np.tanh(out)

    def pool(image):
        size = image.shape[0] // 2
        return image.reshape(size, 2, size, 2, -1).mean(axis=(1, 3))

    model = lenet5((16, 16, 1), classes=2)
    x = np.random.default_rng(1).random((1, 16, 16, 1)).astype("float32")
    weights = [a + 0.01 * i for i, a in enumerate(model.get_weights())]
    model.set_weights(weights)
    w, b, w3, b3, w5, b5, w6, b6, wo, bo = weights
    h = pool(convolve(pool(convolve(x[0], w, b)), w3, b3)).ravel()
    h = np.tanh(np.tanh(h @ w5 + b5) @ w6 + b6) @ wo + bo
    expected = np.exp(h) / np.exp(h).sum()
    np.testing.assert_allclose(model(x)[0], expected, rtol=1e-4)


def test_logistic_regression_equals_two_class_softmax():
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(9, 2)), rng.normal(size=2)
    two = softmax_regression((3, 3, 1), classes=2)
    two.set_weights([kernel, bias])
    one = logistic_regression((3, 3, 1))
    one.set_weights([kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]])
    x = rng.normal(size=(20, 3, 3, 1)).astype("float32")
    np.testing.assert_allclose(one(x)[:, 0], two(x)[:, 1], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (15, 16, 1)}, "at least 16 rows"),
        ({"classes": 1}, "classes=1"),
        ({"pooling": "avrage"}, 'Did you mean "average"'),
        ({"dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_lenet5_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        lenet5(**arguments)


def test_softmax_regression_refuses():
    with pytest.raises(ConfigError, match="classes=1.*logistic_regression"):
        softmax_regression((4,), classes=1)
    with pytest.raises(ConfigError, match="l2=-1"):
        softmax_regression((4,), classes=2, l2=-1)
    with pytest.raises(ConfigError, match="input_shape"):
        logistic_regression(())


def test_mlp_equals_numpy():
    model = mlp((2, 3, 1), [4, 3], 2, output_activation="sigmoid")
    x = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    h = x
    weights = [a + 0.1 * i for i, a in enumerate(model.get_weights())]
    model.set_weights(weights)
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        h = 1 / (1 + np.exp(-(h @ kernel + bias)))
    np.testing.assert_allclose(model(x.reshape(5, 2, 3, 1)), h, rtol=1e-5)


def test_autoencoder_is_its_encoder_and_then_its_decoder():
    model = autoencoder((4, 3, 1), [6], 2, code_activation="tanh")
    x = np.random.default_rng(0).random((5, 4, 3, 1), np.float32)
    encoder, decoder = map(model.get_layer, ("encoder", "decoder"))
    code = encoder(x)
    assert code.shape == (5, 2) and float(np.abs(code).max()) < 1
    np.testing.assert_array_equal(decoder(code), model(x))
    assert model.output_names == ["reconstruction"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: autoencoder((2, 2, 1), [3], 4),
            "narrower than the input of 4",
        ),
        (
            lambda: autoencoder((4,), [3, 0], 2),
            "`hidden` must be a sequence of positive.*holds 0 .of type int",
        ),
        (lambda: autoencoder((4,), [3], 0), "Received: code=0 "),
        (lambda: convolutional_autoencoder((6, 8, 1)), "multiples of 4"),
        (
            lambda: convolutional_autoencoder((8, 8, 1), ()),
            "`filters`.*is empty",
        ),
        (lambda: mlp((3,), [2], 0), "Received: outputs=0 "),
        (lambda: mlp((3,), [2], 1, dropout=1.0), "dropout=1.0"),
        (lambda: mlp((3,), [2], 1, l2=-1.0), "l2=-1.0"),
        (lambda: mlp((), [2], 1), "`input_shape` must"),
    ],
)
def test_mlp_and_autoencoders_refuse(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


SEQUENCE = "must be a sequence of positive integers. Received: "
NUMBER = "must be a positive integer. Received: "


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: mlp(4, [3], 2),
            f"`input_shape` {SEQUENCE}input_shape=4 (of type int). Write "
            "input_shape=[4].",
        ),
        (
            lambda: autoencoder((4,), hidden=3, code=2),
            f"`hidden` {SEQUENCE}hidden=3 (of type int). Write hidden=[3].",
        ),
        (
            lambda: convolutional_autoencoder((8, 8, 1), filters=8),
            f"`filters` {SEQUENCE}filters=8 (of type int). Write filters=[8].",
        ),
        (
            lambda: mlp((4,), [True], 2),
            f"`hidden` {SEQUENCE}hidden=[True] (of type list). It holds True "
            "(of type bool).",
        ),
        (
            lambda: mlp((4,), "34", 2),
            f"`hidden` {SEQUENCE}hidden='34' (of type str).",
        ),
        (
            lambda: logistic_regression(4),
            f"`input_shape` {SEQUENCE}input_shape=4 (of type int). Write "
            "input_shape=[4].",
        ),
        (
            lambda: lenet5(32),
            f"`input_shape` {SEQUENCE}input_shape=32 (of type int). Write "
            "input_shape=[32].",
        ),
        (
            lambda: mlp((4,), [3], None),
            f"`outputs` {NUMBER}outputs=None (of type NoneType).",
        ),
        (
            lambda: mlp((4,), [3], [2]),
            f"`outputs` {NUMBER}outputs=[2] (of type list). Write outputs=2.",
        ),
        (
            lambda: autoencoder((4,), [3], code=[2]),
            f"`code` {NUMBER}code=[2] (of type list). Write code=2.",
        ),
        (
            lambda: autoencoder((4,), [3], code=2.0),
            f"`code` {NUMBER}code=2.0 (of type float).",
        ),
        (
            lambda: autoencoder((4,), [3], code=True),
            f"`code` {NUMBER}code=True (of type bool).",
        ),
        (
            lambda: softmax_regression((4,), "3"),
            f"`classes` {NUMBER}classes='3' (of type str).",
        ),
        (
            lambda: language_model(7, units=[5]),
            f"`units` {NUMBER}units=[5] (of type list). Write units=5.",
        ),
        (
            lambda: language_model((7,)),
            f"`vocabulary` {NUMBER}vocabulary=(7,) (of type tuple). Write "
            "vocabulary=7.",
        ),
        (
            lambda: sequence_classifier(3, None),
            f"`classes` {NUMBER}classes=None (of type NoneType).",
        ),
    ],
)
def test_a_size_for_a_sequence_or_the_reverse_is_refused(build, message):
    with pytest.raises(ConfigError) as error:
        build()
    assert str(error.value) == message


def test_sizes_may_be_integers_of_numpy():
    one, two, eight = np.int64(1), np.int32(2), np.uint8(8)
    assert mlp(np.array([4, 2]), [one], two).count_params() == 9 + 4
    model = convolutional_autoencoder(
        (eight, eight, one), [two], [two], code=one, kernel_size=two
    )
    assert model.get_layer("encoder").output_shape == (None, 1)
    assert sequence_classifier(two, two, "gru", two, one).built
    assert language_model(eight, "gru", two, one, two).built
    assert lenet5((np.int64(16), 16, one), two).output_shape == (None, 2)
    assert softmax_regression((two,), two).count_params() == 6
