"""Characters as the tokens of an encoder-decoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from toolkit.errors import DataError
from toolkit.text.token_table import (
    UNKNOWN,
    TokenTable,
    check_texts,
    entry,
    frequent,
    sentence,
)


class CharacterTokenizer(TokenTable):
    """Gives every character a number; 0 to 3 are special.

    The special tokens are 0 `<pad>`, 1 `<s>` (start), 2 `</s>` (end) and 3
    `<unk>`, as in `WordTokenizer` and `SubwordTokenizer`. For a language
    model, which needs none of them, there is `CharacterVocabulary`.

    Args:
        characters: those that are known, each once.

    Raises:
        DataError: none, one that comes twice, or what is no character.

    Example:
    >>> from toolkit.text import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer.of(["to be"])
    >>> tokenizer.encode("bet!").tolist()
    [5, 6, 8, 3]
    >>> tokenizer.decode([1, 5, 6, 8, 2, 0])
    'bet'
    """

    kind = "characters"

    def __init__(self, characters: Iterable[str]):
        characters = tuple(characters)
        for one in characters:
            if not isinstance(one, str) or len(one) != 1:
                raise DataError(
                    f"A token must be one character here. Received: {one!r}."
                )
        super().__init__(characters)

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        *,
        min_count: int = 1,
        max_vocabulary: int | None = None,
    ) -> CharacterTokenizer:
        """Returns the tokenizer of the characters of some texts.

        Args:
            texts: several strings.
            min_count: rarer characters are unknown.
            max_vocabulary: tokens at most, the four special ones counted;
                the most frequent ones stay.

        Raises:
            ConfigError: a number out of range, or one string.
            DataError: empty texts.
        """
        check_texts(texts)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls(sorted(frequent(counts, min_count, max_vocabulary)))

    @classmethod
    def from_description(
        cls, description: Mapping[str, Any]
    ) -> CharacterTokenizer:
        """Returns the tokenizer that `describe` described.

        Raises:
            DataError: a damaged description.
        """
        return cls(entry(description, "characters", str))

    def describe(self) -> dict[str, Any]:
        """Returns all that makes the tokenizer, fit for JSON."""
        return {
            "kind": self.kind,
            "characters": "".join(self._tokens[UNKNOWN + 1 :]),
        }

    def encode(self, text: str) -> np.ndarray:
        """Returns the numbers of a text's characters, int32 `(length,)`.

        No special token is added; an unknown character is 3.
        """
        return self.numbers(text)

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text up to the first end, without pad and start.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        return "".join(self.tokens(sentence(ids, len(self))))

    def unknown(self, text: str) -> int:
        """Returns how many tokens of a text are unknown."""
        return int(np.count_nonzero(self.encode(text) == UNKNOWN))
