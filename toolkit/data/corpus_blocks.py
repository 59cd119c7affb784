"""The text of a corpus, block by block."""

from __future__ import annotations

import codecs
import functools
import gzip
import hashlib
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from toolkit.data.texts import (
    EMBEDDED,
    TFDS,
    no_source,
    open_tfds_text,
    text_files,
    tfds_texts,
)
from toolkit.errors import DataError
from toolkit.text.documentation import python_docs

BLOCK = 1 << 17  # bytes; what is made of one has room in a core's cache
HEAD = 1 << 13  # bytes, by which a file is judged
LONGEST = 1 << 24  # bytes without whitespace
STRANGE = 0.1  # share of a head that may be no text
PER_WORD = 10  # characters of the embedded text, which has 7
WORD = re.compile(r"[A-Za-z]\S*")
REPLACED = "\ufffd"
CONTROLS = "".join(map(chr, (*range(9), *range(14, 28), 127)))
LOOKS = {  # by the first bytes
    b"PK\x03\x04": "a zip archive: unpack it",
    b"\x1f\x8b": "a gzip file in a gzip file: unpack it",
    b"BZh": "a bzip2 file: unpack it with bunzip2",
    b"\xfd7zXZ": "an xz file: unpack it with unxz",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"\x28\xb5\x2f\xfd": "a zstd file: unpack it with unzstd",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF: extract its text with pdftotext",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"SQLite": "an SQLite database",
    b"\x7fELF": "a program",
    b"\xff\xfe": "UTF-16: convert it with iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16: convert it with iconv -f UTF-16 -t UTF-8",
}
TAR = slice(257, 262), b"ustar", "a tar archive: unpack it, give the folder"


class Block(NamedTuple):
    """Some text of a corpus.

    Attributes:
        text: whole words; a NUL stands between two documents.
        sha256: hexadecimal, of all bytes up to here.
        invalid: invalid UTF-8 sequences that became U+FFFD here.
    """

    text: str
    sha256: str
    invalid: int


def read_blocks(
    source: str, *, data_dir: str | None = None, max_words: int = 0
) -> Iterator[Block]:
    """Returns the blocks of a source; a thread reads one ahead.

    A block has some BLOCK bytes, whatever the lengths of lines, and is cut
    behind ASCII whitespace, so that neither a word nor a character is.

    Args:
        source: as for `read_corpus`.
        data_dir: as for `read_corpus`.
        max_words: how many will be needed of the embedded text; 0 for all.

    Raises:
        DataError: no such source, or when its place is reached, a file that
            is damaged or no text.
    """
    return _ahead(_decoded(_merged(_pieces(source, data_dir, max_words))))


def _ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    with closing(blocks), ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, blocks, None)
        while block := waiting.result():
            waiting = thread.submit(next, blocks, None)
            yield block


def _decoded(blocks: Iterable[bytes]) -> Iterator[Block]:
    sha256 = hashlib.sha256()
    for block in blocks:
        sha256.update(block)
        try:
            text, invalid = block.decode("utf-8"), 0
        except UnicodeDecodeError:
            text = block.decode("utf-8", "replace")
            there = block.count(REPLACED.encode("utf-8"))
            invalid = text.count(REPLACED) - there
        if not text.isascii():
            text = text.replace("\ufeff", "")  # marks where a file begins
        yield Block(text, sha256.hexdigest(), invalid)


def _merged(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Joins small documents, as each block has a price of its own."""
    held, size = [], 0
    for piece in pieces:
        if held and size + len(piece) > BLOCK:
            yield b"".join(held)
            held, size = [], 0
        held.append(piece)
        size += len(piece)
    if held:
        yield b"".join(held)


def _pieces(
    source: str, data_dir: str | None, max_words: int
) -> Iterator[bytes]:
    """Returns whole words in bytes, NUL between two documents."""
    if source.startswith(TFDS):
        name = source.removeprefix(TFDS)
        tfds, builder = open_tfds_text(name, data_dir)
        texts = tfds_texts(tfds, builder, name, "train")
        documents = ([_checked(text, source)] for text in texts)
    elif source == EMBEDDED:
        text = _embedded(max_words).encode("utf-8")
        starts = range(0, len(text), BLOCK)
        chunks = (text[start : start + BLOCK] for start in starts)
        documents = [_cut(chunks, source)]
    else:
        path = Path(source).expanduser()
        if not path.exists():
            raise DataError(no_source(path))
        paths = text_files(path) if path.is_dir() else [path]
        documents = map(_file, paths)
    divided = itertools.chain.from_iterable(
        ([b"\0"], document) for document in documents
    )
    next(divided, None)
    return itertools.chain.from_iterable(divided)


def _embedded(max_words: int) -> str:
    """Returns the documentation, about as much as has so many words."""
    length = PER_WORD * max_words
    while True:
        text = python_docs(length)
        if not length or len(text) < length:
            return text
        # Each of these is a word at least, the last one maybe in part.
        if len(WORD.findall(text)) > max_words:
            return text
        length *= 4


def _file(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=HEAD) as file:
            compressed = file.peek(2)[:2] == b"\x1f\x8b"
            stream = gzip.GzipFile(fileobj=file) if compressed else file
            _check_head(path, stream.peek(HEAD)[:HEAD])
            read = functools.partial(stream.read, BLOCK)
            yield from _cut(iter(read, b""), str(path))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'Cannot read "{path}": {error}.') from error


def _cut(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yields what it gets, cut anew behind whitespace.

    Raises:
        DataError: a NUL, or a word of LONGEST bytes.
    """
    rest, done = b"", 0
    for chunk in chunks:
        _checked(chunk, name, done)
        done += len(chunk)
        end = max(map(chunk.rfind, (b" ", b"\n", b"\r", b"\t"))) + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) >= LONGEST:
            raise DataError(
                f'"{name}" is no text of words: no whitespace in the '
                f"{len(rest):,} bytes before byte {done:,}. Separate its "
                "words by spaces."
            )
    if rest:
        yield rest


def _checked(chunk: bytes, name: str, done: int = 0) -> bytes:
    """Returns a chunk that starts at byte `done`.

    Raises:
        DataError: a NUL, which no text has.
    """
    place = chunk.find(b"\0")
    if place >= 0:
        raise DataError(
            f'"{name}" is no text: byte {done + place:,} is 0x00. Give a '
            "text in UTF-8."
        )
    return chunk


def _check_head(path: Path, head: bytes) -> None:
    """Raises for a file that is no text by its first bytes, and says what.

    Raises:
        DataError: a NUL, or many bytes that are no UTF-8 or control
            characters.
    """
    # A character that the end of the head cuts counts for nothing.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
    invalid = text.count(REPLACED) - head.count(REPLACED.encode("utf-8"))
    strange = invalid + sum(map(text.count, CONTROLS))
    if "\0" not in text and strange <= STRANGE * len(text):
        return
    looks = [what for magic, what in LOOKS.items() if head.startswith(magic)]
    if head[TAR[0]] == TAR[1]:
        looks = [TAR[2]]
    fix = (
        f"It looks like {looks[0]}."
        if looks
        else "Give a text in UTF-8; one in another encoding can be converted, "
        f"such as with: iconv -f LATIN1 -t UTF-8 {path.name}"
    )
    raise DataError(
        f'"{path}" is no text: {strange / len(text):.0%} of its first '
        f"{len(text):,} characters are invalid UTF-8 or control characters. "
        f"{fix}"
    )
