"""Masking noise: pixels that are set to 0."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from toolkit.errors import ConfigError


def mask_pixels(images, share: float, seed):
    """Sets a share of each image's pixels to 0.

    Which ones is drawn for each image, always the same number of them; a
    pixel goes with all its channels. Stateless: the same images and seed give
    the same answer.

    Args:
        images: float `(batch, height, width, channels)`.
        share: of the pixels, in [0, 1), rounded to whole pixels; above 0 at
            least one pixel is masked and one stays.
        seed: integers `(2,)`.

    Returns:
        Images of the same shape.

    Raises:
        ConfigError: a share outside its range, or one that masks no pixel or
            all.

    Example:
    >>> import numpy as np
    >>> from toolkit.data import mask_pixels
    >>> masked = mask_pixels(np.ones((2, 4, 5, 1), "float32"), 0.25, [1, 2])
    >>> np.sum(masked, axis=(1, 2, 3)).tolist()
    [15.0, 15.0]

    Source: P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol: Extracting
    and composing robust features with denoising autoencoders (2008), section
    2.3.
    """
    images = tf.convert_to_tensor(images)
    height, width = images.shape[1:3]
    count = masked_pixels("share", share, images.shape[1:])
    if not count:
        return images
    pixels = height * width
    batch = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((batch, pixels), seed)
    chosen = tf.math.top_k(draws, count, sorted=False).indices
    rows = tf.repeat(tf.range(batch), count)
    keep = tf.tensor_scatter_nd_update(
        tf.ones((batch, pixels), images.dtype),
        tf.stack([rows, tf.reshape(chosen, [-1])], axis=1),
        tf.zeros((batch * count,), images.dtype),
    )
    return images * tf.reshape(keep, (batch, height, width, 1))


def masked_pixels(name: str, share: float, image_shape: Sequence[int]) -> int:
    """Returns how many pixels of an image a share of them is.

    Args:
        name: what the caller calls the share.
        share: of the pixels, in [0, 1).
        image_shape: height, width and perhaps channels.

    Raises:
        ConfigError: a share outside its range; above 0, one that is no pixel
            or all of them.
    """
    if not 0.0 <= share < 1.0:
        raise ConfigError(
            f"`{name}` must be in [0, 1), as a share of pixels to set to 0. "
            f"Received: {name}={share}."
        )
    pixels = image_shape[0] * image_shape[1]
    count = round(share * pixels)
    if share and not 0 < count < pixels:
        raise ConfigError(
            f"`{name}` must be 0, or set at least 1 of the {pixels} pixels of "
            f"an image to 0 and leave 1. Received: {name}={share}, which sets "
            f"{count}."
        )
    return count
