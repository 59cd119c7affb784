"""Words as numbers, the frequent ones first."""

from __future__ import annotations

import difflib
import itertools
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from toolkit.errors import DataError
from toolkit.io.atomic import atomic_path
from toolkit.text.characters import quoted

END_OF_SENTENCE = "</s>"  # word2vec.c keeps it in front, whatever its count
CANDIDATES = 5_000  # spellings that an unknown word is held against


class Vocabulary:
    """Numbers words by their place, as a rule the most frequent first.

    Args:
        words: all that are known, each once.
        counts: how often each occurs, `(words,)`, none higher than the one
            before it (but for a `</s>` in front, as word2vec.c has it); None
            if unknown.

    Attributes:
        words: tuple of str.
        counts: int64 `(words,)`, or None.

    Raises:
        DataError: no word, one that comes twice or is empty or no text;
            counts of another length, negative or ascending.

    Example:
    >>> from toolkit.text import Vocabulary
    >>> vocabulary = Vocabulary(["the", "cat", "sat"], [9, 2, 2])
    >>> vocabulary.number("cat"), "dog" in vocabulary, len(vocabulary)
    (1, False, 3)
    >>> vocabulary.encode("the dog sat".split()).tolist()
    [0, -1, 2]
    >>> vocabulary.decode([2, 0])
    ['sat', 'the']
    """

    def __init__(
        self, words: Sequence[str], counts: Sequence[int] | None = None
    ):
        if isinstance(words, str):
            raise DataError(
                f"`words` must be a sequence of words. Received: {words!r}."
            )
        self.words = tuple(words)
        self.counts = None if counts is None else _as_counts(counts)
        _check(self.words, self.counts, lambda place: f"Word {place}")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def find(self, word: str) -> int | None:
        """Returns the number of a word, or None for one that is unknown."""
        return self._numbers.get(word)

    def number(self, word: str) -> int:
        """Returns the number of a word.

        Raises:
            DataError: a word that is unknown; offers the closest spellings.
        """
        found = self._numbers.get(word)
        if found is None:
            raise DataError(
                f"The word {quoted(str(word))} is not in the vocabulary of "
                f"{len(self):,} words.{self._offer(str(word))}"
            )
        return found

    def encode(self, words: Iterable[str]) -> np.ndarray:
        """Returns the numbers of words, -1 for those that are unknown.

        Unknown words are no error: a corpus is full of those too rare to be
        in the vocabulary. `numbers[numbers >= 0]` leaves them out.

        Args:
            words: as they follow one another; not one string.

        Returns:
            int32 `(length,)`.

        Raises:
            DataError: a single string.
        """
        if isinstance(words, str):
            raise DataError(
                "`words` must be a list of words, such as those of "
                f"text.split(). Received: {quoted(words[:40])}."
            )
        found = map(self._numbers.get, words, itertools.repeat(-1))
        return np.fromiter(found, np.int32)

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Returns the words of some numbers.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        numbers = [operator.index(n) for n in numbers]
        for number in numbers:
            if not 0 <= number < len(self):
                raise DataError(
                    f"The vocabulary has the numbers 0 to {len(self) - 1}. "
                    f"Received: {number}."
                )
        return [self.words[number] for number in numbers]

    def save(self, path: str | os.PathLike) -> None:
        """Writes one line `word count` for every word, in UTF-8.

        It is what `-save-vocab` of word2vec.c writes and gensim calls fvocab.

        Raises:
            DataError: no counts, or a word that holds white space.
            OSError: the disk is full or not writable. An old file stays.
        """
        if self.counts is None:
            raise DataError(
                "A vocabulary file needs counts, and this vocabulary has "
                "none; give `counts` to Vocabulary."
            )
        lines = zip(writable(self.words), self.counts.tolist(), strict=True)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.writelines(b"%s %d\n" % line for line in lines)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Vocabulary:
        """Reads a file of lines `word count`.

        Raises:
            DataError: no such file, or a line that does not fit; names it.
        """
        words, counts = [], []
        try:
            with Path(path).open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        word, count = line.split()
                        counts.append(int(count))
                        words.append(word.decode("utf-8"))
                    except ValueError:
                        raise DataError(
                            f"{path}, line {number}: must be `word count` in "
                            f"UTF-8. Received: {line[:60]!r}."
                        ) from None
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}.") from error
        if not words:
            raise DataError(f"{path}: no lines; it must hold `word count`.")
        numbers = _as_counts(counts)
        _check(words, numbers, lambda place: f"{path}, line {place + 1}")
        return cls(words, numbers)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return dict(zip(self.words, range(len(self)), strict=True))

    def _offer(self, word: str) -> str:
        """Returns the closest spellings; looks at few words."""
        folded = word.lower()
        first = (folded[:1], folded[:1].upper())
        near = (
            known
            for known in self.words
            if known.startswith(first) and abs(len(known) - len(word)) <= 2
        )
        options: dict[str, str] = {}
        for known in itertools.islice(near, CANDIDATES):
            options.setdefault(known.lower(), known)
        found = difflib.get_close_matches(folded, options)
        names = ", ".join(quoted(options[one]) for one in found)
        return f" Did you mean {names}?" if names else " Choose another word."


def writable(words: Iterable[str]) -> Iterator[bytes]:
    """Yields words in UTF-8, as files that part them by blanks can hold them.

    Raises:
        DataError: a word with ASCII white space, or one that is no Unicode.
    """
    for place, word in enumerate(words):
        try:
            encoded = word.encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(
                f"Word {place} cannot be written as UTF-8. Received: "
                f"{quoted(word)}."
            ) from None
        if len(encoded.split()) != 1 or encoded != encoded.strip():
            raise DataError(
                "The file parts words by blanks, so they cannot hold white "
                f'space; put "_" there. Word {place} is {quoted(word)}.'
            )
        yield encoded


def _as_counts(counts: Sequence[int]) -> np.ndarray:
    found = np.asarray(counts)
    if found.size and not np.issubdtype(found.dtype, np.integer):
        raise DataError(
            "`counts` must be whole numbers below 2^63. Received: "
            f"{found.dtype} {found.ravel()[:3].tolist()}."
        )
    return found.astype(np.int64)


def _check(
    words: Sequence[str],
    counts: np.ndarray | None,
    name: Callable[[int], str],
) -> None:
    """Raises for words and counts that make no vocabulary.

    Args:
        words: any sequence.
        counts: int64, or None.
        name: returns what a place is called in a message.
    """
    if not words:
        raise DataError("A vocabulary needs at least one word.")
    for place, word in enumerate(words):
        if not isinstance(word, str) or not word:
            raise DataError(
                f"{name(place)}: a word must be a text of at least one "
                f"character. Received: {word!r}."
            )
    if len(set(words)) != len(words):
        seen: dict[str, int] = {}
        for place, word in enumerate(words):
            if seen.setdefault(word, place) != place:
                raise DataError(
                    f"{name(place)}: {quoted(word)} comes twice; a vocabulary "
                    "holds every word once."
                )
    if counts is None:
        return
    if counts.shape != (len(words),):
        raise DataError(
            f"`counts` must be ({len(words)},), one for each word. Received: "
            f"{counts.shape}."
        )
    if counts.min() < 0:
        place = int(np.argmax(counts < 0))
        raise DataError(
            f"{name(place)}: {quoted(words[place])} has the count "
            f"{counts[place]}; counts must be at least 0."
        )
    rises = np.diff(counts) > 0
    if words[0] == END_OF_SENTENCE:
        rises[:1] = False
    if rises.any():
        place = int(np.argmax(rises)) + 1
        raise DataError(
            f"{name(place)}: {quoted(words[place])} has the count "
            f"{counts[place]}, more than the {counts[place - 1]} before it; "
            "sort the words by count, the highest first."
        )
