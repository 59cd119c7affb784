"""Masking noise: pixels that are set to 0."""

from __future__ import annotations

import tensorflow as tf

from toolkit.errors import ConfigError


def mask_pixels(images, share: float, seed):
    """Sets a share of each image's pixels to 0.

    Which ones is drawn for each image, always the same number of them; a
    pixel goes with all its channels. Stateless: the same images and seed give
    the same answer.

    Args:
        images: float `(batch, height, width, channels)`.
        share: of the pixels, in [0, 1), rounded to whole pixels.
        seed: integers `(2,)`.

    Returns:
        Images of the same shape.

    Raises:
        ConfigError: a share outside its range.

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
    check_share("share", share)
    images = tf.convert_to_tensor(images)
    height, width = images.shape[1:3]
    pixels = height * width
    count = round(share * pixels)
    if not count:
        return images
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


def check_share(name: str, share: float) -> None:
    """Raises for a share of masked pixels that is none.

    Args:
        name: what the caller calls it.
        share: the value.

    Raises:
        ConfigError: it is not in [0, 1).
    """
    if not 0.0 <= share < 1.0:
        raise ConfigError(
            f"`{name}` must be in [0, 1), as a share of pixels to set to 0. "
            f"Received: {name}={share}."
        )
