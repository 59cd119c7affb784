"""What the layers from vectors and words to losses share."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.layers import (
    FullSoftmax,
    HierarchicalSoftmax,
    NegativeSampling,
    SampledSoftmax,
)
from toolkit.testing import check_layer

COUNTS = [9, 4, 2, 2, 1]
LAYERS = {
    "negative_sampling": lambda **options: NegativeSampling(
        5, counts=COUNTS, seed=3, **options
    ),
    "hierarchical_softmax": lambda **options: HierarchicalSoftmax(
        5, counts=COUNTS, **options
    ),
    "sampled_softmax": lambda **options: SampledSoftmax(
        5, 3, counts=COUNTS, seed=3, use_bias=True, **options
    ),
    "full_softmax": lambda **options: FullSoftmax(5, **options),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
with_counts = pytest.mark.parametrize(
    "make", list(LAYERS.values())[:3], ids=list(LAYERS)[:3]
)
RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(2, 3, 4)).astype("float32")
TARGETS = np.array([[0, 1, 2], [3, 4, 1]])


def stirred(make, **options):
    return make(kernel_initializer=keras.initializers.RandomNormal(seed=1))


def skip_gram(layer):
    centre = keras.Input((), dtype="int32")
    context = keras.Input((), dtype="int32")
    vectors = keras.layers.Embedding(5, 4)(centre)
    return keras.Model([centre, context], layer([vectors, context]))


@every_layer
def test_padding_costs_nothing_and_does_not_count_in_the_mean(make):
    layer = stirred(make)
    whole = np.asarray(layer((VECTORS, TARGETS)))
    padded = np.where([[1, 1, 0], [1, 0, 1]], TARGETS, -1)
    kernel = layer.trainable_weights[0].value
    with tf.GradientTape() as tape:
        tape.watch(vectors := tf.constant(VECTORS))
        losses = layer((vectors, padded))
        total = layer.losses[0]
    valid = padded >= 0
    np.testing.assert_array_equal(losses, np.where(valid, whole, 0))
    np.testing.assert_allclose(total, whole[valid].mean(), rtol=1e-6)
    slopes, steps = tape.gradient(total, [vectors, kernel])
    assert not np.asarray(slopes)[~valid].any()
    assert np.asarray(slopes)[valid].all(axis=-1).all()
    with tf.GradientTape() as tape:
        short = tf.boolean_mask(layer((VECTORS, TARGETS)), valid)
        total = tf.reduce_mean(short)
    np.testing.assert_allclose(  # padding moves no row
        tf.convert_to_tensor(steps),
        tf.convert_to_tensor(tape.gradient(total, kernel)),
        rtol=1e-5,
        atol=1e-7,
    )
    layer((VECTORS, np.full((2, 3), -1)))
    assert layer.losses[0] == 0


@every_layer
def test_masks_are_padding(make):
    inputs = [VECTORS, TARGETS]
    valid = np.array([[1, 1, 0], [1, 0, 0]], bool)
    done = check_layer(
        make,
        inputs,
        mask=valid,
        **dict.fromkeys(
            ("shapes", "config", "saving", "inference", "fit", "jit"), False
        ),
        mixed_precision=False,
        gradients=False,
        fresh_process=False,
    )
    assert done == ("masks",)
    layer = stirred(make)
    masked = layer(inputs, mask=[valid, None])
    padded = layer([VECTORS, np.where(valid, TARGETS, -1)])
    np.testing.assert_array_equal(masked, padded)


@every_layer
def test_mask_of_an_embedding_reaches_it(make):
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    layer = stirred(make)
    embed = keras.layers.Embedding(5, 4, mask_zero=True)
    losses = layer([embed(ids), TARGETS])
    np.testing.assert_array_equal(np.asarray(losses) == 0, ids == 0)
    assert getattr(losses, "_keras_mask", None) is None


@every_layer
def test_model_compiled_without_a_loss_learns(make):
    keras.utils.set_random_seed(0)
    model = skip_gram(make())
    model.compile(keras.optimizers.Adam(0.1))
    pairs = [np.arange(500) % 5, (np.arange(500) + 1) % 5]
    first = model.evaluate(pairs, verbose=0)
    np.testing.assert_allclose(
        first, model.predict(pairs, verbose=0).mean(), rtol=1e-5
    )
    model.fit(pairs, epochs=8, verbose=0)
    assert model.evaluate(pairs, verbose=0) < 0.7 * first
    embedding, layer = model.layers[1], model.layers[-1]
    vectors = embedding(np.arange(5))
    rank = getattr(layer, "scores", getattr(layer, "probabilities", None))
    assert np.argmax(rank(vectors), axis=1).tolist() == [1, 2, 3, 4, 0]


@every_layer
def test_saved_and_loaded_it_goes_on_as_before(make, tmp_path):
    model = skip_gram(stirred(make))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    pairs = [np.arange(5), np.arange(5)[::-1].copy()]
    for one, two in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    for training in (False, True):
        np.testing.assert_array_equal(
            model(pairs, training=training), loaded(pairs, training=training)
        )
    loaded.compile("adam")
    loaded.fit(pairs, verbose=0)


@with_counts
def test_config_does_not_grow_with_the_counts(make):
    layer = make()
    layer.build([(None, 4), (None,)])
    config = json.dumps(keras.saving.serialize_keras_object(layer))
    assert '"counts": "weights"' in config
    again = type(layer).from_config(layer.get_config())
    again.build([(None, 4), (None,)])
    assert again.get_config() == layer.get_config()
    again.set_weights(layer.get_weights())
    inputs = (VECTORS, TARGETS)
    np.testing.assert_array_equal(
        layer(inputs, training=True), again(inputs, training=True)
    )


@with_counts
def test_copy_without_the_weights_is_not_trained_in_silence(make):
    model = skip_gram(make())
    clone = keras.models.clone_model(model)
    clone.compile("adam")
    pairs = [np.arange(5), np.arange(5)]
    with pytest.raises(ConfigError, match="in the weights.*Use set_weights"):
        clone.fit(pairs, verbose=0)
    clone.set_weights(model.get_weights())
    clone.compile("adam")
    clone.fit(pairs, verbose=0)


@every_layer
def test_mean_is_added_in_float32_under_mixed_precision(make):
    layer = make(dtype="mixed_bfloat16")
    losses = layer((VECTORS, TARGETS))
    assert losses.dtype == "bfloat16"
    assert layer.losses[0].dtype == "float32"
    assert layer.kernel.dtype == "float32"


@with_counts
def test_rows_are_picked_before_they_are_cast(make):
    """Otherwise every step would cast all words."""
    layer = make(dtype="mixed_bfloat16")
    layer.build([(None, 4), (None,)])
    call = tf.function(lambda *pair: layer(pair, training=True))
    call = call.get_concrete_function(
        tf.constant(VECTORS), tf.constant(TARGETS)
    )
    casts = [
        op.inputs[0] for op in call.graph.get_operations() if op.type == "Cast"
    ]
    assert casts
    assert all(tensor.shape != layer.kernel.shape for tensor in casts)


@every_layer
def test_float64_vectors_are_cast(make):
    layer = stirred(make)
    np.testing.assert_array_equal(
        layer((VECTORS.astype("float64"), TARGETS)), layer((VECTORS, TARGETS))
    )


@every_layer
def test_float_targets_are_refused_before_they_are_rounded(make):
    message = 'must be integers.*dtype="int32".*Received: float32'
    with pytest.raises(ConfigError, match=message):
        make()((VECTORS, TARGETS.astype("float32")))
    with pytest.raises(ConfigError, match=message):
        make()([keras.Input((4,)), keras.Input(())])


@every_layer
def test_symbolic_call(make):
    losses = make()(
        [keras.Input((None, 4)), keras.Input((None,), dtype="int64")]
    )
    assert losses.shape == (None, None)
    assert losses.dtype == "float32"


@every_layer
def test_vectors_alone_give_the_scores_of_all_words(make):
    layer = stirred(make)
    layer((VECTORS, TARGETS))
    scores = layer(VECTORS)
    assert scores.shape == (2, 3, 5)
    np.testing.assert_array_equal(scores, layer.scores(VECTORS))
    if not isinstance(layer, NegativeSampling):  # whose scores are no logits
        shares = np.asarray(layer.probabilities(VECTORS))
        found = np.exp(scores - np.logaddexp.reduce(scores, -1, keepdims=True))
        np.testing.assert_allclose(found, shares, rtol=1e-5)
        chosen = np.take_along_axis(shares, TARGETS[..., None], -1)[..., 0]
        losses = np.asarray(layer((VECTORS, TARGETS)))
        np.testing.assert_allclose(np.exp(-losses), chosen, rtol=1e-5)
    symbolic = make()(keras.Input((None, 4)))
    assert symbolic.shape == (None, None, 5)


@every_layer
def test_mask_of_vectors_goes_on_with_their_scores(make):
    embed = keras.layers.Embedding(5, 4, mask_zero=True)
    scores = make()(embed(np.array([[1, 2, 0]])))
    np.testing.assert_array_equal(scores._keras_mask, [[True, True, False]])


@every_layer
def test_shapes_that_do_not_fit_are_refused(make):
    with pytest.raises(ConfigError, match="a pair, .*Received: 3 input"):
        make()((VECTORS, TARGETS, TARGETS))
    with pytest.raises(ConfigError, match=r"axis, \(2, 3\). Received: \(2,\)"):
        make()((VECTORS, np.zeros(2, int)))
    with pytest.raises(ConfigError, match=r"axis, \(2, 3\).*\(2, 4\)"):
        make()((VECTORS, np.zeros((2, 4), int)))
    with pytest.raises(ConfigError, match="a size that is known"):
        make()([keras.Input((None,)), keras.Input((), dtype="int32")])


@every_layer
@pytest.mark.parametrize("target", [5, 100])
def test_word_that_does_not_exist_is_an_error(make, target):
    with pytest.raises(tf.errors.InvalidArgumentError, match=str(target)):
        make()((VECTORS, np.full((2, 3), target)))


@pytest.mark.parametrize(
    "kind", [NegativeSampling, HierarchicalSoftmax, FullSoftmax]
)
def test_vocabulary_size_is_checked(kind):
    for size in (1, 0, -3, 2.5, "5", True):
        with pytest.raises(ConfigError, match="`vocabulary_size` must be"):
            kind(size)


@pytest.mark.parametrize("kind", [NegativeSampling, HierarchicalSoftmax])
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], r"must be \(3,\).*Received: \(2,\)"),
        ([1, -1, 2], "at least 0. Received: -1 for word 1"),
        ([1, np.inf, 2], "finite"),
        ([0, 0, 0], "must not all be 0"),
        ("many", "must be numbers"),
        (7, "must be numbers"),
    ],
)
def test_counts_are_checked(kind, counts, message):
    with pytest.raises(ConfigError, match=message):
        kind(3, counts=counts)
