"""PGM pictures with the grey values that are in the file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from toolkit.errors import DataError

SPACE = rb"(?:\s|#[^\n]*\n)+"
HEADER = re.compile(
    rb"(P[25])" + SPACE + rb"(\d+)" + SPACE + rb"(\d+)" + SPACE + rb"(\d+)\s"
)


def read_pgm(path: str | Path) -> np.ndarray:
    """Reads a PGM file of up to 8 bits, binary (P5) or plain (P2).

    The values are those in the file: not stretched so that the file's largest
    allowed value becomes 255, as most readers do.

    Args:
        path: the file.

    Returns:
        uint8 `(height, width)`.

    Raises:
        DataError: missing, not PGM, of more than 8 bits, or cut short.

    Source: J. Poskanzer: the PGM format, netpbm.sourceforge.net/doc/pgm.html.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f'Cannot read "{path}": {error.strerror}.') from error
    header = HEADER.match(content)
    if not header:
        raise DataError(
            f'"{path}" is not a PGM file: it begins with '
            f"{content[:8].hex(' ') or 'nothing'}."
        )
    width, height, largest = (int(header[i]) for i in (2, 3, 4))
    if not 0 < largest < 256:
        raise DataError(
            f'"{path}" has grey values up to {largest}; only 8 bits are taken.'
        )
    body = content[header.end() :]
    if header[1] == b"P2":
        numbers = re.sub(rb"#[^\n]*", b"", body).split()
        try:
            values = np.array([int(n) for n in numbers])
        except ValueError as error:
            raise DataError(
                f'"{path}" holds something else than numbers: {error}. Fetch '
                "it again."
            ) from error
    else:
        values = np.frombuffer(body, np.uint8)
    if len(values) < width * height:
        raise DataError(
            f'"{path}" is cut short: {width}x{height} values are announced, '
            f"{len(values)} are there. Fetch it again."
        )
    values = values[: width * height]
    if values.min() < 0 or values.max() > largest:
        raise DataError(
            f'"{path}" announces grey values up to {largest} and holds '
            f"{values.min()} to {values.max()}. Fetch it again."
        )
    return values.astype(np.uint8).reshape(height, width).copy()
