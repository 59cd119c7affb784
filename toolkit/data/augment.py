"""Affine distortions of image batches: shift, rotation, scale, shear."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from toolkit.errors import ConfigError


def affine(images, *, shift=(0.0, 0.0), rotation=0.0, scale=1.0, shear=0.0):
    """Moves each image of a batch by its own affine map about the centre.

    Bilinear interpolation; what comes from outside is 0.

    Args:
        images: float32 `(batch, height, width, channels)`.
        shift: right and down, in pixels; each a number or `(batch,)`.
        rotation: counter-clockwise, in degrees; a number or `(batch,)`.
        scale: enlargement; a number or `(batch,)`, above 0.
        shear: slant of the vertical, in degrees; a number or `(batch,)`.

    Returns:
        Images of the same shape.
    """
    images = tf.convert_to_tensor(images)
    batch = tf.shape(images)[0]
    height, width = images.shape[1], images.shape[2]

    def each(value):
        return tf.broadcast_to(tf.cast(value, tf.float32), (batch,))

    right, down = each(shift[0]), each(shift[1])
    angle = each(rotation) * (math.pi / 180)
    slant = tf.tan(each(shear) * (math.pi / 180))
    size = each(scale)
    # Where an output pixel comes from: un-shift, un-rotate, un-shear, shrink.
    cosine, sine = tf.cos(angle) / size, tf.sin(angle) / size
    a, b = cosine + slant * sine, slant * cosine - sine
    c, d = sine, cosine
    x, y = (width - 1) / 2, (height - 1) / 2
    e = x - a * (x + right) - b * (y + down)
    f = y - c * (x + right) - d * (y + down)
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, e, c, d, f, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def random_affine(
    images,
    seed,
    *,
    shift: float = 0.0,
    rotation: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
):
    """Moves each image of a batch by an affine map drawn for it.

    Stateless: the same images and seed give the same answer.

    Args:
        images: float32 `(batch, height, width, channels)`.
        seed: integers `(2,)`.
        shift: largest shift in either direction, in pixels.
        rotation: largest rotation either way, in degrees.
        scale: largest enlargement, or reduction, as a fraction.
        shear: largest slant either way, in degrees.

    Returns:
        Images of the same shape.
    """
    batch = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((5, batch), seed, -1.0, 1.0)
    return affine(
        images,
        shift=(shift * draws[0], shift * draws[1]),
        rotation=rotation * draws[2],
        scale=tf.exp(math.log1p(scale) * draws[3]),
        shear=shear * draws[4],
    )


def augmentation(
    *,
    shift: float = 0.0,
    rotation: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
) -> Callable | None:
    """Returns a function (images, seed) -> images for a pipeline.

    Args:
        shift: largest shift in either direction, in pixels, at least 0.
        rotation: largest rotation either way, in degrees, in [0, 180].
        scale: largest enlargement as a fraction, in [0, 1).
        shear: largest slant either way, in degrees, in [0, 60].

    Returns:
        The function; None if every strength is 0.

    Raises:
        ConfigError: a strength outside its range.
    """
    strengths = dict(shift=shift, rotation=rotation, scale=scale, shear=shear)
    limits = dict(shift=math.inf, rotation=180.0, scale=1.0, shear=60.0)
    for name, value in strengths.items():
        if not 0.0 <= value <= limits[name]:
            raise ConfigError(
                f"`{name}` must be between 0 and {limits[name]:g}. Received: "
                f"{name}={value}."
            )
    if not any(strengths.values()):
        return None
    return lambda images, seed: random_affine(images, seed, **strengths)
