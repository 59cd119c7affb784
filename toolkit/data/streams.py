"""Windows of a long sequence, cut for truncated backpropagation in time."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from toolkit.data.pipeline import deterministic
from toolkit.errors import ConfigError, DataError


def windows_per_epoch(length: int, streams: int, window: int) -> int:
    """Returns how many windows each stream of a sequence has.

    Args:
        length: tokens of the sequence.
        streams: parts that are read side by side, the rows of a batch.
        window: steps of a window.

    Raises:
        ConfigError: a number below 1.
        DataError: a sequence shorter than one window a stream.
    """
    for name, value in (("streams", streams), ("window", window)):
        if value < 1:
            raise ConfigError(
                f"`{name}` must be at least 1. Received: {name}={value}."
            )
    count = ((length - 1) // streams) // window
    if count < 1:
        raise DataError(
            f"The text has {length} tokens; {streams} streams with a window "
            f"of {window} take {streams * window + 1}. Give a longer text, or "
            "a smaller --batch-size or --window."
        )
    return count


def stream_batches(
    tokens: np.ndarray,
    *,
    streams: int,
    window: int,
    steps: int,
    start: int = 0,
) -> tf.data.Dataset:
    """Returns batches in which each row goes on where it was in the last one.

    The sequence is cut into contiguous streams. Batch `k` holds window
    `k mod windows_per_epoch` of each, and as targets the tokens that follow;
    at the first window of an epoch, the state carried along has to be reset.
    A batch is a pure function of the step.

    Args:
        tokens: integers `(length,)`.
        streams: rows of a batch.
        window: steps of a row.
        steps: how many batches.
        start: the first step.

    Returns:
        Dataset of int32 inputs and targets, `(streams, window)` each.

    Raises:
        ConfigError: a number below 1.
        DataError: fewer tokens than one batch takes.

    Source: truncated backpropagation through time as in T. Mikolov et al.:
    Extensions of recurrent neural network language model (2011), with state
    carried from window to window.
    """
    count = windows_per_epoch(len(tokens), streams, window)
    width = count * window
    each = (len(tokens) - 1) // streams
    rows = np.arange(streams)[:, None] * each + np.arange(width + 1)[None]
    with tf.device("CPU"):
        held = tf.constant(np.asarray(tokens, np.int32)[rows])

    def batch(step):
        first = tf.cast(step % count, tf.int32) * window
        part = held[:, first : first + window + 1]
        part = tf.ensure_shape(part, (streams, window + 1))
        return part[:, :-1], part[:, 1:]

    return deterministic(
        tf.data.Dataset.range(start, start + steps).map(
            batch, num_parallel_calls=2, deterministic=True
        )
    ).prefetch(8)
