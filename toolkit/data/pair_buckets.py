"""Which pairs of like length go into batches of one shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.data.encoded_pairs import EncodedPairs
from toolkit.errors import ConfigError
from toolkit.whole_numbers import check_whole

LEVELS = 512  # lengths that are told apart when buckets are sought


@dataclass(frozen=True)
class PairBuckets:
    """Pairs by length; a batch is filled from one bucket.

    Attributes:
        pairs: what is batched.
        shapes: of each bucket the rows of a batch, steps of its sources and
            steps of its targets.
        members: for each bucket the numbers of its pairs, int64.
        padding: share of the positions of an epoch, of source and target
            together, that hold nothing that counts, in [0, 1).
    """

    pairs: EncodedPairs
    shapes: tuple[tuple[int, int, int], ...]
    members: tuple[np.ndarray, ...]
    padding: float

    @property
    def batches(self) -> tuple[int, ...]:
        """How many batches of each bucket an epoch has."""
        return tuple(
            -(-len(some) // rows)
            for some, (rows, _, _) in zip(
                self.members, self.shapes, strict=True
            )
        )

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return sum(self.batches)

    def summary(self) -> str:
        """Returns a line for a log."""
        dropped = (
            f"; {self.pairs.dropped:,} with more than "
            f"{self.pairs.max_length} tokens were dropped"
            if self.pairs.max_length
            else ""
        )
        return (
            f"{len(self.pairs):,} pairs in {self.steps_per_epoch:,} batches of "
            f"{len(self.shapes)} shapes, {self.padding:.1%} padding{dropped}."
        )


def bucket_pairs(
    pairs: EncodedPairs,
    *,
    batch_size: int | None = None,
    tokens_per_batch: int | None = None,
    buckets: int = 8,
) -> PairBuckets:
    """Sorts pairs into buckets by the length of their longer side.

    A bucket holds the pairs whose longer side has from `a` to `b` steps; all
    its batches are as long as its longest source and its longest target. The
    borders are those with the least padding, found by dynamic programming, so
    more buckets never have more of it (but for the last batch of each bucket,
    which is filled up with rows that do not count).

    Args:
        pairs: of `encode_pairs`.
        batch_size: rows of a batch, fewer where a bucket has fewer pairs.
        tokens_per_batch: instead: rows times the steps of the longer side, at
            most; padding is counted too.
        buckets: how many at most; each is one more shape that `tf.function`
            traces.

    Raises:
        ConfigError: not one of `batch_size` and `tokens_per_batch`, a number
            below 1, or fewer tokens than the longest pair has.

    Example:
    >>> from toolkit.data import bucket_pairs, encode_pairs
    >>> from toolkit.text import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer("a")
    >>> pairs = [("a" * n, "a") for n in (1, 2, 2, 8, 9)]
    >>> found = bucket_pairs(encode_pairs(pairs, tokenizer, tokenizer),
    ...     tokens_per_batch=20, buckets=2)
    >>> found.shapes
    ((3, 3, 2), (2, 10, 2))
    >>> found.summary()
    '5 pairs in 2 batches of 2 shapes, 5.1% padding.'
    """
    if (batch_size is None) == (tokens_per_batch is None):
        raise ConfigError(
            "Give either `batch_size` or `tokens_per_batch`. Received: "
            f"batch_size={batch_size}, tokens_per_batch={tokens_per_batch}."
        )
    for name, value in (
        ("batch_size", batch_size),
        ("tokens_per_batch", tokens_per_batch),
        ("buckets", buckets),
    ):
        if value is not None:
            check_whole(name, value, 1)
    source, target = pairs.source_lengths, pairs.target_lengths
    longest = np.maximum(source, target)
    if tokens_per_batch is not None and tokens_per_batch < longest.max():
        raise ConfigError(
            f"tokens_per_batch={tokens_per_batch} does not hold the longest "
            f"pair, which has {longest.max()} steps. Give more, or a smaller "
            "max_length."
        )
    members = _divide(source, target, longest, buckets)
    shapes = []
    for some in members:
        steps = int(source[some].max()), int(target[some].max())
        rows = batch_size or tokens_per_batch // max(steps)
        shapes.append((min(rows, len(some)), *steps))
    found = PairBuckets(pairs, tuple(shapes), members, 0.0)
    positions = sum(
        count * rows * (first + second)
        for count, (rows, first, second) in zip(
            found.batches, shapes, strict=True
        )
    )
    used = int(source.sum() + target.sum())
    return PairBuckets(pairs, tuple(shapes), members, 1 - used / positions)


def _divide(
    source: np.ndarray, target: np.ndarray, longest: np.ndarray, buckets: int
) -> tuple[np.ndarray, ...]:
    """Returns the numbers of the pairs of each bucket, the shortest first."""
    width = -(-int(longest.max()) // LEVELS)
    _, level = np.unique(-(-longest // width), return_inverse=True)
    levels = int(level.max()) + 1
    count = np.cumsum([0, *np.bincount(level)])
    first, second = np.zeros((2, levels), np.int64)
    np.maximum.at(first, level, source)
    np.maximum.at(second, level, target)
    # cost[i, j]: positions of a bucket of the levels i to j.
    cost = np.full((levels, levels), np.iinfo(np.int64).max // 4)
    for i in range(levels):
        steps = np.maximum.accumulate(first[i:])
        steps += np.maximum.accumulate(second[i:])
        cost[i, i:] = (count[i + 1 :] - count[i]) * steps
    # best[j]: positions of the levels up to j; begins[k][j]: where the last
    # of k + 1 buckets begins then.
    best, begins = cost[0], [np.zeros(levels, np.int64)]
    for _ in range(min(buckets, levels) - 1):
        before = np.concatenate([[cost[-1, 0]], best[:-1]])
        sums = before[:, None] + cost
        begins.append(sums.argmin(axis=0))
        best = sums.min(axis=0)
    members, end = [], levels
    for begin in reversed(begins):
        at = int(begin[end - 1])
        members.append(np.flatnonzero((level >= at) & (level < end)))
        end = at
    return tuple(members[::-1])
