"""Sequences that end early: the steps after the end are padding."""

from __future__ import annotations

import tensorflow as tf

from toolkit.data.pipeline import CUTTING, deterministic, key
from toolkit.errors import ConfigError

PADDING = -1.0  # no pixel has it; a step full of it is passed over


def cut_sequences(sequences, steps):
    """Keeps the first steps of each sequence and pads the rest with -1.

    Args:
        sequences: float `(batch, time, features)`.
        steps: how many of them each keeps; an integer or `(batch,)`.

    Returns:
        Sequences of the same shape.

    Example:
    >>> import numpy as np
    >>> from toolkit.data import cut_sequences
    >>> cut_sequences(np.ones((2, 3, 1), "float32"), [1, 3])[..., 0].numpy()
    array([[ 1., -1., -1.],
           [ 1.,  1.,  1.]], dtype=float32)
    """
    sequences = tf.convert_to_tensor(sequences)
    time = tf.shape(sequences)[1]
    steps = tf.broadcast_to(tf.cast(steps, tf.int32), tf.shape(sequences)[:1])
    kept = tf.sequence_mask(steps, time)[..., None]
    return tf.where(kept, sequences, tf.constant(PADDING, sequences.dtype))


def steps_in(share: float, time: int) -> int:
    """Returns a share of a sequence in whole steps, at least one.

    Args:
        share: in (0, 1].
        time: steps of the whole sequence.

    Raises:
        ConfigError: a share outside its range.
    """
    if not 0.0 < share <= 1.0:
        raise ConfigError(
            "`share` must be in (0, 1], as a share of a sequence. Received: "
            f"share={share}."
        )
    return max(1, round(share * time))


def cut_batches(
    batches: tf.data.Dataset,
    *,
    shortest: float,
    seed: int = 0,
    start: int = 0,
) -> tf.data.Dataset:
    """Returns batches in which each sequence ends after a length of its own.

    Every length from the shortest to the whole is as likely. The draw is a
    pure function of (seed, step).

    Args:
        batches: sequences `(batch, time, features)` and labels.
        shortest: the least share of a sequence that is kept, in (0, 1]; 1
            keeps all of it.
        seed: of the lengths.
        start: the step of the first batch.

    Returns:
        Dataset of sequences padded with -1, and labels, in the same shapes.

    Raises:
        ConfigError: a share outside its range.
    """
    sequences = batches.element_spec[0]
    time = sequences.shape[1]
    least = steps_in(shortest, time)
    if least == time:
        return batches

    def cut(step, batch):
        inputs, labels = batch
        steps = tf.random.stateless_uniform(
            tf.shape(inputs)[:1],
            key(seed, CUTTING, step),
            least,
            time + 1,
            tf.int32,
        )
        inputs = tf.ensure_shape(cut_sequences(inputs, steps), sequences.shape)
        return inputs, labels

    return deterministic(
        batches.enumerate(start).map(
            cut, num_parallel_calls=2, deterministic=True
        )
    ).prefetch(8)
