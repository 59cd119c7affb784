"""From a source string to a text of word numbers in three splits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.data.corpus import check_limits
from toolkit.data.corpus_ids import count
from toolkit.data.texts import EMBEDDED, load_text
from toolkit.errors import ConfigError, DataError, unknown
from toolkit.text.running_text import END_OF_LINE, UNKNOWN_WORD
from toolkit.text.tokens import separator
from toolkit.text.vocabulary import Vocabulary
from toolkit.text.word_numbers import WordNumbers

MARKS = (UNKNOWN_WORD.encode(), END_OF_LINE.encode())
LINES = ("auto", "lines", "paragraphs")
CHARACTERS_PER_WORD = 7  # of the embedded text, with blanks
BLANK_LINES = re.compile(rb"\s*\n\s*\n\s*")


@dataclass(frozen=True, eq=False)
class WordText:
    """A text in three parts that follow one another, as numbers of words.

    Attributes:
        train: int32 `(words,)`, what the model learns from.
        validation: what chooses between epochs and settings.
        test: what is looked at once, at the end.
        vocabulary: the words of `train` with their counts there, `<unk>` and
            `<eos>` among them.
        ends: where `<eos>` stands, `lines` or `paragraphs`.
        unknown: share of words in each part that became `<unk>`.
        source: the source string.
        sha256: of the whole text in UTF-8, hexadecimal.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    vocabulary: Vocabulary
    ends: str
    unknown: tuple[float, float, float]
    source: str
    sha256: str


def load_words(
    source: str = EMBEDDED,
    *,
    tokens: str = "words",
    ends: str = "auto",
    min_count: int = 1,
    max_vocabulary: int = 0,
    max_words: int = 0,
    data_dir: str | None = None,
) -> WordText:
    """Loads a text, settles its splits and numbers its words.

    Words that are not in the vocabulary, which is that of the training part,
    become `<unk>`; where a line or paragraph ends stands `<eos>`.

    Args:
        source: as for `load_text`.
        tokens: what a word is, one of `toolkit.text.TOKENS`. Of a text that
            is prepared already, such as WikiText, `whitespace`.
        ends: where `<eos>` stands: at the end of `lines`, empty ones too, as
            WikiText and PTB are counted; of `paragraphs`; or `auto`,
            paragraphs of the embedded text and lines of any other.
        min_count: rarer words become `<unk>`.
        max_vocabulary: how many words to keep at most, the most frequent; 0
            for all.
        max_words: about how many words to read of the embedded text; 0 for
            300,000.
        data_dir: as for `load_text`.

    Raises:
        ConfigError: an argument out of range.
        DataError: as `load_text`; a part without words, or no word frequent
            enough to be kept.

    Example:
    >>> from toolkit.data import load_words
    >>> text = load_words("embedded", max_words=10_000)
    >>> text.vocabulary.decode(text.train[:4])
    ['the', 'assert', 'statement', '<eos>']
    """
    if ends not in LINES:
        raise ConfigError(unknown("ends", ends, LINES))
    check_limits(min_count, max_vocabulary, max_words)
    separate = separator(tokens, UNKNOWN_WORD)
    if ends == "auto":
        ends = "paragraphs" if source == EMBEDDED else "lines"
    characters = 0
    if source == EMBEDDED:
        characters = (max_words or 300_000) * CHARACTERS_PER_WORD
    text = load_text(source, characters=characters, data_dir=data_dir)
    numbers = WordNumbers(MARKS)
    parts = [
        numbers(marked(part, separate, ends))
        for part in (text.train, text.validation, text.test)
    ]
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        if not (part >= len(MARKS)).any():
            raise DataError(
                f'The {name} part of "{source}" holds no words '
                f'(tokens="{tokens}").'
            )
    counts = count(parts[0], len(numbers))
    vocabulary, table = _vocabulary(
        numbers.words(), counts, min_count, max_vocabulary
    )
    if len(vocabulary) == len(MARKS):
        raise DataError(
            f'No word of "{source}" is kept with min_count={min_count}, '
            f"max_vocabulary={max_vocabulary}; the most frequent one occurs "
            f"{counts[len(MARKS) :].max()} times. Lower min_count, or raise "
            "max_vocabulary."
        )
    unknown_number = vocabulary.number(UNKNOWN_WORD)
    renumbered = [table[part] for part in parts]
    return WordText(
        *renumbered,
        vocabulary,
        ends,
        tuple(
            float(np.mean((new == unknown_number) & (old != 0)))
            for new, old in zip(renumbered, parts, strict=True)
        ),
        source,
        text.sha256,
    )


def encode_text(
    text: str,
    vocabulary: Vocabulary,
    *,
    tokens: str = "words",
    ends: str = "lines",
) -> tuple[np.ndarray, float]:
    """Returns the numbers of a text's words, and the share that is unknown.

    Args:
        text: any.
        vocabulary: as of `load_words`.
        tokens: as the vocabulary was made.
        ends: `lines` or `paragraphs`.

    Returns:
        int32 `(words,)`, in which unknown words are `<unk>`; and how many of
        them were not `<unk>` before, as a share.

    Raises:
        DataError: a vocabulary without `<unk>` or `<eos>`.
    """
    for mark in (UNKNOWN_WORD, END_OF_LINE):
        if mark not in vocabulary:
            raise DataError(
                f"The vocabulary has no {mark}. Make it with load_words()."
            )
    separate = separator(tokens, UNKNOWN_WORD)
    words = marked(text, separate, ends).decode("utf-8").split()
    numbers = vocabulary.encode(words)
    strange = numbers < 0
    numbers[strange] = vocabulary.number(UNKNOWN_WORD)
    return numbers, float(np.mean(strange)) if len(numbers) else 0.0


def marked(text: str, separate, ends: str) -> bytes:
    """Returns words separated by blanks, with `<eos>` among them.

    Args:
        text: any.
        separate: from `separator`.
        ends: `lines` or `paragraphs`.
    """
    end = b" %b " % MARKS[1]
    words = separate(text.replace("\0", " "))
    if not words.strip():
        return b""
    words = words.rstrip(b"\n")
    if ends == "lines":
        return words.replace(b"\n", end) + end
    return BLANK_LINES.sub(end, words.strip()) + end


def _vocabulary(
    words: Sequence[bytes],
    counts: np.ndarray,
    min_count: int,
    max_vocabulary: int,
) -> tuple[Vocabulary, np.ndarray]:
    """Returns the vocabulary, and the new number of every word."""
    rare = counts < max(min_count, 1)
    if max_vocabulary:
        order = np.argsort(-counts, kind="stable")
        order = order[order >= len(MARKS)]
        rare[order[max_vocabulary - len(MARKS) :]] = True
    rare[: len(MARKS)] = False
    counts = counts.copy()
    counts[0] += counts[rare].sum()
    counts[rare] = -1
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(~rare)]
    table = np.full(len(words), -1, np.int32)
    table[order] = np.arange(len(order))
    table[rare] = table[0]
    spelled = [words[number].decode("utf-8") for number in order]
    return Vocabulary(spelled, counts[order]), table
