"""A folder of class folders: `cats/1.png`, `dogs/2.png`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from toolkit.data.images import WAY_OUT, Images, resize
from toolkit.data.raw import RawImages
from toolkit.errors import DataError

SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff",
    ".webp",
)  # fmt: skip
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}


def load_image_folder(
    folder: Path, size: tuple[int, int] | None, way_out: str = WAY_OUT
) -> RawImages:
    """Reads a folder of class folders, or one such folder per split.

    Args:
        folder: holds a folder per class, or `train` and `test` (and
            `validation`) that do. Names that begin with a dot are passed
            over.
        size: height and width for images of mixed sizes; None refuses them.
        way_out: flags that let images of mixed sizes be taken, for messages.

    Raises:
        DataError: no classes or no images, an unreadable image, mixed sizes
            or colour modes.
    """
    parts = _parts(folder)
    names = sorted({p.name for root in parts.values() for p in _folders(root)})
    if len(names) < 2:
        raise DataError(
            f'"{folder}" must hold at least two folders, one per class, with '
            f"images in them. Found: {', '.join(names) or 'none'}."
        )
    files = {
        part: [
            (path, label)
            for label, name in enumerate(names)
            for path in _images(root / name)
        ]
        for part, root in parts.items()
    }
    for part, found in files.items():
        present = {label for _, label in found}
        missing = [n for i, n in enumerate(names) if i not in present]
        if missing and (part == "train"):
            raise DataError(
                f'"{parts[part] / missing[0]}" holds no images (looked for '
                f"{', '.join(SUFFIXES)})."
            )
    reader = _Reader(size, way_out)
    splits = {
        part: reader.read(found) for part, found in files.items() if found
    }
    return RawImages(
        train=splits["train"],
        test=splits.get("test"),
        validation=splits.get("validation"),
        class_names=tuple(names),
        mixed=size is not None,
    )


class _Reader:
    """Reads images and holds all of them to the first one's size and mode."""

    def __init__(self, size: tuple[int, int] | None, way_out: str):
        self.size = size
        self.way_out = way_out
        self.first: tuple[Path, tuple[int, int], str] | None = None

    def read(self, files: list[tuple[Path, int]]) -> Images:
        images = [self._one(path) for path, _ in files]
        labels = np.array([label for _, label in files], np.int32)
        return Images(np.stack(images), labels)

    def _one(self, path: Path) -> np.ndarray:
        try:
            with Image.open(path) as picture:
                upright = ImageOps.exif_transpose(picture)
                mode, pixels = upright.mode, np.asarray(upright)
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise DataError(
                f'Cannot read the image "{path}": {error}. Remove or replace '
                "it."
            ) from error
        if mode not in ("L", "RGB"):
            raise DataError(
                f'"{path}" has mode {mode}; only 8-bit grey (L) and RGB '
                "images are taken. Convert it first."
            )
        height_width = pixels.shape[:2]
        if self.first is None:
            self.first = (path, height_width, mode)
        first, wanted, first_mode = self.first
        if mode != first_mode:
            raise DataError(
                f'"{path}" has mode {mode} where "{first}" has {first_mode}. '
                "Convert all images to one mode."
            )
        if self.size is None and height_width != wanted:
            raise DataError(
                f'"{path}" is {height_width[0]}x{height_width[1]} where '
                f'"{first}" is {wanted[0]}x{wanted[1]} (height x width). Make '
                f"them one size, or let all be resized: {self.way_out}."
            )
        pixels = pixels.reshape(*height_width, -1)
        return pixels if self.size is None else resize(pixels, self.size)


def _parts(folder: Path) -> dict[str, Path]:
    parts = {
        part: folder / name
        for part, names in SPLITS.items()
        for name in names
        if (folder / name).is_dir() and _folders(folder / name)
    }
    return parts if "train" in parts else {"train": folder}


def _folders(folder: Path) -> list[Path]:
    return sorted(
        p
        for p in folder.iterdir()
        if p.is_dir() and not p.name.startswith((".", "_"))
    )


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES
        and p.is_file()
        and not p.name.startswith(".")
    )
