"""The cell of `keras.layers.LSTM`: ONNX' `LSTM`, steps of LiteRT's loop."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from export.lowering.recurrent_loop import Steps, affine
from export.lowering.recurrent_node import Fused, reordered

ORDER = (0, 3, 1, 2)  # i, o, f, c out of Keras' i, f, c, o


def fused(
    cell: keras.layers.LSTMCell, peepholes: np.ndarray | None = None
) -> Fused:
    """Returns the node that makes a cell's steps.

    Args:
        cell: the cell.
        peepholes: as `Fused` has them.
    """
    bias = None
    if cell.use_bias:
        bias = reordered(cell.bias, ORDER)
        bias = np.concatenate([bias, np.zeros_like(bias)])
    return Fused(
        "LSTM",
        reordered(cell.kernel, ORDER),
        reordered(cell.recurrent_kernel, ORDER),
        bias,
        (cell.recurrent_activation, cell.activation, cell.activation),
        peepholes,
    )


def steps(cell: keras.layers.LSTMCell) -> Steps:
    """Returns a cell's steps."""
    recurrent = affine(cell.recurrent_kernel)

    def step(z, states):
        hidden, carry = states
        z_i, z_f, z_c, z_o = tf.split(z + recurrent(hidden), 4, axis=1)
        i = cell.recurrent_activation(z_i)
        f = cell.recurrent_activation(z_f)
        carry = f * carry + i * cell.activation(z_c)
        hidden = cell.recurrent_activation(z_o) * cell.activation(carry)
        return hidden, [hidden, carry]

    return Steps(
        step,
        (cell.units, cell.units),
        cell.units,
        affine(cell.kernel, cell.bias if cell.use_bias else None),
    )
