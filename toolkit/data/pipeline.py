"""`tf.data` pipelines over images in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from toolkit.data.images import ROWS, Images
from toolkit.data.masking import mask_pixels, masked_pixels
from toolkit.data.ordering import order, steps_per_epoch
from toolkit.errors import DataError

# Keep their random numbers apart from the order's.
AUGMENTATION = 1
CORRUPTION = 2
CUTTING = 3


def training_batches(
    images: Images,
    *,
    batch_size: int,
    seed: int,
    steps: int,
    start: int = 0,
    augment: Callable | None = None,
    scale: float = 1 / 255,
    offset: float = 0.0,
    layout: str = "",
) -> tf.data.Dataset:
    """Returns batches `start` to `start + steps - 1` of a run.

    A batch is a pure function of (seed, step): a run that is cut in two gives
    the same batches as one in a piece.

    Args:
        images: the training split; N images.
        batch_size: images per batch, at most N.
        seed: of the order and the augmentation.
        steps: how many batches.
        start: the first step.
        augment: takes float32 images `(batch, height, width, channels)` with
            values in [0, 1] and an int32 seed `(2,)`, returns images.
        scale: factor on the uint8 values, before the offset.
        offset: added to them.
        layout: `rows` for sequences of rows.

    Returns:
        Dataset of float32 images `(batch, height, width, channels)`, or of
        sequences `(batch, height, width * channels)`, and int32 labels
        `(batch,)`.

    Raises:
        ConfigError: a batch size below 1.
        DataError: fewer images than one batch.
    """
    count = len(images)
    steps_per_epoch(count, batch_size)
    pixels = _hold(images.images)
    labels = _hold(images.labels)

    def batch(step):
        indices = order(step, count=count, batch_size=batch_size, seed=seed)
        values = tf.cast(tf.gather(pixels, indices), tf.float32)
        if augment is not None:
            values = values * (1 / 255)
            values = augment(values, key(seed, AUGMENTATION, step)) * 255
        values = values * scale + offset
        values.set_shape((batch_size, *images.images.shape[1:]))
        return _lay_out(values, layout), tf.gather(labels, indices)

    return deterministic(
        tf.data.Dataset.range(start, start + steps).map(
            batch, num_parallel_calls=2, deterministic=True
        )
    ).prefetch(8)


def training_pairs(
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    steps: int,
    start: int = 0,
) -> tf.data.Dataset:
    """Returns batches of arrays as they are, in the order of a run.

    As `training_batches`, a batch is a pure function of (seed, step).

    Args:
        inputs: `(N, ...)`.
        targets: `(N, ...)`.
        batch_size: examples per batch, at most N.
        seed: of the order.
        steps: how many batches.
        start: the first step.

    Returns:
        Dataset of pairs `(batch, ...)`, `(batch, ...)`.

    Raises:
        ConfigError: a batch size below 1.
        DataError: fewer examples than one batch, or arrays of two lengths.
    """
    count = len(inputs)
    if len(targets) != count:
        raise DataError(
            f"There are {count} inputs and {len(targets)} targets; each input "
            "needs one target."
        )
    steps_per_epoch(count, batch_size)
    pair = (_hold(inputs), _hold(targets))

    def batch(step):
        indices = order(step, count=count, batch_size=batch_size, seed=seed)
        return tuple(tf.gather(array, indices) for array in pair)

    return deterministic(
        tf.data.Dataset.range(start, start + steps).map(
            batch, num_parallel_calls=2, deterministic=True
        )
    ).prefetch(64)


def evaluation_batches(
    images: Images,
    *,
    batch_size: int,
    scale: float = 1 / 255,
    offset: float = 0.0,
    layout: str = "",
) -> tf.data.Dataset:
    """Returns every image once, in order; the last batch may be short.

    Args:
        images: a split.
        batch_size: images per batch.
        scale: factor on the uint8 values, before the offset.
        offset: added to them.
        layout: `rows` for sequences of rows.

    Returns:
        Dataset of float32 inputs and int32 labels, as `training_batches`.
    """
    count = len(images)
    pixels = _hold(images.images)
    labels = _hold(images.labels)

    def batch(start):
        end = tf.minimum(start + batch_size, count)
        values = tf.cast(pixels[start:end], tf.float32) * scale + offset
        values.set_shape((None, *images.images.shape[1:]))
        return _lay_out(values, layout), labels[start:end]

    return deterministic(
        tf.data.Dataset.range(0, count, batch_size).map(
            batch, num_parallel_calls=2, deterministic=True
        )
    ).prefetch(2)


def reconstruction_batches(
    batches: tf.data.Dataset,
    *,
    noise: float = 0.0,
    seed: int = 0,
    start: int = 0,
) -> tf.data.Dataset:
    """Returns batches whose targets are the images themselves.

    The targets are what comes in, distorted or not; the inputs lack a share
    of the pixels. Which ones is a pure function of (seed, step).

    Args:
        batches: of `training_batches` or `evaluation_batches`, images with
            0 for dark.
        noise: share of each input's pixels that are set to 0, in [0, 1); see
            `mask_pixels`.
        seed: of the noise.
        start: the step of the first batch.

    Returns:
        Dataset of inputs and targets, both float32 `(batch, height, width,
        channels)`.

    Raises:
        ConfigError: noise outside its range, or such that masks no pixel or
            all.
    """
    if noise:  # here: an error inside the pipeline loses its kind
        masked_pixels("noise", noise, batches.element_spec[0].shape[1:])

    def pair(step, batch):
        images = batch[0]
        if not noise:
            return images, images
        return mask_pixels(images, noise, key(seed, CORRUPTION, step)), images

    return deterministic(
        batches.enumerate(start).map(
            pair, num_parallel_calls=2, deterministic=True
        )
    ).prefetch(4)


def _lay_out(images, layout: str):
    if layout != ROWS:
        return images
    _, height, width, channels = images.shape
    return tf.reshape(images, (-1, height, width * channels))


def key(seed: int, purpose: int, step):
    """Returns a seed `(2,)` for the random numbers of one step."""
    key = tf.random.experimental.stateless_fold_in(
        tf.stack([tf.cast(seed, tf.int64), purpose]), step
    )
    return tf.cast(key % (2**31), tf.int32)


def _hold(array) -> tf.Tensor:
    """Keeps an array once, in host memory, outside the graph."""
    with tf.device("CPU"):
        return tf.constant(array)


def deterministic(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset whose order no machine's load can change."""
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    return dataset.with_options(options)
