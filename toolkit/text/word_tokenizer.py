"""Words and punctuation as the tokens of an encoder-decoder."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
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
from toolkit.text.tokens import KINDS, SPELLED

QUOTE = '"'  # opens and closes by turns
BESIDE = (" ", " ")  # of a mark of which nothing is known


class WordTokenizer(TokenTable):
    """Gives every word and every mark of punctuation a number.

    The special tokens are 0 `<pad>`, 1 `<s>` (start), 2 `</s>` (end) and 3
    `<unk>`, as in `CharacterTokenizer` and `SubwordTokenizer`.

    Into tokens: the text is composed (NFC); curly apostrophes and Unicode's
    hyphens become ' and -, soft hyphens vanish. A word is a run of letters,
    digits, `_` and combining marks. A hyphen between two of these begins a
    token: "est-ce" is `est -ce`. So does an apostrophe before s, t, m, d, re,
    ve or ll: "don't" is `don 't`; any other apostrophe in a word ends one:
    "l'eau" is `l' eau`. "3.14", "7:30", "p.m." and "..." are one token each,
    any other character but blanks is a token of its own.

    Back into text: tokens that begin with an apostrophe or a hyphen follow
    without a blank, those that end with an apostrophe have none behind. Of
    every other mark the texts are asked whether it mostly stands with a blank
    or without one, before and behind, first where a word is its neighbour and
    else where a mark is: "Va !" in French, "Go!" in English. Straight double
    quotes open and close by turns. Any kind of blank comes back as a plain
    one.

    Args:
        words: those that are known, without the special ones, each once.
        lower: whether texts are put into lower case.
        spacing: for each mark what stands before and behind it, "" or " ".

    Raises:
        DataError: no word, one that comes twice or is no text.

    Example:
    >>> from toolkit.text import WordTokenizer
    >>> tokenizer = WordTokenizer.of(["Go, now!", "Don't go (yet)."])
    >>> ids = tokenizer.encode("Don't go yet, Tom!")
    >>> tokenizer.tokens(ids)
    ['don', "'t", 'go', 'yet', ',', '<unk>', '!']
    >>> tokenizer.decode(ids)
    "don't go yet, <unk>!"
    """

    kind = "words"

    def __init__(
        self,
        words: Iterable[str],
        *,
        lower: bool = True,
        spacing: Mapping[str, tuple[str, str]] | None = None,
    ):
        super().__init__(words)
        self.lower = lower
        self.spacing = {
            mark: tuple(beside) for mark, beside in (spacing or {}).items()
        }
        for mark, beside in self.spacing.items():
            if len(beside) != 2 or not set(beside) <= {"", " "}:
                raise DataError(
                    'Beside a mark stands "" or " ", before and behind. '
                    f"Received: {beside!r} for {mark!r}."
                )

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        *,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        lower: bool = True,
    ) -> WordTokenizer:
        """Returns the tokenizer of the words of some texts.

        Args:
            texts: several strings.
            min_count: rarer words are unknown.
            max_vocabulary: tokens at most, the four special ones counted;
                the most frequent ones stay.
            lower: whether texts are put into lower case.

        Raises:
            ConfigError: a number out of range, or one string.
            DataError: empty texts.
        """
        check_texts(texts)
        counts: Counter[str] = Counter()
        # Blanks less none beside a mark, by side and whether a word is there.
        blanks: Counter[tuple[str, int, bool]] = Counter()
        for text in texts:
            text = _normal(text, lower)
            found = list(_pattern(text).finditer(text))
            tokens = [one.group() for one in found]
            counts.update(tokens)
            marks = [not _is_word(token) for token in tokens]
            if not any(marks):
                continue
            for i, j in itertools.pairwise(range(len(found))):
                blank = 1 if found[i].end() < found[j].start() else -1
                if marks[i]:
                    blanks[tokens[i], 1, not marks[j]] += blank
                if marks[j]:
                    blanks[tokens[j], 0, not marks[i]] += blank
        kept = frequent(counts, min_count, max_vocabulary)
        spacing = {
            mark: tuple(
                " "
                if (blanks[mark, side, True] or blanks[mark, side, False]) >= 0
                else ""
                for side in (0, 1)
            )
            for mark in kept
            if not _is_word(mark)
        }
        return cls(kept, lower=lower, spacing=spacing)

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> WordTokenizer:
        """Returns the tokenizer that `describe` described.

        Raises:
            DataError: a damaged description.
        """
        spacing = entry(description, "spacing", dict)
        for mark in spacing:
            entry(spacing, mark, list)
        return cls(
            entry(description, "words", list),
            lower=entry(description, "lower", bool),
            spacing=spacing,
        )

    def describe(self) -> dict[str, Any]:
        """Returns all that makes the tokenizer, fit for JSON."""
        return {
            "kind": self.kind,
            "words": list(self._tokens[UNKNOWN + 1 :]),
            "lower": self.lower,
            "spacing": {
                mark: list(beside) for mark, beside in self.spacing.items()
            },
        }

    def split(self, text: str) -> list[str]:
        """Returns a text's words and marks, known or not."""
        text = _normal(text, self.lower)
        return _pattern(text).findall(text)

    def encode(self, text: str) -> np.ndarray:
        """Returns the numbers of a text's tokens, int32 `(length,)`.

        No special token is added; an unknown word is 3.
        """
        return self.numbers(self.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text up to the first end, without pad and start.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        parts: list[str] = []
        behind = ""  # what the last token has behind it
        opened = False
        for token in self.tokens(sentence(ids, len(self))):
            before, after = self._beside(token, opened)
            opened ^= token == QUOTE
            parts += [" " if parts and before and behind else "", token]
            behind = after
        return "".join(parts)

    def unknown(self, text: str) -> int:
        """Returns how many tokens of a text are unknown."""
        return int(np.count_nonzero(self.encode(text) == UNKNOWN))

    def _beside(self, token: str, opened: bool) -> tuple[str, str]:
        """Returns what stands before and behind a token, "" or " "."""
        if token == QUOTE:
            return ("", " ") if opened else (" ", "")
        if not _is_word(token):
            return self.spacing.get(token, BESIDE)
        return (
            "" if token[0] in "'-" else " ",
            "" if token[-1] == "'" else " ",
        )


def _normal(text: str, lower: bool) -> str:
    text = text.lower() if lower else text
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    for character, plain in SPELLED.items():
        text = text.replace(character, plain)
    return text


def _is_word(token: str) -> bool:
    return token.isalpha() or any(map(str.isalnum, token)) or "_" in token


def _pattern(text: str) -> re.Pattern[str]:
    """Returns the pattern of a text's tokens."""
    # Rare, and the pattern with all of them takes four times as long.
    plain = text.isascii() or _marks().isdisjoint(text)
    return _compiled("" if plain else "".join(sorted(_marks())))


@functools.cache
def _marks() -> frozenset[str]:
    """Returns the combining marks of all scripts; takes 30 ms."""
    return frozenset(
        chr(point)
        for point in range(KINDS)
        if unicodedata.category(chr(point))[0] == "M"
    )


@functools.cache
def _compiled(marks: str) -> re.Pattern[str]:
    letter = rf"[\w{marks}]"
    suffix = rf"'(?:[stmdSTMD]|[rR][eE]|[vV][eE]|[lL][lL])(?!['\w{marks}])"
    return re.compile(
        rf"\d+(?:[.,:]\d+)+(?!{letter})"
        rf"|(?:[^\W\d_]\.){{2,}}"
        rf"|(?:(?<={letter})-)?{letter}+(?:(?!{suffix})'(?={letter}))?"
        rf"|(?<={letter}){suffix}"
        rf"|\.{{2,}}|\S"
    )
