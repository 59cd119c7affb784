"""Labelled images in memory, and how pictures become model inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from toolkit.errors import DataError

RESIZE = ("auto", "pad", "bilinear")
WAY_OUT = "--resize bilinear --size N"  # of images of mixed sizes
ROWS = "rows"  # a layout: the rows of an image are the steps of a sequence
MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Images:
    """Images with labels.

    Attributes:
        images: uint8 `(N, height, width, channels)`.
        labels: int32 `(N,)`, the index of the class.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        if len(self.images) != len(self.labels):
            raise DataError(
                f"There are {len(self.images)} images and {len(self.labels)} "
                "labels; each image needs one label."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Images:
        """Returns the images at the given places."""
        return Images(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class ImageData:
    """Three splits of an image classification set.

    Attributes:
        train: what the model learns from.
        validation: what chooses between epochs and settings.
        test: what is looked at once, at the end.
        class_names: name of each class, by label.
        source: the source string.
        preprocessing: how a picture file becomes an input, for the runtime:
            `mode`, `native_size` (None: any), `size`, `resize`, `scale`,
            `offset`; for sequences `layout`, and `padding` if there is any.
        notes: what a user should know of them.
    """

    train: Images
    validation: Images
    test: Images
    class_names: tuple[str, ...]
    source: str
    preprocessing: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return tuple(self.train.images.shape[1:])

    @property
    def scaling(self) -> dict[str, Any]:
        """How uint8 pixels become inputs, as arguments of the pipelines."""
        names = ("scale", "offset", "layout")
        return {k: v for k, v in self.preprocessing.items() if k in names}

    def scaled(self, ground: float, ink: float) -> ImageData:
        """Returns the same images with other numbers for dark and light.

        Args:
            ground: input value of a pixel of 0.
            ink: input value of a pixel of 255.
        """
        scaling = {"scale": (ink - ground) / 255, "offset": ground}
        return dataclasses.replace(
            self, preprocessing={**self.preprocessing, **scaling}
        )

    def as_rows(self, padding: float | None = None) -> ImageData:
        """Returns the same images, whose inputs are sequences of rows.

        An input is `(height, width * channels)`: one step is one row.

        Args:
            padding: a step full of this number is passed over by the model;
                None if every step counts. For users of exported files.
        """
        rules = {**self.preprocessing, "layout": ROWS}
        if padding is not None:
            rules["padding"] = padding
        return dataclasses.replace(self, preprocessing=rules)


def to_inputs(images: np.ndarray, rules: Mapping[str, Any]) -> np.ndarray:
    """Turns pixels into the inputs of a model, as its training did.

    Args:
        images: `(N, height, width, channels)`, values from 0 to 255.
        rules: `ImageData.preprocessing`, or the `preprocessing` that an
            exported file holds.

    Returns:
        float32 `(N, height, width, channels)`; in the layout `rows`
        `(N, height, width * channels)`.

    Example:
    >>> from toolkit.data import load_images, to_inputs
    >>> data = load_images("embedded")
    >>> to_inputs(data.test.images[:2], data.as_rows().preprocessing).shape
    (2, 8, 8)
    """
    scale, offset = (np.float32(rules[name]) for name in ("scale", "offset"))
    inputs = np.asarray(images, np.float32) * scale + offset
    if rules.get("layout") == ROWS:
        inputs = inputs.reshape(*inputs.shape[:2], -1)
    return inputs


def way_out(size: tuple[int, int] | None, resize: str) -> str:
    """Returns the flags that let images of mixed sizes be taken.

    Args:
        size: height and width wanted, by the user or by the net; None if
            nobody said.
        resize: as the user has it now.
    """
    if size is not None:
        return "--resize bilinear"
    if resize == "bilinear":
        return "--size N, which --resize bilinear needs"
    return WAY_OUT


def how_to_fit(
    native: tuple[int, int] | None, size: tuple[int, int], resize: str
) -> str:
    """Returns how images get to a size: `none`, `pad` or `bilinear`.

    Args:
        native: height and width of every image; None if they differ.
        size: height and width wanted.
        resize: `auto` pads images that are at most a quarter too small and
            resizes all others; `pad` and `bilinear` say it outright.

    Raises:
        DataError: images of mixed sizes with `auto`, or too large to pad.
    """
    if resize not in RESIZE:
        raise DataError(
            f"`resize` must be one of {', '.join(RESIZE)}. Received: "
            f'resize="{resize}".'
        )
    if native == size:
        return "none"
    if resize == "bilinear":
        return "bilinear"
    fits = native is not None and all(
        n <= s for n, s in zip(native, size, strict=True)
    )
    if resize == "pad":
        if not fits:
            raise DataError(
                f"Images of {_text(native)} cannot be padded to "
                f"{_text(size)}. Use --resize bilinear."
            )
        return "pad"
    near = fits and all(
        s <= 1.25 * n for n, s in zip(native, size, strict=True)
    )
    return "pad" if near else "bilinear"


def fit_images(
    images: np.ndarray, size: tuple[int, int], how: str
) -> np.ndarray:
    """Pads or resizes images of one size.

    Padding adds zeros evenly, the odd row or column at the bottom or right;
    resizing is Pillow's bilinear filter, the very one that
    `export/runtime.py` uses.

    Args:
        images: uint8 `(N, height, width, channels)`.
        size: height and width wanted.
        how: `none`, `pad` or `bilinear`.

    Returns:
        uint8 `(N, *size, channels)`.
    """
    if how == "none":
        return images
    height, width = size
    if how == "pad":
        rows, columns = height - images.shape[1], width - images.shape[2]
        top, left = rows // 2, columns // 2
        margins = ((0, 0), (top, rows - top), (left, columns - left), (0, 0))
        return np.pad(images, margins)
    return np.stack([resize(image, size) for image in images])


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes one image with Pillow's bilinear filter.

    Args:
        image: uint8 `(height, width, channels)`.
        size: height and width wanted.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture = picture.resize(
        (size[1], size[0]), resample=Image.Resampling.BILINEAR
    )
    return np.asarray(picture, np.uint8).reshape(*size, image.shape[-1])


def preprocessing(
    channels: int,
    native: tuple[int, int] | None,
    size: tuple[int, int],
    how: str,
) -> dict[str, Any]:
    """Returns the description that travels inside exported files."""
    return {
        "kind": "image",
        "mode": MODES[channels],
        "native_size": list(native) if native else None,
        "size": list(size),
        "resize": how,
        "scale": 1 / 255,
        "offset": 0.0,
    }


def _text(size: tuple[int, int] | None) -> str:
    return "several sizes" if size is None else f"{size[0]}x{size[1]}"
