"""What every tokenizer of an encoder-decoder shares: four special tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from toolkit.errors import ConfigError, DataError
from toolkit.text.characters import quoted
from toolkit.whole_numbers import check_whole

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")


class TokenTable:
    """Tokens with the numbers from 4 on, behind the special ones.

    Args:
        tokens: those that are known, without the special ones, each once.

    Raises:
        DataError: none, one that comes twice, is empty or no text, or is
            called as a special one.
    """

    def __init__(self, tokens: Iterable[str]):
        if isinstance(tokens, str):
            raise DataError(
                "`tokens` must be several tokens, such as a list. Received: "
                f"{quoted(tokens[:40])}."
            )
        known = (*SPECIAL, *tokens)
        if len(known) == len(SPECIAL):
            raise DataError("A tokenizer needs at least one token.")
        numbers: dict[str, int] = {}
        for number, token in enumerate(known):
            if not isinstance(token, str) or not token:
                raise DataError(
                    "A token must be a text of at least one character. "
                    f"Received: {token!r} as number {number}."
                )
            if numbers.setdefault(token, number) != number:
                raise DataError(
                    f"Token {number}, {quoted(token)}, is token "
                    f"{numbers[token]} already; a tokenizer holds each once."
                )
        self._tokens = known
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._tokens)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Returns the token of each number, special ones too.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        return [self._tokens[one] for one in as_ids(ids, len(self))]

    def numbers(self, tokens: Sequence[str]) -> np.ndarray:
        """Returns the numbers of tokens, int32 `(length,)`; 3 if unknown.

        A token that is spelled as a special one is unknown too.
        """
        get = self._numbers.get
        found = (get(token, UNKNOWN) for token in tokens)
        found = np.fromiter(found, np.int32, len(tokens))
        found[found < len(SPECIAL)] = UNKNOWN
        return found


def as_ids(ids: Iterable[int], size: int) -> list[int]:
    """Returns numbers of tokens as a list.

    Args:
        ids: one sequence of them.
        size: of the vocabulary.

    Raises:
        DataError: not one row of whole numbers in [0, size).
    """
    found = np.asarray(ids if hasattr(ids, "__len__") else list(ids))
    if found.ndim != 1 or (
        len(found) and not np.issubdtype(found.dtype, np.integer)
    ):
        raise DataError(
            "Tokens must be one row of whole numbers, (length,). Received: "
            f"{found.dtype} {found.shape}."
        )
    wrong = found[(found < 0) | (found >= size)]
    if len(wrong):
        raise DataError(
            f"The vocabulary has the numbers 0 to {size - 1}. Received: "
            f"{wrong[0]}."
        )
    return found.tolist()


def sentence(ids: Iterable[int], size: int) -> list[int]:
    """Returns the numbers before the first end, without pad and start.

    Args:
        ids: as a decoder writes them.
        size: of the vocabulary.

    Raises:
        DataError: as for `as_ids`.

    Example:
    >>> from toolkit.text.token_table import sentence
    >>> sentence([1, 7, 5, 2, 7, 0], size=8)
    [7, 5]
    """
    found = as_ids(ids, size)
    if END in found:
        found = found[: found.index(END)]
    return [one for one in found if one not in (PAD, START)]


def frequent(
    counts: Counter[str], min_count: int, max_vocabulary: int | None
) -> list[str]:
    """Returns the tokens that a vocabulary keeps, the frequent ones first.

    Equally frequent ones stand in the order of Unicode.

    Args:
        counts: how often each occurs.
        min_count: what occurs less often is left out.
        max_vocabulary: tokens at most, the four special ones counted; None
            for all.

    Raises:
        ConfigError: a `min_count` below 1, a `max_vocabulary` below 5.
        DataError: no tokens, or all of them too rare.
    """
    check_whole("min_count", min_count, 1)
    if max_vocabulary is not None:
        check_whole("max_vocabulary", max_vocabulary, len(SPECIAL) + 1)
        max_vocabulary -= len(SPECIAL)
    if not counts:
        raise DataError("The texts are empty; there is nothing to number.")
    order = sorted(counts, key=lambda token: (-counts[token], token))
    if counts[order[0]] < min_count:
        raise DataError(
            f"No token occurs min_count={min_count} times; the most frequent "
            f"one, {quoted(order[0])}, occurs {counts[order[0]]} times."
        )
    kept = [token for token in order if counts[token] >= min_count]
    return kept[:max_vocabulary]


def check_texts(texts: Iterable[str]) -> None:
    """Raises for one text where several are meant.

    Raises:
        ConfigError: a string.
    """
    if isinstance(texts, str):
        raise ConfigError(
            "`texts` must be several texts, such as a list. Received: "
            f"{quoted(texts[:40])}."
        )


def entry(description: Mapping[str, Any], name: str, kind: type) -> Any:
    """Returns a value of a tokenizer's description.

    Raises:
        DataError: it is not there, or of another kind.
    """
    value = description.get(name)
    if not isinstance(value, kind):
        raise DataError(
            f'The description of a tokenizer is damaged: "{name}" must be a '
            f"{kind.__name__}. Received: {value!r:.60}."
        )
    return value
