"""Drawing from a discrete distribution in constant time."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def alias_tables(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the two tables of the alias method.

    Cell `i` of a fair die with `len(weights)` sides stands for `i` with
    probability `threshold[i]`, and for `alias[i]` otherwise.

    Args:
        weights: float `(words,)`, not negative, not all 0.

    Returns:
        `threshold`, float32 `(words,)`, and `alias`, int32 `(words,)`.

    Source: A. J. Walker: An efficient method for generating discrete random
    variables with general distributions (1977), as M. D. Vose builds it
    (1991).
    """
    weights = np.asarray(weights, np.float64)
    share = weights * (len(weights) / weights.sum())
    alias = np.arange(len(share), dtype=np.int32)
    small = np.flatnonzero(share < 1.0).tolist()
    large = np.flatnonzero(share >= 1.0).tolist()
    left = share.tolist()
    while small and large:
        low, high = small.pop(), large[-1]
        alias[low] = high
        left[high] -= 1.0 - left[low]
        if left[high] < 1.0:
            small.append(large.pop())
    threshold = np.array(left)
    threshold[small + large] = 1.0  # what rounding has left over
    return threshold.astype(np.float32), alias


def draw(shape, threshold, alias, seed) -> tf.Tensor:
    """Draws from the distribution of two alias tables.

    Args:
        shape: of the result.
        threshold: float32 `(words,)`.
        alias: int32 `(words,)`.
        seed: int `(2,)`; the same seed draws the same.

    Returns:
        int32 `shape`.
    """
    words = tf.shape(threshold)[0]
    cells = tf.random.stateless_uniform(
        shape, seed, maxval=words, dtype=tf.int32
    )
    kept = tf.random.stateless_uniform(shape, seed + 1) < tf.gather(
        threshold, cells
    )
    return tf.where(kept, cells, tf.gather(alias, cells))
