"""Distortions of image batches, each with a strength.

The lecture's demonstrations of LeNet-5: shift, scale, squeeze, rotation,
stroke width and noise. All take float32 images `(batch, height, width,
channels)` with values in [0, 1], light ink on a ground of 0; a strength, one
number or one per image `(batch,)`; and a seed `(2,)` of integers. The same
arguments give the same answer, so they can stand in a `tf.data` pipeline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from toolkit.errors import ConfigError, unknown

MOST_STROKE = 3


@dataclass(frozen=True)
class Distortion:
    """A distortion in the table.

    Attributes:
        name: how it is called.
        apply: (images, strength, seed) -> images.
        unit: of the strength.
        lowest: least strength.
        highest: greatest strength.
        neutral: strength that changes nothing.
        grid: strengths at which a model is looked at.
    """

    name: str
    apply: Callable
    unit: str
    lowest: float
    highest: float
    neutral: float
    grid: tuple[float, ...]


def shift(images, strength, seed=(0, 0)):
    """Moves each image by `strength` pixels in a direction drawn for it."""
    from toolkit.data.augment import affine

    distance = _each(images, strength)
    turn = tf.random.stateless_uniform(tf.shape(distance), seed, 0, 2 * math.pi)
    return affine(
        images, shift=(distance * tf.cos(turn), distance * tf.sin(turn))
    )


def rotation(images, strength, seed=(0, 0)):
    """Turns counter-clockwise by `strength` degrees."""
    from toolkit.data.augment import affine

    return affine(images, rotation=strength)


def scale(images, strength, seed=(0, 0)):
    """Enlarges by the factor `strength`; below 1 it reduces."""
    from toolkit.data.augment import affine

    return affine(images, scale=strength)


def squeeze(images, strength, seed=(0, 0)):
    """Multiplies the width alone by `strength`."""
    from toolkit.data.augment import affine

    return affine(images, squeeze=strength)


def stroke_width(images, strength, seed=(0, 0)):
    """Thickens strokes by `strength` pixels; below 0 it thins them.

    Grey-value dilation or erosion with an octagon of whole pixels; between
    two whole strengths the images are mixed.
    """
    images = tf.convert_to_tensor(images)
    strength = _each(images, strength)[:, None, None, None]
    result = images * tf.maximum(1.0 - tf.abs(strength), 0.0)
    for sign in (1.0, -1.0):
        level = images
        for step in range(1, MOST_STROKE + 1):
            level = sign * _spread(sign * level, corners=step % 2 == 0)
            share = tf.maximum(1.0 - tf.abs(sign * strength - step), 0.0)
            result += level * share
    return result


def gaussian_noise(images, strength, seed=(0, 0)):
    """Adds normal noise of standard deviation `strength`; stays in [0, 1]."""
    images = tf.convert_to_tensor(images)
    drawn = tf.random.stateless_normal(tf.shape(images), seed)
    deviation = _each(images, strength)[:, None, None, None]
    return tf.clip_by_value(images + deviation * drawn, 0.0, 1.0)


def salt_and_pepper(images, strength, seed=(0, 0)):
    """Makes the share `strength` of the pixels black or white, at random."""
    images = tf.convert_to_tensor(images)
    drawn = tf.random.stateless_uniform(tf.shape(images), seed)
    share = _each(images, strength)[:, None, None, None]
    extremes = tf.cast(drawn < share / 2, images.dtype)
    return tf.where(drawn < share, extremes, images)


def speckle(images, strength, seed=(0, 0)):
    """Multiplies pixels by 1 + normal noise of deviation `strength`."""
    images = tf.convert_to_tensor(images)
    drawn = tf.random.stateless_normal(tf.shape(images), seed)
    deviation = _each(images, strength)[:, None, None, None]
    return tf.clip_by_value(images * (1.0 + deviation * drawn), 0.0, 1.0)


DISTORTIONS: dict[str, Distortion] = {
    item.name: item
    for item in (
        Distortion(
            "shift", shift, "pixels", 0, 16, 0, (0, 1, 2, 3, 4, 5, 6)
        ),
        Distortion(
            "scale", scale, "factor", 0.25, 4, 1,
            (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4),
        ),
        Distortion(
            "squeeze", squeeze, "factor on the width", 0.25, 4, 1,
            (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4),
        ),
        Distortion(
            "rotation", rotation, "degrees", -180, 180, 0,
            (-60, -45, -30, -20, -10, 0, 10, 20, 30, 45, 60),
        ),
        Distortion(
            "stroke_width", stroke_width, "pixels", -MOST_STROKE, MOST_STROKE,
            0, (-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3),
        ),
        Distortion(
            "gaussian_noise", gaussian_noise, "standard deviation", 0, 2, 0,
            (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        ),
        Distortion(
            "salt_and_pepper", salt_and_pepper, "share of pixels", 0, 1, 0,
            (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4),
        ),
        Distortion(
            "speckle", speckle, "standard deviation", 0, 4, 0,
            (0, 0.25, 0.5, 0.75, 1, 1.5, 2),
        ),
    )
}  # fmt: skip


def distort(images, name: str, strength: float, seed: Sequence[int] = (0, 0)):
    """Distorts images by the name of the distortion.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        name: one of `DISTORTIONS`.
        strength: in the distortion's unit and range.
        seed: integers `(2,)`.

    Returns:
        Images of the same shape.

    Raises:
        ConfigError: a distortion that does not exist, or a strength outside
            its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.data import distort
    >>> bar = np.zeros((1, 8, 8, 1), "float32")
    >>> bar[:, :, 3] = 1
    >>> thick = distort(bar, "stroke_width", 1)
    >>> print(np.asarray(thick)[0, 4, :, 0])
    [0. 0. 1. 1. 1. 0. 0. 0.]
    """
    item = check_strength(name, strength)
    return item.apply(tf.convert_to_tensor(images, tf.float32), strength, seed)


def check_strength(name: str, strength: float) -> Distortion:
    """Returns a distortion if it exists and has such a strength.

    Raises:
        ConfigError: it does not, or has not.
    """
    if name not in DISTORTIONS:
        raise ConfigError(unknown("distortion", name, DISTORTIONS))
    item = DISTORTIONS[name]
    if not item.lowest <= strength <= item.highest:
        raise ConfigError(
            f"The strength of {name} ({item.unit}) must be between "
            f"{item.lowest:g} and {item.highest:g}. Received: {strength:g}."
        )
    return item


def _each(images, strength):
    batch = tf.shape(images)[:1]
    return tf.broadcast_to(tf.cast(strength, tf.float32), batch)


def _spread(images, corners: bool):
    """Returns the largest value among a pixel and its neighbours."""
    low = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-1e9)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    result = images
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            if corners or 1 in (down, right):
                part = low[:, down : down + height, right : right + width]
                result = tf.maximum(result, part)
    return result
