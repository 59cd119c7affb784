"""IDX files, the format in which MNIST was published."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from toolkit.data.images import Images
from toolkit.data.raw import RawImages
from toolkit.errors import DataError

SPLITS = {"train": "train", "test": "t10k"}
TYPES = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def find_idx(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Returns image and label file per split; empty if there are none."""
    found = {}
    for split, prefix in SPLITS.items():
        images = _first(folder, f"{prefix}-images[-.]idx3-ubyte")
        labels = _first(folder, f"{prefix}-labels[-.]idx1-ubyte")
        if bool(images) != bool(labels):
            raise DataError(
                f'"{folder}" holds {(images or labels).name} but not the '
                f"{'labels' if images else 'images'} that go with it."
            )
        if images:
            found[split] = (images, labels)
    return found


def load_idx(folder: Path) -> RawImages:
    """Reads a folder of IDX files, plain or .gz.

    Args:
        folder: holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and,
            if there is a test split, the same with `t10k`.

    Raises:
        DataError: a file is missing or damaged.
    """
    files = find_idx(folder)
    if "train" not in files:
        raise DataError(
            f'"{folder}" holds no train-images-idx3-ubyte[.gz]. Add the '
            "training images and labels."
        )
    splits = {name: _pair(*pair) for name, pair in files.items()}
    classes = 1 + max(int(part.labels.max()) for part in splits.values())
    return RawImages(
        train=splits["train"],
        test=splits.get("test"),
        validation=None,
        class_names=tuple(str(i) for i in range(classes)),
    )


def read_idx(path: Path) -> np.ndarray:
    """Reads one IDX file.

    Layout: two zero bytes, a type byte, the number of dimensions, the size of
    each (big-endian, four bytes), the values.

    Args:
        path: the file; read through gzip if its name ends in `.gz`.

    Raises:
        DataError: no such file, not IDX, or cut short.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                content = file.read()
        else:
            content = path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'Cannot read "{path}": {error}.') from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(
            f'"{path}" is not an IDX file: it begins with '
            f"{content[:4].hex(' ') or 'nothing'}."
        )
    dtype, rank = TYPES[content[2]], content[3]
    start = 4 + 4 * rank
    shape = tuple(np.frombuffer(content[4:start], ">u4").astype(int).tolist())
    wanted = start + math.prod(shape) * dtype.itemsize
    if len(shape) != rank or len(content) != wanted:
        raise DataError(
            f'"{path}" is damaged: its header asks for {wanted} bytes '
            f"({'x'.join(map(str, shape))}), it has {len(content)}. Fetch it "
            "again."
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def _pair(images_path: Path, labels_path: Path) -> Images:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(
            f'"{images_path}" must hold uint8 images in three dimensions. '
            f"Received: {images.dtype}, shape {images.shape}."
        )
    if labels.ndim != 1 or len(labels) != len(images) or not len(labels):
        raise DataError(
            f'"{labels_path}" holds labels of shape {labels.shape} for '
            f"{len(images)} images."
        )
    return Images(images[..., None], labels.astype(np.int32))


def _first(folder: Path, pattern: str) -> Path | None:
    for suffix in ("", ".gz"):
        matches = sorted(folder.glob(pattern + suffix))
        if matches:
            return matches[0]
    return None
