"""Affine distortions of image batches: shift, rotation, scale, shear."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from toolkit.data import distortions
from toolkit.errors import ConfigError


def affine(
    images,
    *,
    shift=(0.0, 0.0),
    rotation=0.0,
    scale=1.0,
    shear=0.0,
    squeeze=1.0,
):
    """Moves each image of a batch by its own affine map about the centre.

    Bilinear interpolation; what comes from outside is 0.

    Args:
        images: float32 `(batch, height, width, channels)`.
        shift: right and down, in pixels; each a number or `(batch,)`.
        rotation: counter-clockwise, in degrees; a number or `(batch,)`.
        scale: enlargement; a number or `(batch,)`, above 0.
        shear: slant of the vertical, in degrees; a number or `(batch,)`.
        squeeze: factor on the width alone; a number or `(batch,)`, above 0.

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
    # Where an output pixel comes from: un-shift, un-rotate, un-shear, shrink,
    # un-squeeze.
    cosine, sine = tf.cos(angle) / size, tf.sin(angle) / size
    a, b = cosine + slant * sine, slant * cosine - sine
    a, b = a / each(squeeze), b / each(squeeze)
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
    squeeze: float = 0.0,
    whole_pixels: bool = False,
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
        squeeze: largest widening, or narrowing, as a fraction.
        whole_pixels: whether shifts are whole numbers, each as likely; others
            blur.

    Returns:
        Images of the same shape.
    """
    batch = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((5, batch), seed, -1.0, 1.0)
    shifts = shift * draws[:2]
    if whole_pixels:
        shifts = tf.floor((draws[:2] + 1) / 2 * (2 * shift + 1)) - shift
    wide = (
        tf.random.stateless_uniform((batch,), _other(seed, 1), -1.0, 1.0)
        if squeeze
        else tf.zeros((batch,))
    )
    return affine(
        images,
        shift=(shifts[0], shifts[1]),
        rotation=rotation * draws[2],
        scale=tf.exp(math.log1p(scale) * draws[3]),
        shear=shear * draws[4],
        squeeze=tf.exp(math.log1p(squeeze) * wide),
    )


def augmentation(
    *,
    shift: float = 0.0,
    rotation: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
    squeeze: float = 0.0,
    stroke_width: float = 0.0,
    noise: float = 0.0,
    whole_pixels: bool = False,
) -> Callable | None:
    """Returns a function (images, seed) -> images for a pipeline.

    Each image is distorted by strengths of its own, drawn up to those given.

    Args:
        shift: largest shift in either direction, in pixels, at least 0.
        rotation: largest rotation either way, in degrees, in [0, 180].
        scale: largest enlargement as a fraction, in [0, 1).
        shear: largest slant either way, in degrees, in [0, 60].
        squeeze: largest widening as a fraction, in [0, 1).
        stroke_width: largest thickening or thinning, in pixels, in [0, 3].
        noise: largest standard deviation of Gaussian noise, in [0, 1].
        whole_pixels: whether shifts are whole numbers of pixels, each as
            likely; others blur, which matters where images are targets too.

    Returns:
        The function, for images with values in [0, 1]; None if every
        strength is 0.

    Raises:
        ConfigError: a strength outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.data import augmentation
    >>> distort = augmentation(shift=2, rotation=10, stroke_width=1)
    >>> distort(np.ones((4, 28, 28, 1), "float32"), [1, 2]).shape
    TensorShape([4, 28, 28, 1])
    """
    places = dict(
        shift=shift, rotation=rotation, scale=scale, shear=shear,
        squeeze=squeeze,
    )  # fmt: skip
    strengths = places | dict(stroke_width=stroke_width, noise=noise)
    limits = dict(
        shift=math.inf, rotation=180.0, scale=1.0, shear=60.0, squeeze=1.0,
        stroke_width=3.0, noise=1.0,
    )  # fmt: skip
    for name, value in strengths.items():
        if not 0.0 <= value <= limits[name]:
            raise ConfigError(
                f"`{name}` must be between 0 and {limits[name]:g}. Received: "
                f"{name}={value}."
            )
    if whole_pixels and not float(shift).is_integer():
        raise ConfigError(
            "`shift` must be a whole number with `whole_pixels`. Received: "
            f"shift={shift}."
        )
    if not any(strengths.values()):
        return None

    def distort(images, seed):
        batch = tf.shape(images)[0]
        if stroke_width:
            drawn = tf.random.stateless_uniform(
                (batch,), _other(seed, 2), -stroke_width, stroke_width
            )
            images = distortions.stroke_width(images, drawn)
        if any(places.values()):
            images = random_affine(
                images, seed, **places, whole_pixels=whole_pixels
            )
        if noise:
            drawn = tf.random.stateless_uniform(
                (batch,), _other(seed, 3), 0.0, noise
            )
            images = distortions.gaussian_noise(images, drawn, _other(seed, 4))
        return images

    return distort


def _other(seed, number: int):
    """Returns a seed for another purpose."""
    return tf.cast(seed, tf.int32) + tf.constant([0, number])
