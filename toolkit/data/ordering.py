"""Which example stands where: a pure function of (seed, epoch, step)."""

from __future__ import annotations

from toolkit._backend import load_tensorflow
from toolkit.errors import ConfigError, DataError


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Returns how many whole batches an epoch has.

    Raises:
        ConfigError: a batch size below 1.
        DataError: fewer examples than one batch.
    """
    if batch_size < 1:
        raise ConfigError(
            f"`batch_size` must be at least 1. Received: "
            f"batch_size={batch_size}."
        )
    if count < batch_size:
        raise DataError(
            f"There are {count} training examples, fewer than one batch of "
            f"{batch_size}. Lower --batch-size."
        )
    return count // batch_size


def order(step, *, count: int, batch_size: int, seed: int):
    """Returns the indices of the examples of one step.

    Every epoch is a permutation of its own, by `index_shuffle` under the key
    (seed, epoch); what is left after the last whole batch is dropped, other
    examples in each epoch.

    Args:
        step: global step from 0, an int64 scalar or number.
        count: examples in all.
        batch_size: examples per step.
        seed: of the run.

    Returns:
        int64 tensor `(batch_size,)`.
    """
    tf = load_tensorflow()
    steps = steps_per_epoch(count, batch_size)
    step = tf.cast(step, tf.int64)
    epoch = step // steps
    positions = (step % steps) * batch_size + tf.range(
        batch_size, dtype=tf.int64
    )
    key = tf.stack([tf.cast(seed, tf.int64), epoch])
    return tf.random.experimental.index_shuffle(positions, key, count - 1)
