"""The skip-gram model as a Keras model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.contracts import TEXTS
from toolkit.data import text_block_batches
from toolkit.errors import ConfigError
from toolkit.models import skip_gram
from toolkit.models.skip_gram_model import (
    OBJECTIVES,
    SkipGram,
    is_plain_sgd,
)

TOPICS, EACH = 4, 10
WORDS = TOPICS * EACH
RNG = np.random.default_rng(0)
# Sentences of ten words, each of one topic.
TEXT = np.concatenate(
    [
        [*(topic * EACH + RNG.integers(0, EACH, 10)), -1]
        for topic in RNG.integers(0, TOPICS, 3000)
    ]
).astype(np.int32)
COUNTS = np.bincount(TEXT[TEXT >= 0], minlength=WORDS)
BLOCK = 4096


def fitted(
    objective="negative_sampling",
    optimizer=None,
    epochs=3,
    block=BLOCK,
    seed=0,
    callbacks=(),
    fast=None,
    **options,
):
    """A model, trained on the text."""
    model = skip_gram(
        COUNTS, 16, objective, sample=0, window=3, seed=seed, **options
    )
    model.compile(optimizer, fast=fast)
    return fit(model, epochs, block, seed, callbacks)


def fit(model, epochs=3, block=BLOCK, seed=0, callbacks=()):
    steps = -(-len(TEXT) // block)
    model.fit(
        text_block_batches(TEXT, block=block, steps=steps * epochs, seed=seed),
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )
    return model


def vectors_of(model):
    return model(np.arange(WORDS)).numpy()


def topics_right(model):
    """Share of words whose nearest word has their topic."""
    found = vectors_of(model)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    scores = found @ found.T - 2 * np.eye(WORDS)
    return np.mean(scores.argmax(1) // EACH == np.arange(WORDS) // EACH)


def test_the_golden_instance_trains():
    model = TEXTS["skip_gram"]()
    model.compile()
    before = model.get_weights()
    model.fit(
        text_block_batches(np.arange(2048) % 4, block=1024, steps=2),
        shuffle=False,
        verbose=0,
    )
    for old, weight in zip(before, model.weights, strict=True):
        same = np.array_equal(old, weight.numpy())
        assert same != weight.trainable, weight.path


# Slow for the others: a training more of each. Steps of every objective are
# compared exactly in tests/training/test_skip_gram_steps.py.
FEW_OBJECTIVES = pytest.mark.parametrize(
    "trained",
    [
        name
        if name == "negative_sampling"
        else pytest.param(name, marks=pytest.mark.slow)
        for name in OBJECTIVES
    ],
    indirect=True,
)


@pytest.fixture(scope="module", params=OBJECTIVES)
def trained(request):
    """A model of each objective."""
    return fitted(request.param)


def test_arrays_without_blocks_of_one_size_are_refused():
    model = skip_gram(COUNTS, 4)
    model.compile()
    with pytest.raises(ConfigError, match="all of one size.*text_block_batch"):
        model.fit(TEXT, batch_size=512, verbose=0)
    with pytest.raises(ConfigError, match="all of one size"):
        model.evaluate(TEXT, batch_size=512, verbose=0)


def test_words_of_a_topic_come_together(trained):
    assert topics_right(trained) > 0.95
    untrained = skip_gram(COUNTS, 16, trained.objective)
    assert topics_right(untrained) < 0.6


@FEW_OBJECTIVES
def test_the_ordinary_path_reaches_what_the_fast_one_does(trained):
    # Every pair turns at the root of the tree: smaller sums there.
    block = 64 if trained.objective == "hierarchical_softmax" else 256
    slow = fitted(
        trained.objective, keras.optimizers.SGD(0.025), fast=False, block=block
    )
    assert topics_right(slow) > 0.95
    blocks = text_block_batches(TEXT, block=BLOCK, steps=4)
    losses = [model.evaluate(blocks, verbose=0) for model in (trained, slow)]
    assert losses[0] == pytest.approx(losses[1], rel=0.12)


def test_any_optimizer_trains():
    model = fitted(optimizer=keras.optimizers.Adam(0.02), block=256, epochs=2)
    assert topics_right(model) > 0.95


def test_both_paths_make_the_same_small_step():
    # With a tiny rate all gradients are those at the start.
    def moved(fast):
        model = skip_gram(COUNTS, 8, "softmax", sample=0, workers=1)
        model.objective_layer.kernel.assign(
            np.random.default_rng(1).normal(size=(WORDS, 8))
        )
        before = vectors_of(model)
        model.compile(keras.optimizers.SGD(1e-6), fast=fast)
        fit(model, 1, len(TEXT))
        return vectors_of(model) - before

    fast, slow = moved(True), moved(False)
    np.testing.assert_allclose(fast, slow, atol=0.02 * np.abs(slow).max())


@FEW_OBJECTIVES
def test_one_seed_gives_one_result(trained):
    again = fitted(trained.objective)
    np.testing.assert_array_equal(vectors_of(again), vectors_of(trained))
    if trained.objective == "negative_sampling":
        other = fitted(seed=1)
        assert not np.allclose(vectors_of(other), vectors_of(trained))


def test_logs_callbacks_and_evaluation_work():
    seen = []
    schedule = keras.optimizers.schedules.PolynomialDecay(0.05, 24, 0.01)
    model = fitted(
        optimizer=keras.optimizers.SGD(schedule),
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: seen.append(logs["loss"])
            )
        ],
    )
    assert len(seen) == 3 and seen[2] < seen[0]
    assert int(model.optimizer.iterations) == 27
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    blocks = text_block_batches(TEXT, block=BLOCK, steps=2)
    first = model.evaluate(blocks, verbose=0)
    assert first == model.evaluate(blocks, verbose=0)
    # The last epoch's mean was taken while the model got better.
    assert first == pytest.approx(seen[2], rel=0.2)


@FEW_OBJECTIVES  # each is compiled once more; the contract saves and loads all
def test_a_loaded_model_goes_on_as_the_saved_one(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(vectors_of(loaded), vectors_of(trained))
    assert loaded.get_config() == trained.get_config()
    assert (tmp_path / "model.keras").stat().st_size < 100_000
    ends = []
    for model in (loaded, keras.models.load_model(tmp_path / "model.keras")):
        assert int(model.optimizer.iterations) == 27
        ends.append(vectors_of(fit(model, 1)))
    np.testing.assert_array_equal(*ends)
    assert not np.array_equal(ends[0], vectors_of(trained))


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_learns(workers):
    assert topics_right(fitted(workers=workers)) > 0.8


def test_blocks_are_smaller_where_every_pair_meets_at_the_root():
    sizes = {
        objective: skip_gram(COUNTS, 4, objective).block_words
        for objective in OBJECTIVES
    }
    assert sizes.pop("hierarchical_softmax") == 8_192
    assert set(sizes.values()) == {65_536}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"negative": 0}, "negative=0.*hierarchical_softmax"),
        ({"negative": 2.5}, "`negative` must be a whole number"),
        ({"window": 0}, "`window` must be a positive integer"),
        ({"vector_size": 0}, "`vector_size` must be a positive integer"),
        ({"workers": 0}, "`workers` must be a positive integer"),
        ({"sample": -1}, "`sample` must be a finite number, at least 0"),
        ({"ns_exponent": float("nan")}, "`ns_exponent` must be a finite"),
        ({"objective": "sampling"}, 'Unknown objective "sampling".*negative_'),
    ],
)
def test_arguments_out_of_range_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        skip_gram(COUNTS, **options)


@pytest.mark.parametrize(
    "counts", [[3], [[1, 2]], [1, -1], [0, 0], []], ids=str
)
def test_counts_must_be_counts(counts):
    with pytest.raises(ConfigError, match="`counts` must"):
        skip_gram(counts)


def test_compile_refuses_what_has_no_meaning():
    model = skip_gram(COUNTS, 4)
    with pytest.raises(ConfigError, match="has its own loss"):
        model.compile(loss="mse")
    with pytest.raises(ConfigError, match="plain SGD only.*Adam"):
        model.compile("adam", fast=True)
    with pytest.raises(ConfigError, match="`jit_compile=True` cannot"):
        model.compile(jit_compile=True)


def test_other_inputs_than_blocks_are_refused():
    model = skip_gram(COUNTS, 4)
    model.compile()
    pairs = np.zeros((4, 2), np.int32)
    with pytest.raises(ConfigError, match="blocks of word numbers"):
        model.train_on_batch(pairs)
    with pytest.raises(ConfigError, match="blocks of word numbers"):
        model.train_on_batch(pairs[:, 0], pairs[:, 1])


def test_only_plain_sgd_is_plain():
    class Mine(keras.optimizers.SGD):
        pass

    assert is_plain_sgd(keras.optimizers.SGD(0.1))
    for optimizer in (
        keras.optimizers.SGD(momentum=0.9),
        keras.optimizers.SGD(weight_decay=0.1),
        keras.optimizers.SGD(clipnorm=1.0),
        keras.optimizers.SGD(clipvalue=1.0),
        keras.optimizers.SGD(global_clipnorm=1.0),
        keras.optimizers.SGD(use_ema=True),
        keras.optimizers.SGD(gradient_accumulation_steps=2),
        keras.optimizers.Adam(),
        Mine(),
    ):
        assert not is_plain_sgd(optimizer), optimizer.get_config()


def test_a_block_of_separators_changes_nothing():
    model = skip_gram(COUNTS, 4, seed=1)
    model.compile()
    before = vectors_of(model)
    empty = tf.data.Dataset.from_tensors(tf.fill([2048], -1))
    loss = model.fit(empty, verbose=0, shuffle=False).history["loss"]
    np.testing.assert_array_equal(vectors_of(model), before)
    assert loss == [0.0]


def test_config_makes_the_same_model():
    model = skip_gram(COUNTS, 4, "hierarchical_softmax", window=2, seed=5)
    again = SkipGram.from_config(model.get_config())
    again.build()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(vectors_of(again), vectors_of(model))
