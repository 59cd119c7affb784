"""Characters as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np

from toolkit.errors import DataError

SHOWN = 10  # strange characters in a message


class CharacterVocabulary:
    """Gives every character of a text a number, in the order of Unicode.

    Args:
        characters: those that are known, each once.

    Raises:
        DataError: none, one that comes twice, or what is no character.

    Example:
    >>> from toolkit.text import CharacterVocabulary
    >>> vocabulary = CharacterVocabulary.of("to be")
    >>> len(vocabulary), vocabulary.encode("bet").tolist()
    (5, [1, 2, 4])
    >>> vocabulary.decode([1, 2, 4])
    'bet'
    """

    def __init__(self, characters: Iterable[str]):
        self.characters = tuple(characters)
        if not self.characters:
            raise DataError("A vocabulary needs at least one character.")
        for one in self.characters:
            if not isinstance(one, str) or len(one) != 1:
                raise DataError(
                    f"A vocabulary holds single characters. Received: {one!r}."
                )
        if len(set(self.characters)) != len(self.characters):
            raise DataError("A vocabulary holds every character once.")
        points = np.array([ord(c) for c in self.characters], np.int64)
        self._order = np.argsort(points)
        self._points = points[self._order]

    @classmethod
    def of(cls, text: str) -> CharacterVocabulary:
        """Returns the vocabulary of a text.

        Raises:
            DataError: an empty text.
        """
        return cls(sorted(set(text)))

    def __len__(self) -> int:
        return len(self.characters)

    @property
    def beginning(self) -> str:
        """What a text begins with if nothing else is said: a new line."""
        return "\n" if "\n" in self.characters else self.characters[0]

    def encode(self, text: str) -> np.ndarray:
        """Returns the numbers of a text's characters, int32 `(length,)`.

        Raises:
            DataError: characters that are not in the vocabulary; names them.
        """
        # A lone surrogate, a byte that was no UTF-8, is named like the others.
        encoded = text.encode("utf-32-le", "surrogatepass")
        points = np.frombuffer(encoded, "<u4").astype(np.int64)
        places = np.searchsorted(self._points, points)
        places = np.minimum(places, len(self) - 1)
        strange = self._points[places] != points
        if strange.any():
            found = list(dict.fromkeys(chr(p) for p in points[strange]))
            names = ", ".join(map(quoted, found[:SHOWN]))
            more = ", ..." if len(found) > SHOWN else ""
            count = int(strange.sum())
            are = "character is" if count == 1 else "characters are"
            raise DataError(
                f"{count} {are} not in the vocabulary: {names}{more}. It "
                f"knows: {quoted(''.join(self.characters))}."
            )
        return self._order[places].astype(np.int32)

    def decode(self, numbers: Iterable[int]) -> str:
        """Returns the text of some numbers.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        numbers = [int(n) for n in numbers]
        wrong = [n for n in numbers if not 0 <= n < len(self)]
        if wrong:
            raise DataError(
                f"The vocabulary has the numbers 0 to {len(self) - 1}. "
                f"Received: {wrong[0]}."
            )
        return "".join(self.characters[n] for n in numbers)

    def pieces(self, numbers: Iterable[int], prompt: str = "") -> Iterator[str]:
        """Yields the text of each number, whatever the prompt.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        del prompt  # words ask for it
        return (self.decode([number]) for number in numbers)


def quoted(text: str) -> str:
    """Returns a text with quotes; what cannot be printed is escaped."""
    shown = json.dumps(text, ensure_ascii=False)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")
