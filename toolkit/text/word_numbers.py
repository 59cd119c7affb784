"""Numbers for the words of a text, some fifty nanoseconds a word."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

# Of a slot's number, in the tables of words of up to 8, 16, 24 and 32 bytes.
BITS = (19, 18, 17, 16)
ABSENT = -1
SPACE = bytes(chr(byte).isspace() and byte < 128 for byte in range(256))
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's hash
ONE, LAST = np.uint64(1), np.uint64(63)
LOW = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)  # n bytes


class WordNumbers:
    """Numbers words in the order in which they are first seen.

    A dictionary holds the words. In front of it stand tables in NumPy for
    words of up to 8, 16, 24 and 32 bytes, in which the words of a block are
    looked up all at once; a word that is not found in its one slot there goes
    to the dictionary and takes the slot if that is free. A table compares
    whole words, so nothing depends on hashes being different, and as frequent
    words come early, 95 % of a text's words never become Python objects.

    Takes some 200 bytes for each different word and 22 MB for the tables.

    Args:
        marks: words that get the first numbers, seen or not.

    Example:
    >>> from toolkit.text.word_numbers import WordNumbers
    >>> numbers = WordNumbers()
    >>> numbers(b"to be or not to be").tolist()
    [0, 1, 2, 3, 0, 1]
    >>> numbers(b"not so").tolist(), numbers.words()
    ([3, 4], [b'to', b'be', b'or', b'not', b'so'])

    Source: the multiplicative hash is that of D. Knuth, The Art of Computer
        Programming, volume 3, section 6.4.
    """

    def __init__(self, marks: Iterable[bytes] = ()):
        self._numbers = defaultdict(itertools.count().__next__)
        for mark in marks:
            self._numbers[mark]
        self._tables = [_Table(n, bits) for n, bits in enumerate(BITS, 1)]

    def __len__(self) -> int:
        return len(self._numbers)

    def words(self) -> list[bytes]:
        """Returns all words by their numbers."""
        return list(self._numbers)

    def __call__(self, text: bytes) -> np.ndarray:
        """Returns the numbers of a text's words, int32 `(words,)`.

        Args:
            text: words that are separated by ASCII whitespace; a NUL may not
                be a word's last byte.
        """
        # Whitespace on both sides; 8 bytes can be read at any word's end.
        padding = b" " * (16 - (len(text) + 1) % 8)
        text = b"".join((b" ", text, padding))
        quads = np.frombuffer(text, "<u8")
        space = np.frombuffer(text.translate(SPACE), bool)
        edges = np.flatnonzero(space[1:] != space[:-1]) + 1
        starts = np.ascontiguousarray(edges[::2])
        lengths = edges[1::2] - starts
        columns = (lengths + 7) >> 3
        numbers = np.full(len(starts), ABSENT, np.int32)
        looked_up = []
        for table in self._tables:
            places = np.flatnonzero(columns == table.columns)
            if not len(places):
                continue
            keys = _keys(
                quads,
                starts.take(places),
                lengths.take(places),
                table.columns,
            )
            slots, found = table.find(keys)
            numbers[places] = found
            new = np.flatnonzero(found == ABSENT)
            keys = [key.take(new) for key in keys]
            looked_up.append((table, places.take(new), slots.take(new), keys))
        absent = np.flatnonzero(numbers == ABSENT)
        number = self._numbers.__getitem__
        numbers[absent] = [
            number(text[start : start + length])
            for start, length in zip(
                starts.take(absent).tolist(),
                lengths.take(absent).tolist(),
                strict=True,
            )
        ]
        for table, places, slots, keys in looked_up:
            table.add(slots, keys, numbers[places])
        return numbers


class _Table:
    """Slots for words of so many columns of 8 bytes, at most one word each."""

    def __init__(self, columns: int, bits: int):
        self.columns = columns
        self._shift = np.uint64(64 - bits)
        # A word and its number side by side, where one cache line has both.
        slots = np.zeros((1 << bits, columns + 1), np.uint64)
        self._keys = slots.T[:columns]
        self._numbers = slots.view(np.int32)[:, 2 * columns]

    def find(self, keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Returns words' slots and their numbers, ABSENT if not there."""
        mixed = keys[0] * FACTOR
        for key in keys[1:]:
            mixed = (mixed ^ key) * FACTOR
        slots = (mixed >> self._shift).view(np.int64)
        same = self._keys[0][slots] == keys[0]
        for mine, key in zip(self._keys[1:], keys[1:], strict=True):
            same &= mine[slots] == key
        return slots, np.where(same, self._numbers[slots], ABSENT)

    def add(
        self, slots: np.ndarray, keys: list[np.ndarray], numbers: np.ndarray
    ) -> None:
        """Puts words into those slots that are free."""
        # Of several for one slot the last stays, in every array alike.
        free = np.flatnonzero(self._keys[0][slots] == 0)
        slots = slots[free]
        for mine, key in zip(self._keys, keys, strict=True):
            mine[slots] = key[free]
        self._numbers[slots] = numbers[free]


def _keys(
    quads: np.ndarray, starts: np.ndarray, lengths: np.ndarray, columns: int
) -> list[np.ndarray]:
    """Returns words as columns of 8 bytes, zeros behind their ends.

    Args:
        quads: the text, 8 bytes each, uint64.
        starts: the words' first bytes, `(words,)`.
        lengths: in bytes, `(words,)`, that need so many columns.
        columns: how many.

    Returns:
        `columns` arrays of uint64 `(words,)`.
    """
    quad = starts >> 3
    right = ((starts & 7) << 3).view(np.uint64)
    left = LAST - right  # after a shift by one: 64 is more than a shift can
    low = quads.take(quad)
    keys = []
    for column in range(columns):
        high = quads.take(quad + (column + 1))
        keys.append((low >> right) | ((high << ONE) << left))
        low = high
    keys[-1] &= LOW.take(lengths - 8 * (columns - 1))
    return keys
