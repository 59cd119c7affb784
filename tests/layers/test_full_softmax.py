import keras
import numpy as np
import tensorflow as tf

from toolkit.layers import FullSoftmax

RNG = np.random.default_rng(0)
WORDS, SIZE = 6, 3
KERNEL = RNG.normal(size=(WORDS, SIZE)).astype("float32")


def objective(kernel=KERNEL):
    layer = FullSoftmax(len(kernel))
    layer.build([(None, kernel.shape[1]), (None,)])
    layer.kernel.assign(kernel)
    return layer


def test_losses_and_gradients_are_the_formula():
    vectors = RNG.normal(size=(20, SIZE))
    targets = RNG.permutation(np.arange(20) % WORDS)
    p = np.exp(vectors @ KERNEL.T)
    p /= p.sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(20), targets])
    pulls = (p - np.eye(WORDS)[targets]) / 20
    layer = objective()
    with tf.GradientTape() as tape:
        tape.watch(v := tf.constant(vectors, tf.float32))
        losses = layer((v, targets))
        total = layer.losses[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    kernel, slopes = tape.gradient(total, [layer.kernel.value, v])
    np.testing.assert_allclose(kernel, pulls.T @ vectors, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slopes, pulls @ KERNEL, rtol=1e-4, atol=1e-6)


def test_probabilities_are_those_of_the_losses_and_sum_to_1():
    layer = objective()
    vectors = RNG.normal(size=(2, 4, SIZE)).astype("float32")
    found = np.asarray(layer.probabilities(vectors))
    assert found.shape == (2, 4, WORDS)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        layer.scores(vectors), vectors @ KERNEL.T, rtol=1e-5, atol=1e-6
    )
    for word in range(WORDS):
        losses = layer((vectors, np.full((2, 4), word)))
        np.testing.assert_allclose(
            found[..., word], np.exp(-np.asarray(losses)), rtol=1e-5
        )


def test_it_learns_the_frequencies_of_words():
    vectors, targets = keras.Input((1,)), keras.Input((), dtype="int32")
    layer = FullSoftmax(WORDS)
    model = keras.Model([vectors, targets], layer([vectors, targets]))
    model.compile(keras.optimizers.Adam(0.3), jit_compile=False)
    words = np.repeat(np.arange(WORDS), [6, 3, 1, 2, 4, 8])
    x = [np.ones((24 * 150, 1), "float32"), np.tile(words, 150)]
    model.fit(x, batch_size=24, shuffle=False, verbose=0)
    found = layer.probabilities(np.ones((1, 1)))[0]
    np.testing.assert_allclose(found, np.bincount(words) / 24, atol=1e-3)


def test_large_scores_overflow_nothing():
    layer = objective(np.linspace(-1e4, 1e4, WORDS)[:, None])
    losses = layer((np.ones((WORDS, 1)), np.arange(WORDS)))
    assert np.isfinite(losses).all()
    assert np.isfinite(layer.probabilities(np.ones((1, 1)))).all()
