"""Keeps the sum of many gradients at one row from overshooting.

A step sums gradients that were all taken at a row's old place. Moving the row
`u` by `rate * sum of w_i g_i v_i` changes its own scores `u . v_i` by about
`rate * sum of w_i |g_i| |v_i|^2`. While that is small, it is as if the pairs
had come one after another; where it is more than `REACH`, the sum runs past
the optimum and, step by step, off to infinity. Then it is shortened.
"""

from __future__ import annotations

import tensorflow as tf

REACH = 2.0  # largest change of a row's scores in a step, as a rule


def squares(rows: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of each row, `(rows, 1)`.

    A matrix product, since XLA adds up along a row one number at a time.
    """
    return tf.matmul(rows * rows, tf.ones((rows.shape[-1], 1)))


def shortened(change: tf.Tensor, reach: float = REACH) -> tf.Tensor:
    """Returns what a move is multiplied with: 1 up to the reach.

    Args:
        change: of the row's scores, not negative.
        reach: how far they may change.
    """
    return reach / tf.maximum(change, reach)
