import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare

from toolkit.errors import ConfigError
from toolkit.layers import NegativeSampling

RNG = np.random.default_rng(0)
COUNTS = np.array([50, 20, 5, 0, 1, 24])
SIZE, NEGATIVE = 3, 4
KERNEL = RNG.normal(size=(len(COUNTS), SIZE)).astype("float32")


def objective(**options):
    options = {"negative": NEGATIVE, "counts": COUNTS, "seed": 1, **options}
    layer = NegativeSampling(len(COUNTS), **options)
    layer.build([(None, SIZE), (None,)])
    layer.kernel.assign(KERNEL)
    return layer


def probabilities(exponent=0.75):
    weights = np.where(COUNTS, COUNTS.astype(float) ** exponent, 0)
    return weights / weights.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(vectors, targets, negatives):
    """Losses, and the gradients of their mean, one word after another."""
    kernel = KERNEL.astype("float64")
    losses = np.zeros(len(targets))
    to_kernel, to_vectors = np.zeros_like(kernel), np.zeros(vectors.shape)
    for i, (v, t) in enumerate(zip(vectors, targets, strict=True)):
        words = [(t, 1.0), *((n, 0.0) for n in negatives[i] if n != t)]
        for word, label in words:
            p = sigmoid(kernel[word] @ v)
            losses[i] -= np.log(p if label else 1 - p)
            to_kernel[word] += (p - label) * v / len(targets)
            to_vectors[i] += (p - label) * kernel[word] / len(targets)
    return losses, to_kernel, to_vectors


def test_losses_and_gradients_are_the_formula_for_the_same_draws():
    layer = objective()
    vectors = RNG.normal(size=(40, SIZE))
    targets = RNG.integers(0, len(COUNTS), 40)
    negatives = np.asarray(layer.draw((40, NEGATIVE)))
    assert (negatives == targets[:, None]).any()  # some are to be skipped
    expected, to_kernel, to_vectors = reference(vectors, targets, negatives)
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


def test_negatives_belong_to_their_place():
    layer = objective()
    vectors = RNG.normal(size=(2, 5, 3, SIZE)).astype("float32")
    targets = RNG.integers(0, len(COUNTS), (2, 5, 3))
    negatives = np.asarray(layer.draw((2, 5, 3, NEGATIVE)))
    losses = layer((vectors, targets))
    expected, _, _ = reference(
        vectors.reshape(-1, SIZE),
        targets.reshape(-1),
        negatives.reshape(-1, NEGATIVE),
    )
    np.testing.assert_allclose(
        np.asarray(losses).reshape(-1), expected, rtol=1e-5
    )


@pytest.mark.parametrize("target", range(len(COUNTS)))
def test_mean_loss_is_that_of_all_words_by_their_probability(target):
    draws = 20_000
    vector = np.array([0.7, -1.2, 0.4])
    layer = objective()
    losses = np.asarray(
        layer(
            (np.tile(vector, (draws, 1)), np.full(draws, target)),
            training=True,
        )
    ).astype("float64")
    scores = KERNEL @ vector
    share = probabilities() * (np.arange(len(COUNTS)) != target)
    away = np.log1p(np.exp(scores))
    mean = NEGATIVE * share @ away
    variance = NEGATIVE * (share @ away**2 - (share @ away) ** 2)
    expected = np.log1p(np.exp(-scores[target])) + mean
    # Four standard errors; by chance, one seed in 16,000 would fail.
    error = np.sqrt(variance / draws)
    assert abs(losses.mean() - expected) < 4 * error
    assert abs(losses.std() ** 2 / variance - 1) < 0.1


def test_mean_gradient_is_that_of_all_words_by_their_probability():
    draws, target = 20_000, 1
    vector = np.array([0.7, -1.2, 0.4])
    layer = objective()
    with tf.GradientTape() as tape:
        tape.watch(v := tf.constant(vector, tf.float32))
        layer(
            (tf.tile(v[None], (draws, 1)), tf.fill((draws,), target)),
            training=True,
        )
        total = layer.losses[0]
    found, slope = tape.gradient(total, [layer.kernel.value, v])
    found = np.asarray(tf.convert_to_tensor(found))
    p = sigmoid(KERNEL @ vector)
    share = probabilities() * (np.arange(len(COUNTS)) != target)
    pulls = NEGATIVE * share * p - (np.arange(len(COUNTS)) == target) * (1 - p)
    errors = np.sqrt(NEGATIVE * share * (1 - share) / draws) * p
    # Four standard errors, and what float32 loses in so long a sum.
    gaps = np.abs(found - pulls[:, None] * vector)
    assert (gaps <= 4 * errors[:, None] * np.abs(vector) + 2e-4).all()
    # The slopes of a vector add up independent draws, at most this uncertain:
    limit = 4 * np.linalg.norm(errors[:, None] * KERNEL, axis=0)
    assert (np.abs(slope - pulls @ KERNEL) <= limit + 2e-4).all()


@pytest.mark.parametrize("exponent", [0.75, 1.0, 0.0, 0.3])
@pytest.mark.parametrize("training", [True, False])
def test_draws_follow_the_counts_to_the_exponent(exponent, training):
    layer = objective(ns_exponent=exponent)
    drawn = np.asarray(layer.draw((100_000,), training))
    found = np.bincount(drawn, minlength=len(COUNTS))
    expected = COUNTS.astype(float) ** exponent
    if exponent:
        assert not found[3]  # a word that never occurs
        found, expected = np.delete(found, 3), np.delete(expected, 3)
    expected *= found.sum() / expected.sum()
    assert chisquare(found, expected).pvalue > 0.001


def test_exponent_below_0_favours_rare_words():
    layer = NegativeSampling(3, counts=[9, 4, 1], ns_exponent=-0.5, seed=0)
    layer.build([(None, SIZE), (None,)])
    found = np.bincount(layer.draw((60_000,), training=True), minlength=3)
    expected = np.array([2, 3, 6]) * 60_000 / 11
    assert chisquare(found, expected).pvalue > 0.001


def test_without_counts_all_words_are_drawn_equally_often():
    layer = NegativeSampling(7, seed=0)
    layer.build([(None, SIZE), (None,)])
    found = np.bincount(layer.draw((70_000,), training=True), minlength=7)
    assert chisquare(found).pvalue > 0.001


def test_extreme_exponents_do_not_overflow():
    counts = [10**18, 10**9, 1]
    for exponent, word in ((1000.0, 0), (-1000.0, 2)):
        layer = NegativeSampling(3, counts=counts, ns_exponent=exponent)
        layer.build([(None, SIZE), (None,)])
        assert set(np.asarray(layer.draw((1000,)))) == {word}


def test_loaded_layer_draws_from_the_same_distribution(tmp_path):
    vectors, targets = keras.Input((SIZE,)), keras.Input((), dtype="int32")
    layer = objective()
    model = keras.Model([vectors, targets], layer([vectors, targets]))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras").layers[-1]
    drawn = np.asarray(loaded.draw((100_000,), training=True))
    found = np.delete(np.bincount(drawn, minlength=len(COUNTS)), 3)
    expected = np.delete(probabilities(), 3) * 100_000
    assert found.sum() == 100_000
    assert chisquare(found, expected).pvalue > 0.001


def test_draws_are_new_in_training_and_the_same_otherwise():
    inputs = (RNG.normal(size=(50, SIZE)), RNG.integers(0, 6, 50))
    layer = objective()
    first, second = (np.asarray(layer(inputs, training=True)) for _ in "ab")
    assert (first != second).any()
    again = objective()
    np.testing.assert_array_equal(again(inputs, training=True), first)
    np.testing.assert_array_equal(again(inputs, training=True), second)
    other = objective(seed=2)
    assert (np.asarray(other(inputs, training=True)) != first).any()
    still = np.asarray(layer(inputs))
    np.testing.assert_array_equal(other(inputs), still)
    np.testing.assert_array_equal(layer(inputs, training=False), still)


def test_same_seed_trains_the_same():
    def losses(seed):
        keras.utils.set_random_seed(0)
        vectors, targets = keras.Input((SIZE,)), keras.Input((), dtype="int32")
        layer = NegativeSampling(6, counts=COUNTS, seed=seed)
        model = keras.Model([vectors, targets], layer([vectors, targets]))
        model.compile("sgd")
        x = [np.ones((64, SIZE), "float32"), np.arange(64) % 6]
        return model.fit(x, epochs=2, verbose=0).history["loss"]

    assert losses(1) == losses(1) != losses(2)


def test_state_of_the_draws_is_a_variable_of_the_model():
    layer = objective()
    layer.draw((2,), training=True)
    state = layer.seed_generator.state
    assert any(state is variable for variable in layer.variables)
    assert np.asarray(state).tolist() == [1, 2]


def test_large_scores_overflow_nothing():
    layer = objective()
    for scale in (1e4, -1e4):
        layer.kernel.assign(np.full(KERNEL.shape, scale))
        losses = layer((np.ones((6, SIZE)), np.arange(6)))
        assert np.isfinite(losses).all()


def test_scores_are_products():
    vectors = RNG.normal(size=(2, 3, SIZE)).astype("float32")
    np.testing.assert_allclose(
        objective().scores(vectors), vectors @ KERNEL.T, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("negative", [0, -1, 2.5, True, None])
def test_number_of_negatives_is_checked(negative):
    message = "`negative` must be.*use HierarchicalSoftmax or FullSoftmax"
    with pytest.raises(ConfigError, match=message):
        NegativeSampling(6, negative)


@pytest.mark.parametrize("exponent", [np.nan, np.inf, "1", None])
def test_exponent_is_checked(exponent):
    with pytest.raises(ConfigError, match="`ns_exponent` must be a finite"):
        NegativeSampling(6, ns_exponent=exponent)


def test_exponent_below_0_refuses_words_that_never_occur():
    with pytest.raises(ConfigError, match=r"ns_exponent=-1 and counts\[3\]=0"):
        NegativeSampling(6, counts=COUNTS, ns_exponent=-1)
