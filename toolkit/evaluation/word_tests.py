"""What the tests of word vectors share: lines, spellings, restriction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit.errors import ConfigError, DataError
from toolkit.whole_numbers import is_whole


def word_groups(
    words: Iterable[str], needed: Iterable[str], case_insensitive: bool
) -> dict[str, list[int]]:
    """Returns the numbers of all spellings of some words.

    Args:
        words: of the vocabulary.
        needed: words in question, folded by `fold`.
        case_insensitive: whether `Paris` and `paris` are one word.

    Returns:
        Numbers by word, the lowest first; empty for an unknown word.
    """
    groups: dict[str, list[int]] = {word: [] for word in needed}
    for number, word in enumerate(words):
        group = groups.get(fold(word, case_insensitive))
        if group is not None:
            group.append(number)
    return groups


def fold(word: str, case_insensitive: bool) -> str:
    """Returns a word as it is compared: in capitals, as gensim has it."""
    return word.upper() if case_insensitive else word


def check_restriction(restrict_vocabulary: int | None) -> None:
    """Raises for a number of words that is none.

    Raises:
        ConfigError: neither None nor a whole number of at least 1.
    """
    number = restrict_vocabulary
    if number is not None and not is_whole(number, 1):
        raise ConfigError(
            "`restrict_vocabulary` must be at least 1, or None for all words. "
            f"Received: {number!r}."
        )


def numbered_lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Yields the lines of a text that are not blank, counted from 1.

    Raises:
        DataError: no such file, or a line that is not UTF-8.
    """
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}, line {number}: is not UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}.") from error
