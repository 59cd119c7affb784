"""Files of word vectors, as word2vec.c, gensim and GloVe write them."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import ConfigError, DataError
from toolkit.io.atomic import atomic_path
from toolkit.text.characters import quoted
from toolkit.text.vocabulary import Vocabulary, writable
from toolkit.text.word2vec_reading import detect, read_records
from toolkit.text.word_vectors import WordVectors

BINARY = (".bin", ".bin.gz")
ROWS = 10_000  # written at once
LEVEL = 6  # of gzip


def write_word2vec(
    path: str | os.PathLike,
    word_vectors: WordVectors,
    binary: bool | None = None,
    *,
    vocabulary_path: str | os.PathLike | None = None,
) -> None:
    """Writes word vectors in the format of word2vec.c.

    The first line is `words size`. As text, a line `word number ...` follows
    for each word, with 9 digits, which bring back every float32 exactly; in
    binary, `word `, the float32 (little endian) and a new line. A path that
    ends in `.gz` is compressed.

    Args:
        path: the file. Its parent is created.
        word_vectors: what is written.
        binary: which of the two; by default binary if the path ends in `.bin`
            or `.bin.gz`.
        vocabulary_path: file for the counts, see `Vocabulary.save`.

    Raises:
        DataError: a word that holds white space; counts that are missing.
        OSError: the disk is full or not writable. An old file stays.

    Example:
    >>> import tempfile
    >>> from toolkit.text import (
    ...     Vocabulary, WordVectors, read_word2vec, write_word2vec)
    >>> vectors = WordVectors(Vocabulary(["a", "b"]), [[1, 0.5], [0, -3]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_word2vec(f"{folder}/vectors.txt", vectors)
    ...     with open(f"{folder}/vectors.txt") as file:
    ...         print(file.read(), end="")
    ...     read_word2vec(f"{folder}/vectors.txt")["b"]
    2 2
    a 1 0.5
    b 0 -3
    array([ 0., -3.], dtype=float32)

    Source: code.google.com/archive/p/word2vec, `TrainModel` in word2vec.c.
    """
    path = Path(path)
    if binary is None:
        binary = path.name.endswith(BINARY)
    if vocabulary_path is not None:
        word_vectors.vocabulary.save(vocabulary_path)
    with atomic_path(path) as temporary, _created(temporary) as file:
        file.write(b"%d %d\n" % word_vectors.vectors.shape)
        file.writelines(_lines(word_vectors, binary))


def read_word2vec(
    path: str | os.PathLike,
    binary: bool | None = None,
    limit: int = 0,
    *,
    vocabulary_path: str | os.PathLike | None = None,
) -> WordVectors:
    """Reads word vectors as word2vec.c, gensim or GloVe write them.

    Text without a first line `words size` is taken for GloVe's. Whether the
    file is compressed is seen from its content.

    Args:
        path: the file.
        binary: whether it is the binary format; by default seen from the
            content.
        limit: how many words to read at most, the first ones; 0 for all.
        vocabulary_path: file with the counts, see `Vocabulary.load`.

    Raises:
        DataError: no such file, or one that is damaged: names the line, or
            the word in the binary format; a word without a count.
        ConfigError: a limit below 0.

    Example: see `write_word2vec`.
    """
    path = Path(path)
    if limit < 0:
        raise ConfigError(
            f"`limit` must be at least 0, which means all. Received: {limit}."
        )
    counted = None
    if vocabulary_path is not None:
        counted = Vocabulary.load(vocabulary_path)
    try:
        with _opened(path) as file:
            form = detect(file, str(path), binary)
            length = path.stat().st_size
            words, vectors = read_records(file, form, limit, length)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: {reason}.") from error
    counts = None
    if counted is not None:
        counts = [_count(counted, word, str(vocabulary_path)) for word in words]
    return WordVectors(Vocabulary(words, counts), vectors)


def _lines(word_vectors: WordVectors, binary: bool) -> Iterator[bytes]:
    vectors = word_vectors.vectors
    encoded = writable(word_vectors.vocabulary.words)
    line = b"%b " + b" ".join([b"%.9g"] * word_vectors.size) + b"\n"
    for start in range(0, len(vectors), ROWS):
        rows = vectors[start : start + ROWS]
        words = itertools.islice(encoded, len(rows))
        if binary:
            for word, row in zip(words, rows.astype("<f4"), strict=True):
                yield b"%b %b\n" % (word, row.tobytes())
        else:
            for word, row in zip(words, rows.tolist(), strict=True):
                yield line % (word, *row)


def _count(counted: Vocabulary, word: str, path: str) -> int:
    number = counted.find(word)
    if number is None:
        raise DataError(f"{path}: the word {quoted(word)} is missing.")
    return int(counted.counts[number])


@contextlib.contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if path.suffix != ".gz":
            yield file
            return
        # No name and no time inside: equal vectors give equal files.
        with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed:
            yield packed


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        magic = file.read(2)
        file.seek(0)
        if magic != b"\x1f\x8b":
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked
