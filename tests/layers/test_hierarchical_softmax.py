import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.layers import HierarchicalSoftmax
from toolkit.layers.huffman_tree import huffman_tree

RNG = np.random.default_rng(0)
COUNTS = np.array([3, 40, 1, 0, 7, 7, 20])
WORDS, SIZE = len(COUNTS), 3
KERNEL = RNG.normal(size=(WORDS - 1, SIZE)).astype("float32")


def objective(counts=COUNTS, kernel=KERNEL):
    layer = HierarchicalSoftmax(len(kernel) + 1, counts)
    layer.build([(None, kernel.shape[1]), (None,)])
    layer.kernel.assign(kernel)
    return layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_losses_and_gradients_are_the_formula():
    vectors = RNG.normal(size=(20, SIZE))
    targets = RNG.permutation(np.arange(20) % WORDS)
    tree = huffman_tree(COUNTS)
    expected = np.zeros(20)
    to_kernel, to_vectors = np.zeros(KERNEL.shape), np.zeros(vectors.shape)
    for i, (v, t) in enumerate(zip(vectors, targets, strict=True)):
        for place in range(tree.lengths[t]):
            point, code = tree.points[t, place], tree.codes[t, place]
            p = sigmoid(KERNEL[point] @ v)  # as word2vec.c: label 1 - code
            expected[i] -= np.log(1 - p if code else p)
            to_kernel[point] += (p - (1 - code)) * v / 20
            to_vectors[i] += (p - (1 - code)) * KERNEL[point] / 20
    layer = objective()
    with tf.GradientTape() as tape:
        tape.watch(v := tf.constant(vectors, tf.float32))
        losses = layer((v, targets))
        total = layer.losses[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    kernel, slopes = tape.gradient(total, [layer.kernel.value, v])
    assert isinstance(kernel, tf.IndexedSlices)
    found = tf.convert_to_tensor(kernel)
    np.testing.assert_allclose(found, to_kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slopes, to_vectors, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("counts", [COUNTS, None])
def test_probabilities_are_those_of_the_losses_and_sum_to_1(counts):
    layer = objective(counts)
    vectors = RNG.normal(size=(2, 4, SIZE)).astype("float32")
    found = np.asarray(layer.probabilities(vectors))
    assert found.shape == (2, 4, WORDS)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=0, atol=1e-6)
    for word in range(WORDS):
        losses = layer((vectors, np.full((2, 4), word)))
        np.testing.assert_allclose(
            found[..., word], np.exp(-np.asarray(losses)), rtol=1e-5
        )


def test_probabilities_of_many_words_sum_to_1():
    kernel = RNG.normal(size=(4999, 8)).astype("float32")
    layer = objective(10**6 // np.arange(1, 5001), kernel)
    sums = np.sum(layer.probabilities(RNG.normal(size=(3, 8))), axis=-1)
    np.testing.assert_allclose(sums, 1, rtol=0, atol=1e-6)


def test_kernel_of_zeros_gives_a_half_for_every_decision():
    layer = objective(kernel=np.zeros_like(KERNEL))
    found = layer.probabilities(np.ones((1, SIZE)))[0]
    np.testing.assert_allclose(found, 0.5 ** huffman_tree(COUNTS).lengths)
    assert layer.depth == 6


def test_it_learns_the_frequencies_of_words():
    vectors, targets = keras.Input((1,)), keras.Input((), dtype="int32")
    layer = HierarchicalSoftmax(WORDS, COUNTS)
    model = keras.Model([vectors, targets], layer([vectors, targets]))
    model.compile(keras.optimizers.Adam(0.3), jit_compile=False)
    words = np.repeat(np.arange(WORDS), [6, 3, 1, 2, 4, 3, 5])
    x = [np.ones((24 * 150, 1), "float32"), np.tile(words, 150)]
    model.fit(x, batch_size=24, shuffle=False, verbose=0)
    found = layer.probabilities(np.ones((1, 1)))[0]
    np.testing.assert_allclose(found, np.bincount(words) / 24, atol=1e-3)


def test_large_scores_overflow_nothing():
    layer = objective(kernel=np.full_like(KERNEL, 1e4))
    losses = layer((np.ones((WORDS, SIZE)), np.arange(WORDS)))
    assert np.isfinite(losses).all()


def test_tree_without_weights_is_refused():
    config = objective().get_config()
    assert config["depth"] == 6
    again = HierarchicalSoftmax.from_config(config)
    again.build([(None, SIZE), (None,)])
    with pytest.raises(ConfigError, match="the tree is in the weights"):
        again.probabilities(np.ones((1, SIZE)))
    again.set_weights(objective().get_weights())
    np.testing.assert_array_equal(
        again.probabilities(np.ones((1, SIZE))),
        objective().probabilities(np.ones((1, SIZE))),
    )


def test_depth_goes_with_a_config_only():
    with pytest.raises(ConfigError, match="Leave it out. Received: depth=3"):
        HierarchicalSoftmax(5, [1, 2, 3, 4, 5], depth=3)
    for depth in (None, 0, 2.0):
        with pytest.raises(ConfigError, match="`depth` goes with it"):
            HierarchicalSoftmax(5, "weights", depth=depth)
