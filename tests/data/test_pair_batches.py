"""Pairs as numbers, buckets of like length, and their batches."""

import itertools

import numpy as np
import pytest

from toolkit.data import (
    bucket_pairs,
    encode_pairs,
    evaluation_pair_batches,
    training_pair_batches,
)
from toolkit.errors import ConfigError, DataError
from toolkit.text import END, PAD, START, CharacterTokenizer, WordTokenizer

LETTERS = CharacterTokenizer("abcdefghij")
WORDS = WordTokenizer([f"w{i}" for i in range(400)])


def example(count=300, seed=0):
    """Pairs of like length; word `i` in the target tells which pair it is."""
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(count):
        length = int(rng.integers(1, 25))
        letters = rng.integers(0, 10, max(1, length + rng.integers(-2, 3)))
        source = "".join(chr(ord("a") + letter) for letter in letters)
        pairs.append((source, " ".join([f"w{i}"] * length)))
    return pairs


PAIRS = example()
ENCODED = encode_pairs(PAIRS, LETTERS, WORDS)


def batches(dataset):
    return list(dataset.as_numpy_iterator())


def check_rows(batch, pairs=PAIRS):
    """Checks a batch against its pairs; returns those that have weights."""
    inputs, targets, weights = batch
    assert set(inputs) == {"source", "target"}
    assert inputs["source"].dtype == targets.dtype == np.int32
    assert weights.dtype == np.float32
    assert inputs["target"].shape == targets.shape == weights.shape
    seen = []
    for source, target, out, weight in zip(
        inputs["source"], inputs["target"], targets, weights, strict=True
    ):
        number = int(WORDS.tokens([target[1]])[0][1:])
        read, written = (
            LETTERS.encode(pairs[number][0]),
            WORDS.encode(pairs[number][1]),
        )
        for row, expected in (
            (source, [*read, END]),
            (target, [START, *written]),
            (out, [*written, END]),
        ):
            rest = [PAD] * (len(row) - len(expected))
            assert row.tolist() == [*expected, *rest]
        if weight.any():
            assert weight.tolist() == (out != PAD).astype(int).tolist()
            seen.append(number)
    return seen


# Encoding


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_source_is_reversed_and_ended_as_asked(end, reverse):
    encoded = encode_pairs(
        [("abc", "w3 w1"), ("j", "")],
        LETTERS, WORDS, end_source=end, reverse_source=reverse,
    )  # fmt: skip
    ids = [6, 5, 4] if reverse else [4, 5, 6]
    tail = [END] if end else []
    assert encoded.source.tolist() == [*ids, *tail, 13, *tail]
    assert encoded.target.tolist() == [START, 7, 5, END, START, END]
    assert encoded.source_lengths.tolist() == [3 + end, 1 + end]
    assert encoded.target_lengths.tolist() == [3, 1]
    (batch,) = batches(evaluation_pair_batches(encoded, batch_size=2))
    assert batch[0]["source"].tolist() == [
        [*ids, *tail],
        [13, *tail, PAD, PAD],
    ]
    assert batch[0]["target"].tolist() == [[1, 7, 5], [1, 0, 0]]
    assert batch[1].tolist() == [[7, 5, 2], [2, 0, 0]]
    assert batch[2].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_long_pairs_are_dropped_and_counted():
    pairs = [("a", "w1 w2 w3"), ("abc", "w1"), ("ab", "w1 w2"), ("abcd", "w1")]
    encoded = encode_pairs(pairs, LETTERS, WORDS, max_length=2)
    assert len(encoded) == 1 and encoded.dropped == 3
    assert encoded.source.tolist() == [4, 5, END]
    assert len(encode_pairs(pairs, LETTERS, WORDS, max_length=3)) == 3
    assert len(encode_pairs(pairs, LETTERS, WORDS)) == 4
    summary = bucket_pairs(encoded, batch_size=1).summary()
    assert summary.endswith("; 3 with more than 2 tokens were dropped.")


@pytest.mark.parametrize(
    ("pairs", "settings", "error", "message"),
    [
        ([], {}, DataError, "no pairs to encode"),
        ([("abc", "w1"), ("a", "w1 w2")], {"max_length": 1}, DataError,
         "All 2 pairs are longer than max_length=1; .* has 2 tokens"),
        ([("a", "w1")], {"max_length": -1}, ConfigError, "max_length=-1"),
        ([("", "w1")], {"end_source": False}, DataError, "source '' has no"),
    ],
)  # fmt: skip
def test_pairs_that_cannot_be_encoded_are_refused(
    pairs, settings, error, message
):
    with pytest.raises(error, match=message):
        encode_pairs(pairs, LETTERS, WORDS, **settings)


# Buckets


def cost(some):
    """Positions of a bucket, each pair padded to the longest."""
    source, target = ENCODED.source_lengths[some], ENCODED.target_lengths[some]
    return len(some) * (source.max() + target.max())


def test_borders_are_those_with_the_least_padding():
    longest = np.maximum(ENCODED.source_lengths, ENCODED.target_lengths)
    levels = np.unique(longest)
    for count in (1, 2, 3, 4):
        found = bucket_pairs(ENCODED, batch_size=1, buckets=count)
        assert len(found.members) == count
        best = min(
            sum(
                cost(np.flatnonzero((longest >= low) & (longest < high)))
                for low, high in itertools.pairwise((1, *inner, 999))
            )
            for inner in itertools.combinations(levels[1:], count - 1)
        )
        assert sum(map(cost, found.members)) == best
        used = ENCODED.source_lengths.sum() + ENCODED.target_lengths.sum()
        assert found.padding == pytest.approx(1 - used / best)


def test_every_pair_is_in_one_bucket_that_holds_it():
    found = bucket_pairs(ENCODED, batch_size=16)
    assert len(found.shapes) == 8
    numbers = np.concatenate(found.members)
    assert sorted(numbers) == list(range(300))
    longest = np.maximum(ENCODED.source_lengths, ENCODED.target_lengths)
    borders = [(longest[m].min(), longest[m].max()) for m in found.members]
    for (_, high), (low, _) in itertools.pairwise(borders):
        assert high < low
    for some, (_, source, target) in zip(
        found.members, found.shapes, strict=True
    ):
        assert ENCODED.source_lengths[some].max() == source
        assert ENCODED.target_lengths[some].max() == target
    few = encode_pairs(PAIRS[:3], LETTERS, WORDS)
    assert len(bucket_pairs(few, batch_size=2).shapes) <= 3


def test_long_sequences_are_divided_too():
    lengths = np.random.default_rng(0).integers(1, 3000, 200)
    pairs = [("a" * n, "w1") for n in lengths]
    found = bucket_pairs(encode_pairs(pairs, LETTERS, WORDS), batch_size=4)
    assert len(found.shapes) == 8 and found.padding < 0.15
    assert found.shapes[-1][1] == lengths.max() + 1


def test_rows_follow_from_the_tokens_of_a_batch():
    found = bucket_pairs(ENCODED, tokens_per_batch=200)
    for some, (rows, *steps) in zip(found.members, found.shapes, strict=True):
        assert rows == min(200 // max(steps), len(some))
    for batch in batches(
        training_pair_batches(found, seed=0, steps=found.steps_per_epoch)
    ):
        assert batch[0]["source"].size <= 200 and batch[1].size <= 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "either `batch_size` or"),
        ({"batch_size": 1, "tokens_per_batch": 99}, "either `batch_size` or"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"tokens_per_batch": 0}, "tokens_per_batch=0"),
        ({"tokens_per_batch": 26}, "=26 does not hold .* has 27 steps"),
        ({"batch_size": 4, "buckets": 0}, "buckets=0"),
    ],
)
def test_wrong_settings_of_buckets_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        bucket_pairs(ENCODED, **settings)


# Batches


@pytest.mark.parametrize(
    "settings", [{"batch_size": 16}, {"tokens_per_batch": 300, "buckets": 3}]
)
def test_every_pair_counts_once_in_an_epoch(settings):
    found = bucket_pairs(ENCODED, **settings)
    steps = found.steps_per_epoch
    run = batches(training_pair_batches(found, seed=3, steps=2 * steps))
    epochs = run[:steps], run[steps:]
    orders = [[check_rows(batch) for batch in epoch] for epoch in epochs]
    for order in orders:
        assert sorted(itertools.chain(*order)) == list(range(300))
    shapes = {(*x["source"].shape, y.shape[1]) for x, y, _ in run}
    assert shapes == set(found.shapes) and len(shapes) <= 8
    positions = sum(x["source"].size + y.size for x, y, _ in epochs[0])
    used = sum(map(len, (ENCODED.source, ENCODED.target))) - len(ENCODED)
    assert found.padding == pytest.approx(1 - used / positions)
    # Another epoch mixes the pairs of a bucket and its batches anew.
    assert set(map(frozenset, orders[0])) != set(map(frozenset, orders[1]))
    widths = [[y.shape[1] for _, y, _ in epoch] for epoch in epochs]
    assert widths[0] != widths[1] and widths[0] != sorted(widths[0])


def test_batch_is_a_function_of_seed_and_step():
    found = bucket_pairs(ENCODED, batch_size=16)
    whole = batches(training_pair_batches(found, seed=5, steps=60))
    later = batches(training_pair_batches(found, seed=5, steps=20, start=33))
    for one, two in zip(later, whole[33:53], strict=True):
        assert check_rows(one) == check_rows(two)
        np.testing.assert_array_equal(one[0]["source"], two[0]["source"])
        np.testing.assert_array_equal(one[1], two[1])
        np.testing.assert_array_equal(one[2], two[2])
    other = batches(training_pair_batches(found, seed=6, steps=60))
    seen = [[check_rows(batch) for batch in run] for run in (whole, other)]
    assert seen[0] != seen[1]


def test_a_single_pair_is_an_epoch():
    pairs = encode_pairs(PAIRS[:1], LETTERS, WORDS)
    found = bucket_pairs(pairs, batch_size=32)
    assert found.steps_per_epoch == 1 and found.padding == 0
    run = batches(training_pair_batches(found, seed=0, steps=3))
    assert [check_rows(batch) for batch in run] == [[0]] * 3


def test_shapes_are_not_fixed_in_the_signature():
    found = bucket_pairs(ENCODED, batch_size=16)
    for dataset in (
        training_pair_batches(found, seed=0, steps=1),
        evaluation_pair_batches(ENCODED, batch_size=4),
    ):
        inputs, targets, weights = dataset.element_spec
        for spec in (inputs["source"], inputs["target"], targets, weights):
            assert spec.shape.as_list() == [None, None]


def test_evaluation_keeps_the_order():
    run = batches(evaluation_pair_batches(ENCODED, batch_size=7, shapes=4))
    assert [len(y) for _, y, _ in run] == [7] * 42 + [6]
    assert list(itertools.chain(*map(check_rows, run))) == list(range(300))
    assert len({x["source"].shape[1] for x, _, _ in run}) in (2, 3, 4)
    (whole,) = batches(evaluation_pair_batches(ENCODED, batch_size=999))
    assert whole[1].shape == (300, ENCODED.target_lengths.max())


@pytest.mark.parametrize("name", ["seed", "steps", "start"])
def test_negative_numbers_are_refused(name):
    found = bucket_pairs(ENCODED, batch_size=16)
    with pytest.raises(ConfigError, match=f"`{name}`.*{name}=-1"):
        training_pair_batches(found, **{"seed": 0, "steps": 1, name: -1})


def test_wrong_settings_of_evaluation_are_refused():
    for name in ("batch_size", "shapes"):
        with pytest.raises(ConfigError, match=f"`{name}`.*{name}=0"):
            evaluation_pair_batches(ENCODED, **{"batch_size": 1, name: 0})
