"""How well cosines agree with what people call similar."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.errors import DataError
from toolkit.evaluation.word_tests import (
    check_restriction,
    fold,
    numbered_lines,
    word_groups,
)
from toolkit.text.word_vectors import WordVectors

Pair = tuple[str, str, float]


@dataclass(frozen=True)
class SimilarityResult:
    """How cosines go with the judgements of people.

    Attributes:
        pearson: correlation of the values, in [-1, 1].
        spearman: correlation of their ranks, in [-1, 1].
        pairs: how many were used.
        skipped: how many have a word out of the vocabulary.
    """

    pearson: float
    spearman: float
    pairs: int
    skipped: int

    @property
    def unknown_share(self) -> float:
        """Share of the pairs with a word out of the vocabulary, in [0, 1]."""
        return self.skipped / (self.pairs + self.skipped)


def read_word_pairs(path: str | os.PathLike) -> list[Pair]:
    """Reads lines of two words and a number, such as WordSim-353 or MEN.

    They are parted by tabs, else by commas, else by blanks. Blank lines and
    those that begin with `#` do not count.

    Returns:
        Triples of two words and how similar people call them.

    Raises:
        DataError: no such file, no pair, or a line that does not fit; names
            it.
    """
    pairs = []
    for number, line in numbered_lines(path):
        if line.startswith("#"):
            continue
        fields = [one.strip() for one in _parted(line)]
        try:
            first, second, score = fields
            score = float(score)
        except ValueError:
            score = np.nan
        if not np.isfinite(score) or not all(fields):
            raise DataError(
                f"{path}, line {number}: must be two words and a number; put "
                f"# before a heading. Received: {line.strip()!r}."
            )
        pairs.append((first, second, score))
    if not pairs:
        raise DataError(f"{path}: there is no pair of words in it.")
    return pairs


def word_similarity(
    word_vectors: WordVectors,
    pairs: Sequence[Pair],
    *,
    restrict_vocabulary: int | None = 300_000,
    case_insensitive: bool = True,
) -> SimilarityResult:
    """Correlates the cosines of pairs of words with people's judgements.

    The rules are those of gensim's `evaluate_word_pairs`: of several
    spellings of a word the first counts; a pair with an unknown word is
    skipped. Equal values share the mean of their ranks.

    Args:
        word_vectors: in the order of frequency.
        pairs: of `read_word_pairs`, or triples like those.
        restrict_vocabulary: how many words are known, the first ones; None
            for all.
        case_insensitive: whether `Paris` and `paris` are one word.

    Raises:
        DataError: fewer than two pairs are known, or their cosines or their
            judgements are all the same, so that nothing correlates.
        ConfigError: a `restrict_vocabulary` that is none.

    Example:
    >>> from toolkit.evaluation import word_similarity
    >>> from toolkit.text import Vocabulary, WordVectors
    >>> words = Vocabulary(["cat", "dog", "car"])
    >>> vectors = WordVectors(words, [[1, 0], [0.8, 0.6], [0, 1]])
    >>> found = word_similarity(vectors, [
    ...     ("cat", "dog", 9.0), ("dog", "car", 2.5), ("cat", "car", 1.0),
    ...     ("cat", "kitten", 9.5)])
    >>> round(found.spearman, 4), found.pairs, found.unknown_share
    (1.0, 3, 0.25)

    Source: Finkelstein et al.: Placing search in context: the concept
    revisited (2002); Spearman: The proof and measurement of association
    between two things (1904).
    """
    check_restriction(restrict_vocabulary)
    folded = [
        [fold(word, case_insensitive) for word in pair[:2]] for pair in pairs
    ]
    groups = word_groups(
        word_vectors.vocabulary.words[:restrict_vocabulary],
        {word for pair in folded for word in pair},
        case_insensitive,
    )
    rows = [
        (groups[first][0], groups[second][0], pair[2])
        for (first, second), pair in zip(folded, pairs, strict=True)
        if groups[first] and groups[second]
    ]
    if len(rows) < 2:
        raise DataError(
            f"Of {len(pairs)} pairs of words, {len(rows)} are in the "
            "vocabulary; a correlation needs at least 2."
        )
    left, right, judged = map(np.array, zip(*rows, strict=True))
    units = word_vectors.normalized
    cosines = np.einsum("ij,ij->i", units[left], units[right])
    return SimilarityResult(
        _correlation(judged, cosines),
        _correlation(_ranks(judged), _ranks(cosines)),
        len(rows),
        len(pairs) - len(rows),
    )


def _parted(line: str) -> list[str]:
    for separator in ("\t", ","):
        if separator in line:
            return line.split(separator)
    return re.split(r"\s+", line.strip())


def _ranks(values: np.ndarray) -> np.ndarray:
    """Returns ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(
        values, return_inverse=True, return_counts=True
    )
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if not np.ptp(first) or not np.ptp(second):
        raise DataError(
            "Nothing correlates with values that are all the same: the "
            f"judgements or the cosines of the {len(first)} pairs are."
        )
    first = first - first.mean(dtype=np.float64)
    second = second - second.mean(dtype=np.float64)
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / lengths)
