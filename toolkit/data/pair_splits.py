"""Splits of sentence pairs that share no sentence."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from toolkit.errors import ConfigError, DataError, unknown
from toolkit.whole_numbers import check_whole

Pair = tuple[str, str]
DISTINCT = ("target", "source", "both")
MOST, SHARE = 1_000, 0.05  # pairs set apart unless something else is said


def take_apart(
    pairs: Sequence[Pair], wanted: dict[str, int | None], distinct: str
) -> dict[str, list[Pair]]:
    """Sets parts of the pairs aside; no part shares a sentence with another.

    All pairs with one sentence stay together. Their part depends on the hash
    of the sentence, not on the order of the pairs, so a part has as many
    pairs as wanted, or the few more that the last sentence brings.

    Args:
        pairs: all there are.
        wanted: how many pairs by the name of a part; None for 1,000 or 5 %,
            whichever is less.
        distinct: the side whose sentences stay together: `target`, `source`,
            or `both`, which leaves no sentence of either side in two parts.

    Returns:
        Pairs by part, `train` for the rest, in the order they came in.

    Raises:
        ConfigError: a number below 1, or a side that is none.
        DataError: nothing is left to train on.
    """
    if distinct not in DISTINCT:
        raise ConfigError(unknown("side", distinct, DISTINCT))
    keys = _keys(pairs, distinct)
    sizes = Counter(keys)
    order = iter(sorted(sizes, key=_hash))
    part_of: dict[str, str] = {}
    for part, number in wanted.items():
        number = size_of(number, len(pairs))
        check_whole(part, number, 1)
        taken = 0
        while taken < number and (key := next(order, None)) is not None:
            part_of[key] = part
            taken += sizes[key]
        if taken < number or len(part_of) == len(sizes):
            linked = " Pairs linked by a common sentence count as one."
            raise DataError(
                f"{len(pairs)} pairs with {len(sizes)} distinct sentences are "
                f"too few to set {number} apart for {part} and train on the "
                "rest. Give more pairs, fewer for validation and test, or "
                "another side whose sentences are in one split only."
                f"{linked if distinct == 'both' else ''}"
            )
    parts: dict[str, list[Pair]] = {name: [] for name in ("train", *wanted)}
    for key, pair in zip(keys, pairs, strict=True):
        parts[part_of.get(key, "train")].append(pair)
    return parts


def size_of(number: int | None, pairs: int) -> int:
    """Returns how many pairs a part is to have, by default 1,000 or 5 %."""
    return max(1, min(MOST, int(pairs * SHARE))) if number is None else number


def swallowed(
    parts: dict[str, list[Pair]], wanted: dict[str, int | None], distinct: str
) -> list[str]:
    """Returns a note for each part that one group of sentences has made large.

    Args:
        parts: from `take_apart`.
        wanted: as `take_apart` had it.
        distinct: as `take_apart` had it.
    """
    total = sum(map(len, parts.values()))
    sizes = {name: len(parts[name]) for name in wanted}
    return [
        f"{size:,} of {total:,} pairs are in the {name} split, where "
        f"{size_of(wanted[name], total):,} were to be: pairs with a common "
        f"sentence stay together (distinct={distinct})."
        for name, size in sizes.items()
        if size > max(2 * size_of(wanted[name], total), total / 10)
    ]


def shared(train: Sequence[Pair], part: Sequence[Pair], distinct: str) -> int:
    """Returns how many pairs of a part have a sentence that training has."""
    sides = {"source": (0,), "target": (1,), "both": (0, 1)}[distinct]
    known = [{pair[side] for pair in train} for side in sides]
    return sum(
        any(pair[side] in some for side, some in zip(sides, known, strict=True))
        for pair in part
    )


def _hash(sentence: str) -> bytes:
    return hashlib.sha256(sentence.encode()).digest()


def _keys(pairs: Sequence[Pair], distinct: str) -> list[str]:
    """Returns for each pair the sentence that stands for its group."""
    if distinct != "both":
        side = ("source", "target").index(distinct)
        return [pair[side] for pair in pairs]
    # A group is a connected component; its least target stands for it.
    parent: dict[tuple[int, str], tuple[int, str]] = {}

    def root(one: tuple[int, str]) -> tuple[int, str]:
        while (above := parent.setdefault(one, one)) != one:
            parent[one] = parent[above]
            one = parent[one]
        return one

    for source, target in pairs:
        first, second = root((0, source)), root((1, target))
        parent[first] = second
    roots = [root((1, target)) for _, target in pairs]
    least: dict[tuple[int, str], str] = {}
    for one, (_, target) in zip(roots, pairs, strict=True):
        least[one] = min(target, least.get(one, target))
    return [least[one] for one in roots]
