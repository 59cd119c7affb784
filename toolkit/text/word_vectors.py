"""A vector for every word: neighbours and analogies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from toolkit.errors import ConfigError, DataError, unknown
from toolkit.text.characters import quoted
from toolkit.text.vocabulary import Vocabulary
from toolkit.whole_numbers import check_whole

METHODS = ("3cosadd", "3cosmul")
EPSILON = 1e-6  # keeps the quotient of 3CosMul finite
ROWS = 65_536  # normalized at once


class WordVectors:
    """Holds the vectors of the words of a vocabulary.

    Args:
        vocabulary: the words.
        vectors: `(words, size)`; kept as float32, not copied if they are.

    Attributes:
        vocabulary: as given.
        vectors: float32 `(words, size)`.

    Raises:
        DataError: a shape that does not fit, or what is no finite number.

    Example:
    >>> from toolkit.text import Vocabulary, WordVectors
    >>> words = Vocabulary(["king", "queen", "man", "woman", "tree"])
    >>> points = [[2, 1, 0], [2, -1, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]]
    >>> vectors = WordVectors(words, points)
    >>> vectors["king"]
    array([2., 1., 0.], dtype=float32)
    >>> [(w, round(cosine, 2)) for w, cosine in vectors.neighbours("king", 2)]
    [('queen', 0.6), ('man', 0.45)]
    >>> vectors.analogy("man", "king", "woman", k=1)[0][0]
    'queen'
    """

    def __init__(self, vocabulary: Vocabulary, vectors: np.ndarray):
        if not isinstance(vocabulary, Vocabulary):
            raise DataError(
                "`vocabulary` must be a Vocabulary, such as "
                f"Vocabulary(words). Received: {type(vocabulary).__name__}."
            )
        with np.errstate(over="ignore"):  # refused below, with its word
            vectors = np.asarray(vectors, np.float32)
        if (
            vectors.ndim != 2
            or len(vectors) != len(vocabulary)
            or not vectors.shape[1]
        ):
            raise DataError(
                f"`vectors` must be ({len(vocabulary)}, size) for "
                f"{len(vocabulary)} words. Received: {vectors.shape}."
            )
        for start in range(0, len(vectors), ROWS):
            finite = np.isfinite(vectors[start : start + ROWS]).all(axis=1)
            if not finite.all():
                place = start + int(np.argmin(finite))
                raise DataError(
                    "`vectors` must be finite. That of word "
                    f"{place}, {quoted(vocabulary.words[place])}, is not."
                )
        self.vocabulary = vocabulary
        self.vectors = vectors

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __contains__(self, word: object) -> bool:
        return word in self.vocabulary

    def __getitem__(self, words: str | Sequence[str]) -> np.ndarray:
        """Returns the vector of a word, `(size,)`, or of several, `(N, size)`.

        Raises:
            DataError: a word that is unknown.
        """
        if isinstance(words, str):
            return self.vectors[self.vocabulary.number(words)]
        return self.vectors[[self.vocabulary.number(word) for word in words]]

    @property
    def size(self) -> int:
        """Numbers in a vector."""
        return self.vectors.shape[1]

    @cached_property
    def normalized(self) -> np.ndarray:
        """The vectors at length 1, float32; those of zeros stay zeros."""
        units = np.empty_like(self.vectors, order="C")
        for start in range(0, len(units), ROWS):
            # Squares of float32 neither overflow nor vanish in float64.
            rows = self.vectors[start : start + ROWS].astype(np.float64)
            lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
            units[start : start + ROWS] = (
                rows / np.where(lengths, lengths, 1.0)[:, None]
            )
        return units

    @cached_property
    def zeros(self) -> np.ndarray:
        """Numbers of the words with a vector of zeros; they answer nothing."""
        return np.flatnonzero(~self.normalized.any(axis=1))

    def similarity(self, first: str, second: str) -> float:
        """Returns the cosine between two words; 0 beside a vector of zeros.

        Raises:
            DataError: a word that is unknown.
        """
        rows = [self.vocabulary.number(word) for word in (first, second)]
        return float(np.dot(*self.normalized[rows]))

    def neighbours(
        self,
        word_or_vector: str | np.ndarray,
        k: int = 10,
        exclude: Iterable[str] = (),
    ) -> list[tuple[str, float]]:
        """Returns the words whose vectors point the most alike.

        Args:
            word_or_vector: a word, which is not among its neighbours, or a
                vector `(size,)`.
            k: how many, at least 1; fewer if the vocabulary has no more.
            exclude: words to leave out.

        Returns:
            Pairs of a word and its cosine, the highest first; of equal ones
            the word with the lower number. Vectors of zeros point nowhere
            and are left out.

        Raises:
            DataError: an unknown word, or a vector of another size, or one of
                zeros, which points nowhere.
            ConfigError: a `k` that is none.
        """
        out = [self.vocabulary.number(word) for word in exclude]
        if isinstance(word_or_vector, str):
            number = self.vocabulary.number(word_or_vector)
            out.append(number)
            query, name = self.normalized[number], quoted(word_or_vector)
        else:
            query, name = self._unit(word_or_vector), "`word_or_vector`"
        if not query.any():
            raise DataError(
                f"{name} has no neighbours: its vector is zeros, so it points "
                "nowhere."
            )
        return self._highest(self.normalized @ query, k, out)

    def analogy(
        self,
        first: str,
        second: str,
        third: str,
        k: int = 10,
        method: str = "3cosadd",
    ) -> list[tuple[str, float]]:
        """Returns what is to `third` as `second` is to `first`.

        With vectors at length 1 they are the words x with the highest

        ```
        3cosadd: cos(x, second - first + third)
        3cosmul: c(x, second) c(x, third) / (c(x, first) + 1e-6),
                 c = (1 + cos) / 2
        ```

        The three words themselves are left out, and vectors of zeros.

        Args:
            first: such as `france`.
            second: such as `paris`.
            third: such as `italy`.
            k: how many, at least 1.
            method: `3cosadd` or `3cosmul`.

        Returns:
            Pairs of a word and its score, the highest first.

        Raises:
            DataError: a word that is unknown.
            ConfigError: a `k` or a `method` that is none.

        Source: Mikolov, Chen, Corrado, Dean: Efficient estimation of word
        representations in vector space (2013), section 4; Levy, Goldberg:
        Linguistic regularities in sparse and explicit word representations
        (2014), equation 4.
        """
        check_method(method)
        out = [self.vocabulary.number(w) for w in (first, second, third)]
        units = self.normalized[out]
        scores = analogy_scores(*(self.normalized @ units.T).T, method)
        if method == "3cosadd":
            length = np.linalg.norm(units[1] - units[0] + units[2])
            scores /= length or 1.0
        return self._highest(scores, k, out)

    def _unit(self, vector: np.ndarray) -> np.ndarray:
        vector = np.asarray(vector, np.float64)
        if vector.shape != (self.size,) or not np.isfinite(vector).all():
            raise DataError(
                f"`word_or_vector` must be a word or {self.size} finite "
                f"numbers, ({self.size},). Received: {vector.shape}."
            )
        return (vector / (np.linalg.norm(vector) or 1.0)).astype(np.float32)

    def _highest(
        self, scores: np.ndarray, k: int, out: list[int]
    ) -> list[tuple[str, float]]:
        check_whole("k", k, 1)
        scores[out] = scores[self.zeros] = -np.inf
        k = min(k, int(np.count_nonzero(scores > -np.inf)))
        if not k:
            return []
        # Partition finds the k-th score; all that reach it are then sorted,
        # so that which of equal words are returned is settled.
        limit = -np.partition(-scores, k - 1)[k - 1]
        reach = np.flatnonzero(scores >= limit)
        best = reach[np.argsort(-scores[reach], kind="stable")][:k]
        return [(self.vocabulary.words[n], float(scores[n])) for n in best]


def analogy_scores(
    first: np.ndarray, second: np.ndarray, third: np.ndarray, method: str
) -> np.ndarray:
    """Returns the score of every word as the fourth of an analogy.

    Args:
        first: cosines of the words with the first, `(words,)`.
        second: those with the second.
        third: those with the third.
        method: `3cosadd`, here without the division by the length of the sum,
            or `3cosmul`; see `WordVectors.analogy`.
    """
    if method == "3cosadd":
        return second - first + third
    shifted = (1 + second) * (1 + third)
    return shifted / (2 * (1 + first) + 4 * np.float32(EPSILON))


def check_method(method: str) -> None:
    """Raises for a method of analogies that does not exist.

    Raises:
        ConfigError: neither `3cosadd` nor `3cosmul`.
    """
    if method not in METHODS:
        raise ConfigError(unknown("method", method, METHODS))
