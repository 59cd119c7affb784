"""From a source string to a corpus of word numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from toolkit.data.corpus_blocks import Block, read_blocks
from toolkit.data.corpus_ids import (
    BREAK,
    UNKNOWN,
    count,
    drop_short,
    renumber,
)
from toolkit.data.texts import EMBEDDED
from toolkit.errors import ConfigError, DataError, unknown
from toolkit.text.characters import quoted
from toolkit.text.tokens import separator
from toolkit.text.vocabulary import Vocabulary
from toolkit.text.word_numbers import WordNumbers
from toolkit.whole_numbers import is_whole

SENTENCES = ("auto", "lines", "paragraphs", "document")
MARKS = (b"\0D", b"\0L")  # words that no text holds; they mark ends
DOCUMENT, LINE = range(len(MARKS))


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as numbers of its frequent words.

    Attributes:
        ids: int32 `(tokens,)`, read-only: numbers in `vocabulary`, and -1
            between two sentences, each of which has at least two words.
        vocabulary: the words with their counts in the text, the most frequent
            first and of equals the one that came first; or the one given.
        source: the source string.
        sha256: hexadecimal, of the bytes read (of a .gz, of what it holds;
            NUL between two documents): `sha256sum` of a text file. With
            `max_words` it covers the blocks that were begun.
        raw_words: words read, the rare ones too.
        kept_words: words in `ids`.
        distinct_words: different words read, the rare ones too.
        sentences: sentences in `ids`.
        short_sentences: those left out as only one word of theirs is known,
            which makes no pair.
        invalid_bytes: invalid sequences of UTF-8 that became U+FFFD.
        notes: what a user should know of it.
    """

    ids: np.ndarray
    vocabulary: Vocabulary
    source: str
    sha256: str
    raw_words: int
    kept_words: int
    distinct_words: int
    sentences: int
    short_sentences: int
    invalid_bytes: int
    notes: tuple[str, ...] = ()


def read_corpus(
    source: str = EMBEDDED,
    *,
    tokens: str = "words",
    sentences: str = "auto",
    min_count: int = 5,
    max_vocabulary: int = 0,
    max_words: int = 0,
    vocabulary: Vocabulary | None = None,
    data_dir: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Corpus:
    """Reads a text in one pass and settles its vocabulary.

    The text is read in blocks, whatever the lengths of its lines, and its
    words are kept as numbers from the start: at its peak that takes some 4.5
    bytes for each word read and 200 for each different one, and 45 MB (growth
    of VmHWM in /proc/self/status, with 5 and 25 million words, and with 2
    million different ones). The embedded text, of 2.6 million words, has to
    be gathered first, which takes half a minute; once in a process.

    Args:
        source: `embedded` (the documentation in the user's own installation),
            `tfds:NAME` of a set with the feature `text` (its split train), or
            the path of a text file (also .gz) or of a folder of them.
        tokens: what a word is, one of `toolkit.text.TOKENS`.
        sentences: what a sentence is, one of `SENTENCES`: `lines`;
            `paragraphs`, which end at a line without words; `document`, a
            whole file or example; `auto`, paragraphs of the embedded text and
            lines of any other. A line ends with a line feed.
        min_count: words that are rarer are left out.
        max_vocabulary: how many words to keep at most, the most frequent; 0
            for all.
        max_words: how many words to read at most; 0 for all.
        vocabulary: use it and build none; `min_count` and `max_vocabulary`
            count for nothing then.
        data_dir: TFDS data directory; by default TFDS_DATA_DIR, else
            `~/tensorflow_datasets`.
        progress: called with the number of words read, after every block.

    Raises:
        ConfigError: an argument out of range.
        DataError: the source does not exist, is damaged or no text, or too
            small: fewer than two words reach `min_count`, or no sentence has
            two of them.

    Example:
    >>> from toolkit.data import read_corpus
    >>> corpus = read_corpus("embedded", max_words=10_000)
    >>> corpus.vocabulary.words[:3], corpus.raw_words
    (('the', 'a', 'is'), 10000)
    >>> corpus.vocabulary.decode(corpus.ids[:3])
    ['the', 'assert', 'statement']
    """
    if sentences not in SENTENCES:
        raise ConfigError(unknown("sentences", sentences, SENTENCES))
    check_limits(min_count, max_vocabulary, max_words)
    separate = separator(tokens)
    if sentences == "auto":
        sentences = "paragraphs" if source == EMBEDDED else "lines"
    text = _read(
        read_blocks(source, data_dir=data_dir, max_words=max_words),
        separate,
        sentences,
        max_words,
        progress or (lambda raw_words: None),
    )
    if not text.raw_words:
        raise DataError(f'"{source}" holds no words (tokens="{tokens}").')
    counts = count(_as_array(text.ids), len(text.words))
    counts[: len(MARKS)] = 0
    if vocabulary is None:
        chosen = _choose(source, text.words, counts, min_count, max_vocabulary)
        vocabulary = Vocabulary(
            [text.words[number] for number in chosen], counts[chosen]
        )
        table = np.full(len(text.words), UNKNOWN, np.int32)
        table[chosen] = np.arange(len(chosen))
    else:
        table = vocabulary.encode(text.words)
        table[table < 0] = UNKNOWN
    table[: len(MARKS)] = BREAK
    ids = _as_array(text.ids)
    length = renumber(ids, table)
    length, kept, short = drop_short(ids[:length])
    if not kept:
        raise DataError(
            f'"{source}" has no sentence of two words of the vocabulary '
            f"({short:,} of one word). "
            + (
                "Lower min_count, or take longer sentences: sentences="
                '"document" takes a whole text as one.'
                if short
                else "Is the text prepared as that of the vocabulary was, with "
                f'tokens="{tokens}"?'
            )
        )
    del ids  # a bytearray in use cannot shrink
    del text.ids[4 * length :]
    ids = _as_array(text.ids)
    ids.flags.writeable = False
    return Corpus(
        ids,
        vocabulary,
        source,
        text.sha256,
        raw_words=text.raw_words,
        kept_words=length - (kept - 1),
        distinct_words=int(np.count_nonzero(counts)),
        sentences=kept,
        short_sentences=short,
        invalid_bytes=text.invalid_bytes,
        notes=_notes(text.invalid_bytes, short),
    )


@dataclass
class _Text:
    """What was read: numbers of all words in the order of first sight."""

    ids: bytearray  # of int32; grows without a copy, with an eighth to spare
    words: list[str]
    raw_words: int
    sha256: str
    invalid_bytes: int


def _read(
    blocks: Iterator[Block],
    separate: Callable[[str], bytes],
    sentences: str,
    max_words: int,
    progress: Callable[[int], None],
) -> _Text:
    numbers = WordNumbers(MARKS)
    store = bytearray()
    raw_words = invalid = 0
    sha256, last = "", DOCUMENT
    for block in blocks:
        text = separate(block.text).replace(b"\0", b" %b " % MARKS[DOCUMENT])
        if sentences != "document":
            text = text.replace(b"\n", b" %b " % MARKS[LINE])
        ids = numbers(text)
        if sentences == "paragraphs" and len(ids):
            # The end of a line counts if that line is empty.
            before = np.concatenate(([last], ids[:-1]))
            last = ids[-1]
            ids = ids[(ids != LINE) | (before == LINE)]
        places = np.flatnonzero(ids >= len(MARKS))
        if max_words and raw_words + len(places) >= max_words:
            places = places[: max_words - raw_words]
            ids = ids[: places[-1] + 1]
        store += ids.tobytes()
        sha256, invalid = block.sha256, invalid + block.invalid
        raw_words += len(places)
        progress(raw_words)
        if max_words and raw_words >= max_words:
            break
    # Decoded all at once: no word holds a new line.
    words = b"\n".join(numbers.words()).decode("utf-8").split("\n")
    return _Text(store, words, raw_words, sha256, invalid)


def _as_array(ids: bytearray) -> np.ndarray:
    return np.frombuffer(ids, np.int32)


def _choose(
    source: str,
    words: list[str],
    counts: np.ndarray,
    min_count: int,
    max_vocabulary: int,
) -> np.ndarray:
    """Returns the numbers of the words to keep, the most frequent first.

    Raises:
        DataError: fewer than two.
    """
    order = np.argsort(-counts, kind="stable")
    chosen = order[: np.count_nonzero(counts >= min_count)]
    if len(chosen) < 2:
        first, second = order[:2]
        fix = (
            f"Set min_count to {counts[second]} or less."
            if counts[second]
            else "Give a text with two different words at least."
        )
        raise DataError(
            f'"{source}": min_count={min_count} leaves {len(chosen)} of '
            f"{np.count_nonzero(counts):,} different words, and a vocabulary "
            f"needs two. The most frequent is {quoted(words[first])}, which "
            f"comes {counts[first]:,} times. {fix}"
        )
    return chosen[:max_vocabulary] if max_vocabulary else chosen


def _notes(invalid_bytes: int, short: int) -> tuple[str, ...]:
    notes = []
    if invalid_bytes:
        notes.append(
            f"{invalid_bytes:,} invalid UTF-8 sequences were replaced by "
            "U+FFFD; convert a text in another encoding with iconv."
        )
    if short:
        notes.append(
            f"{short:,} sentences with only one word of the vocabulary were "
            "left out."
        )
    return tuple(notes)


def check_limits(min_count: int, max_vocabulary: int, max_words: int) -> None:
    """Raises for what bounds a vocabulary or a text, if out of range.

    Args:
        min_count: at least 1.
        max_vocabulary: 0, or at least 2.
        max_words: at least 0.

    Raises:
        ConfigError: the first of them.
    """
    for name, value, least, fix in (
        ("min_count", min_count, 1, "a positive integer; 1 keeps all words"),
        ("max_vocabulary", max_vocabulary, 0, "0 for all words, or above 1"),
        ("max_words", max_words, 0, "a number of words, or 0 for all"),
    ):
        one = (name, value) == ("max_vocabulary", 1)
        if one or not is_whole(value, least):
            raise ConfigError(
                f"`{name}` must be {fix}. Received: {name}={value!r} (of type "
                f"{type(value).__name__})."
            )
