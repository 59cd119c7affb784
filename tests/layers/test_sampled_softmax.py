import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.layers import FullSoftmax, SampledSoftmax
from toolkit.training import with_carried_state

RNG = np.random.default_rng(0)
COUNTS = np.array([50, 20, 5, 0, 1, 24])
WORDS, SIZE, SAMPLED = len(COUNTS), 3, 4
KERNEL = RNG.normal(size=(WORDS, SIZE)).astype("float32")
BIAS = RNG.normal(size=WORDS).astype("float32")
CHANCES = np.where(COUNTS, COUNTS.astype(float) ** 0.75, 0)
CHANCES /= CHANCES.sum()


def objective(sampled=SAMPLED, seed=1, **options):
    layer = SampledSoftmax(
        WORDS, sampled, counts=COUNTS, use_bias=True, seed=seed, **options
    )
    layer.build([(None, SIZE), (None,)])
    layer.kernel.assign(KERNEL)
    layer.bias.assign(BIAS)
    return layer


def reference(vectors, targets, drawn):
    """Losses, and the gradients of their mean, one word after another."""
    kernel, bias = KERNEL.astype(float), BIAS.astype(float)
    losses = np.zeros(len(targets))
    to_kernel, to_bias = np.zeros_like(kernel), np.zeros(WORDS)
    to_vectors = np.zeros(vectors.shape)
    for i, (v, t) in enumerate(zip(vectors, targets, strict=True)):
        score = kernel @ v + bias
        terms = [(t, np.exp(score[t]))]
        terms += [
            (n, np.exp(score[n]) / (len(drawn) * CHANCES[n]))
            for n in drawn
            if n != t
        ]
        total = sum(size for _, size in terms)
        losses[i] = np.log(total) - score[t]
        for word, size in terms:
            pull = (size / total - (word == t and size == terms[0][1])) / len(
                targets
            )
            to_kernel[word] += pull * v
            to_bias[word] += pull
            to_vectors[i] += pull * kernel[word]
    return losses, to_kernel, to_bias, to_vectors


def test_losses_and_gradients_are_the_formula_for_the_same_draws():
    vectors = RNG.normal(size=(40, SIZE))
    targets = RNG.choice([0, 1, 2, 4, 5], 40)
    drawn = np.asarray(objective().draw((SAMPLED,), training=True))
    assert np.isin(targets, drawn).any()  # some are to be left out
    expected, to_kernel, to_bias, to_vectors = reference(
        vectors, targets, drawn
    )
    layer = objective()  # draws the same
    with tf.GradientTape() as tape:
        tape.watch(v := tf.constant(vectors, tf.float32))
        losses = layer((v, targets), training=True)
        total = layer.losses[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
    kernel, bias, slopes = tape.gradient(
        total, [layer.kernel.value, layer.bias.value, v]
    )
    assert isinstance(kernel, tf.IndexedSlices)
    assert isinstance(bias, tf.IndexedSlices)
    close = {"rtol": 1e-4, "atol": 1e-6}
    np.testing.assert_allclose(tf.convert_to_tensor(kernel), to_kernel, **close)
    np.testing.assert_allclose(tf.convert_to_tensor(bias), to_bias, **close)
    np.testing.assert_allclose(slopes, to_vectors, **close)


def test_sums_over_samples_are_right_on_average():
    layer = objective(SAMPLED)
    vectors = RNG.normal(size=(1, SIZE)).astype("float32")
    full = np.exp(vectors @ KERNEL.T + BIAS)[0] * (COUNTS > 0)
    sums = []
    call = tf.function(lambda: layer((vectors, np.array([0])), training=True))
    for _ in range(3000):
        own = np.exp(vectors[0] @ KERNEL[0] + BIAS[0])
        sums.append(np.exp(call()[0]) * own)
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - full.sum()) < 4 * error < 0.1 * full.sum()


def test_losses_of_inference_are_exact():
    layer = objective()
    full = FullSoftmax(WORDS, use_bias=True)
    full.build([(None, SIZE), (None,)])
    full.kernel.assign(KERNEL)
    full.bias.assign(BIAS)
    vectors = RNG.normal(size=(7, SIZE)).astype("float32")
    targets = RNG.integers(0, WORDS, 7)
    np.testing.assert_array_equal(
        layer((vectors, targets)), full((vectors, targets))
    )
    np.testing.assert_allclose(
        full.scores(vectors), vectors @ KERNEL.T + BIAS, rtol=1e-5
    )


def model_of(make):
    """A language model, and the one it is trained as."""
    tokens = keras.Input((None,), dtype="int32")
    targets = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(WORDS, SIZE, name="embedding")
    x = keras.layers.GRU(SIZE, return_sequences=True)(embedding(tokens))
    output = make(embedding)
    training = keras.Model([tokens, targets], output([x, targets]))
    return keras.Model(tokens, output(x)), training, output


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda one: FullSoftmax(WORDS, use_bias=True, tied_to=one),
            # Slow: 30 epochs of the class that SampledSoftmax is made of.
            marks=pytest.mark.slow,
            id="full",
        ),
        pytest.param(
            lambda one: SampledSoftmax(WORDS, 5, use_bias=True, tied_to=one),
            id="sampled",
        ),
    ],
)
def test_tied_it_has_the_vectors_of_the_embedding(make, tmp_path):
    keras.utils.set_random_seed(0)
    model, training, output = model_of(make)
    embedding = model.get_layer("embedding")
    assert model.count_params() - WORDS * (SIZE + 1) == sum(
        np.size(w) for w in model.layers[2].weights
    ) + sum(np.size(w) for w in output.non_trainable_weights)
    training.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    text = (np.arange(1201) % WORDS)[None]
    parts = [text[:, :-1].reshape(40, 30), text[:, 1:].reshape(40, 30)]
    before = embedding.get_weights()[0]
    training.fit(parts, epochs=30, verbose=0)
    assert (np.asarray(embedding.embeddings) != before).any()
    assert (model.predict(parts[0], verbose=0).argmax(-1) == parts[1])[
        :, 3:
    ].mean() > 0.95
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(parts[0]), model(parts[0]))
    assert loaded.count_params() == model.count_params()
    table = loaded.get_layer("embedding").embeddings
    table.assign(0 * table)  # moves the output too
    assert not np.ptp(loaded(parts[0]) - loaded.layers[-1].bias)
    twin = with_carried_state(model, 2)
    assert twin.count_params() == model.count_params()


def test_embedding_that_does_not_fit_is_refused():
    embedding = keras.layers.Embedding(WORDS, SIZE)
    layer = FullSoftmax(WORDS, tied_to=embedding)
    with pytest.raises(ConfigError, match="has no weights yet"):
        layer.build([(None, SIZE), (None,)])
    embedding.build((None,))
    with pytest.raises(ConfigError, match="must have the size 3.*Received: 5"):
        layer.build([(None, 5), (None,)])
    with pytest.raises(ConfigError, match="of 7 words.*has 6"):
        FullSoftmax(7, tied_to=embedding)
    with pytest.raises(ConfigError, match="must be a keras.layers.Embedding"):
        SampledSoftmax(7, tied_to=keras.layers.Dense(3))


@pytest.mark.parametrize("sampled", [0, 2.5, True])
def test_sample_that_is_none_is_refused(sampled):
    with pytest.raises(ConfigError, match="`sampled`.*use FullSoftmax"):
        SampledSoftmax(WORDS, sampled)
