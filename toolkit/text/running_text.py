"""A running text as numbers of its words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from toolkit.errors import DataError
from toolkit.text.tokens import tokenizer
from toolkit.text.vocabulary import Vocabulary

UNKNOWN_WORD, END_OF_LINE = "<unk>", "<eos>"  # as PTB and WikiText spell them


class RunningText:
    r"""Turns prompts into numbers of words, and numbers into text.

    Args:
        words: all that are known, `<unk>` and `<eos>` among them.
        tokens: what a word is, one of `TOKENS`.

    Raises:
        DataError: no vocabulary, or one without these two.
        ConfigError: another name of tokens.

    Example:
    >>> from toolkit.text import RunningText
    >>> text = RunningText(["the", "<eos>", "cat", "<unk>"])
    >>> text.encode("The cat\nthe").tolist()
    [0, 2, 1, 0]
    >>> text.decode([0, 2, 1, 0])
    ' the cat\n the'
    """

    def __init__(self, words: Sequence[str], tokens: str = "words"):
        self.vocabulary = Vocabulary(words)
        self.tokens = tokens
        self._split = tokenizer(tokens, UNKNOWN_WORD)
        for mark in (UNKNOWN_WORD, END_OF_LINE):
            if mark not in self.vocabulary:
                raise DataError(
                    f"A vocabulary of running text needs the word {mark}."
                )

    def __len__(self) -> int:
        return len(self.vocabulary)

    @property
    def beginning(self) -> str:
        """What a text begins with if nothing else is said: a new line."""
        return "\n"

    def encode(self, text: str) -> np.ndarray:
        """Returns the numbers of a prompt's words, int32 `(length,)`.

        Raises:
            DataError: a word that is not in the vocabulary; offers the
                closest spellings.
        """
        numbers = []
        for place, line in enumerate(text.split("\n")):
            if place:
                numbers.append(self.vocabulary.number(END_OF_LINE))
            numbers += map(self.vocabulary.number, self._split(line))
        return np.array(numbers, np.int32)

    def decode(self, numbers: Iterable[int]) -> str:
        """Returns the text of some numbers, a blank before every word.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        words = self.vocabulary.decode(numbers)
        return "".join(
            "\n" if word == END_OF_LINE else f" {word}" for word in words
        )

    def pieces(self, numbers: Iterable[int], prompt: str = "") -> Iterator[str]:
        """Yields the text of each number, which goes on from a prompt.

        A blank stands before a word unless white space does.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        before = prompt
        for number in numbers:
            piece = self.decode([number])
            if not before or before[-1].isspace():
                piece = piece.removeprefix(" ")
            yield piece
            before = piece
