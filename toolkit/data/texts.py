"""From a source string to a text in three splits."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import DataError, closest
from toolkit.text import python_docs

EMBEDDED = "embedded"
TFDS = "tfds:"
SHARES = (0.9, 0.05)  # of train and validation
EMBEDDED_LENGTH = 1_500_000  # characters
SUFFIXES = (".txt", ".md", ".rst", ".tokens", ".gz")
PARTS = ("train", "valid", "test")  # in the names of files that are splits


@dataclass(frozen=True)
class TextData:
    """A text in three parts that follow one another.

    Attributes:
        train: what the model learns from.
        validation: what chooses between epochs and settings.
        test: what is looked at once, at the end.
        source: the source string.
        sha256: of the whole text in UTF-8, hexadecimal.
        notes: what a user should know of it.
    """

    train: str
    validation: str
    test: str
    source: str
    sha256: str
    notes: tuple[str, ...] = ()


def load_text(
    source: str = EMBEDDED,
    *,
    characters: int = 0,
    data_dir: str | None = None,
) -> TextData:
    """Loads a text and settles its splits.

    Splits of a TFDS set are kept, and those of a folder of three files with
    train, valid and test in their names, such as `wiki.train.tokens`. Any
    other text is cut into its first 90 % for training, 5 % for validation and
    the rest for the test.

    Args:
        source: `embedded` (the documentation in the user's own installation),
            `tfds:NAME` of a set with the feature `text`, or the path of a
            text file (also .gz) or of a folder of them.
        characters: how many to take at most; 0 for all, which means 1.5
            million of the embedded text.
        data_dir: TFDS data directory; by default TFDS_DATA_DIR, else
            `~/tensorflow_datasets`.

    Raises:
        DataError: the source does not exist, is empty, or is no UTF-8 text.

    Example:
    >>> from toolkit.data import load_text
    >>> data = load_text("embedded", characters=10_000)
    >>> len(data.train), len(data.validation), len(data.test)
    (9000, 500, 500)
    """
    if source.startswith(TFDS):
        parts = _of_tfds(source.removeprefix(TFDS), characters, data_dir)
    elif files := _split_files(source):
        parts = tuple(map(read_text, files))
        if characters:
            parts = tuple(part[:characters] for part in parts)
    else:
        text = (
            python_docs(characters or EMBEDDED_LENGTH)
            if source == EMBEDDED
            else read_text(source)
        )
        text = text[:characters] if characters else text
        first = int(len(text) * SHARES[0])
        second = first + int(len(text) * SHARES[1])
        parts = (text[:first], text[first:second], text[second:])
    if not all(parts):
        raise DataError(
            f'The text "{source}" is too short to be cut into three parts: '
            f"{sum(map(len, parts))} characters. Give a longer one."
        )
    whole = "".join(parts).encode()
    return TextData(*parts, source, hashlib.sha256(whole).hexdigest())


def _split_files(source: str) -> list[Path]:
    """Returns the files of a folder that are its splits; none if it has none.

    Raises:
        DataError: a folder that is missing some of them.
    """
    folder = Path(source).expanduser()
    if source == EMBEDDED or not folder.is_dir():
        return []
    files = text_files(folder)
    found = [[f for f in files if part in f.name.lower()] for part in PARTS]
    if len(files) != len(PARTS) or not any(found):
        return []
    if any(len(some) != 1 for some in found):
        raise DataError(
            f'"{folder}" holds {", ".join(f.name for f in files)}: is that '
            "one text or three splits? Let the names of splits hold train, "
            "valid and test, and of other files none of these."
        )
    return [some[0] for some in found]


def read_text(path: str | Path) -> str:
    """Reads a text file, gzipped or not, or all of a folder in their order.

    Raises:
        DataError: missing, empty, damaged, or no UTF-8.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return "\n".join(map(read_text, text_files(path)))
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except FileNotFoundError as error:
        raise DataError(no_source(path)) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'Cannot read "{path}": {error}.') from error
    if not content:
        raise DataError(f'"{path}" is empty. Give a file with text in it.')
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f'"{path}" is no UTF-8 text: byte {error.start} is '
            f"0x{content[error.start]:02x}. Convert it, such as with: iconv "
            f"-f LATIN1 -t UTF-8 {path.name}"
        ) from error


def text_files(folder: Path) -> list[Path]:
    """Returns the text files below a folder in their order.

    Raises:
        DataError: there are none.
    """
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.name.endswith(SUFFIXES) and not p.is_dir()
    )
    if not files:
        raise DataError(
            f'"{folder}" holds no text files ({", ".join(SUFFIXES)}).'
        )
    return files


def no_source(path: Path) -> str:
    """Returns the message for a path that does not exist."""
    return (
        f'There is no data source "{path}".'
        f"{closest(str(path), [EMBEDDED])} Give embedded, tfds:NAME (such "
        "as tfds:tiny_shakespeare), or the path of a text file or folder."
    )


def open_tfds_text(name: str, data_dir: str | None):
    """Returns TFDS and its builder of a set of texts, downloaded if need be.

    Args:
        name: as TFDS has it.
        data_dir: as for `load_text`.

    Raises:
        DataError: an unknown set, one without texts, or one that is neither
            prepared nor to be downloaded.
    """
    from toolkit.data.tfds_images import open_builder, prepare

    tfds, builder = open_builder(name, data_dir)
    features = dict(getattr(builder.info.features, "items", dict().items)())
    if not isinstance(features.get("text"), tfds.features.Text):
        raise DataError(
            f'"tfds:{name}" is no text: its features are '
            f"{', '.join(features) or builder.info.features}; needed is text."
        )
    prepare(tfds, builder, name, data_dir)
    return tfds, builder


def tfds_texts(tfds, builder, name: str, part: str) -> Iterator[bytes]:
    """Returns the texts of a split's examples, one after another.

    Raises:
        DataError: no such split.
    """
    if part not in builder.info.splits:
        raise DataError(
            f'"tfds:{name}" has no split called {part}. It has: '
            f"{', '.join(builder.info.splits)}."
        )
    examples = tfds.as_numpy(
        builder.as_dataset(split=part, shuffle_files=False)
    )
    return (example["text"] for example in examples)


def _of_tfds(
    name: str, characters: int, data_dir: str | None
) -> tuple[str, str, str]:
    tfds, builder = open_tfds_text(name, data_dir)
    parts = []
    for part in ("train", "validation", "test"):
        lines, length = [], 0
        for text in tfds_texts(tfds, builder, name, part):
            lines.append(text.decode())
            length += len(lines[-1])
            if characters and length >= characters:
                break
        text = "\n".join(lines)
        parts.append(text[:characters] if characters else text)
    return tuple(parts)
