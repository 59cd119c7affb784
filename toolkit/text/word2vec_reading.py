"""The records of files of word vectors, checked one by one."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from toolkit.errors import DataError
from toolkit.text.characters import quoted

CHUNK = 1 << 22  # bytes read at once
SAMPLE = 1 << 20  # bytes looked at, at most, to tell text from binary
EXPANSION = 1032  # times that deflate makes a file smaller at most
CONTROL = bytes({*range(9), *range(14, 32), 127})  # never in text


@dataclass(frozen=True)
class Form:
    """What the beginning of a file says.

    Attributes:
        path: the file, for messages.
        words: how many there are.
        size: numbers in a vector.
        binary: whether they are float32, not text.
        header: whether the first line said so; GloVe has no such line.
    """

    path: str
    words: int
    size: int
    binary: bool
    header: bool

    def where(self, place: int) -> str:
        """Returns how a message calls the record of a word."""
        if self.binary:
            return f"{self.path}, word {place + 1} of {self.words}"
        return f"{self.path}, line {place + 1 + self.header}"


def detect(file: BinaryIO, path: str, binary: bool | None) -> Form:
    """Returns the form of a file; leaves it at the first word.

    Args:
        file: at its beginning; can seek.
        path: its name.
        binary: whether it is binary; None if that is to be seen.

    Raises:
        DataError: a first line that is neither word2vec's nor GloVe's.
    """
    first = file.readline(SAMPLE)
    fields = first.split()
    header = len(fields) == 2 and all(field.isdigit() for field in fields)
    if header:
        words, size = map(int, fields)
        if binary is None:
            binary = _is_binary(file.read(SAMPLE), size, path)
        file.seek(len(first))
    else:
        size, words = len(fields) - 1, 0
        if binary or _numbers(fields[1:], max(size, 1)) is None:
            raise DataError(
                f"{path}, line 1: must be `words size`, as word2vec writes, "
                "or a word and its numbers, as GloVe does in text. Received: "
                f"{first[:60]!r}."
            )
        if size == 1 and fields[1].isdigit():
            raise DataError(
                f"{path}, line 1: words and counts are a vocabulary, not word "
                "vectors, which a run has in vectors.bin. Received: "
                f"{first[:60]!r}."
            )
        file.seek(0)
        while chunk := file.read(CHUNK):
            words += chunk.count(b"\n")
        words += 1  # the last line may lack its end
        file.seek(0)
    if not words or not size:
        raise DataError(
            f"{path}, line 1: `words` and `size` must be at least 1. "
            f"Received: {first[:60]!r}."
        )
    return Form(path, words, size, bool(binary), header)


def read_records(
    file: BinaryIO, form: Form, limit: int, length: int
) -> tuple[list[str], np.ndarray]:
    """Returns words and vectors, float32 `(words, size)`.

    Args:
        file: at the first word.
        form: of `detect`.
        limit: how many words to read at most; 0 for all.
        length: bytes of the file, compressed or not.

    Raises:
        DataError: the first record that does not fit.
    """
    count = min(limit, form.words) if limit else form.words
    # No file is trusted to reserve more memory than it could fill.
    room = length * EXPANSION // ((4 if form.binary else 2) * form.size) + 1
    vectors = np.empty((min(count, room), form.size), np.float32)
    read = _read_binary if form.binary else _read_text
    words: dict[str, None] = {}
    rest = read(file, form, count, words, vectors)
    if not limit and rest.strip():
        raise DataError(
            f"{form.path}: more follows after the {form.words} words that the "
            f"first line promises: {rest.strip()[:60]!r}."
        )
    vectors = vectors[: len(words)]
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        place = int(np.argmin(finite))
        raise DataError(
            f"{form.where(place)}: the vector of "
            f"{quoted(list(words)[place])} is not finite."
        )
    return list(words), vectors


def _read_text(file, form, count, words, vectors) -> bytes:
    for place in range(count):
        line = file.readline()
        if not line.strip():
            if not form.header and place and not file.read(CHUNK).strip():
                return b""  # how many lines there are was but a guess
            raise DataError(
                f"{form.where(place)}: must hold a word. The file has {place} "
                f"of {form.words} words."
            )
        word, _, rest = line.partition(b" ")
        fields = rest.split()
        if len(fields) != form.size:
            raise DataError(
                f"{form.where(place)}: must be a word and {form.size} "
                f"numbers. Received {len(fields)} numbers: {line[:60]!r}."
            )
        numbers = _numbers(fields, form.size)
        if numbers is None:
            wrong = next(f for f in fields if _numbers([f], 1) is None)
            raise DataError(
                f"{form.where(place)}: {wrong[:60]!r} is not a number."
            )
        _add(word, form, words)
        vectors[place] = numbers
    return file.read(CHUNK)


def _read_binary(file, form, count, words, vectors) -> bytes:
    buffer, start = b"", 0
    for place in range(count):
        while True:
            blank = buffer.find(b" ", start)
            end = blank + 1 + 4 * form.size
            if blank >= 0 and end <= len(buffer):
                break
            chunk = file.read(CHUNK)
            if not chunk:
                raise DataError(
                    f"{form.where(place)}: the file ends before or within it; "
                    "it is cut off, or its first line is wrong."
                )
            buffer, start = buffer[start:] + chunk, 0
        # word2vec.c ends every vector with a new line, gensim does not.
        _add(buffer[start:blank].lstrip(b"\n"), form, words)
        vectors[place] = np.frombuffer(buffer, "<f4", form.size, blank + 1)
        start = end
    return buffer[start:] + file.read(CHUNK)


def _add(encoded: bytes, form: Form, words: dict[str, None]) -> None:
    place = len(words)
    try:
        word = encoded.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{form.where(place)}: the word is not UTF-8: {encoded[:60]!r}."
        ) from None
    if not word:
        raise DataError(f"{form.where(place)}: the word is empty.")
    if word in words:
        raise DataError(
            f"{form.where(place)}: {quoted(word)} comes twice, first at "
            f"{form.where(list(words).index(word)).rpartition(', ')[2]}."
        )
    words[word] = None


def _numbers(fields: list[bytes], size: int) -> np.ndarray | None:
    """Returns so many numbers, float32 `(size,)`; None if they are not."""
    try:
        with np.errstate(over="ignore"):
            numbers = np.array(fields, np.float32)
    except ValueError:
        return None
    return numbers if numbers.shape == (size,) else None


def _is_binary(sample: bytes, size: int, path: str) -> bool:
    after = sample.partition(b" ")[2]
    if _numbers(after.partition(b"\n")[0].split(), size) is not None:
        return False
    window = after[: 4 * size]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(window)
    except UnicodeDecodeError:
        return True
    named = path.endswith((".bin", ".bin.gz"))
    return named or len(window.translate(None, CONTROL)) < len(window)
