"""The cell of `keras.layers.GRU`, both forms: ONNX' `GRU`, steps of a loop."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from export.lowering.recurrent_loop import Steps, affine
from export.lowering.recurrent_node import Fused, reordered

ORDER = (0, 1, 2)  # z, r, h in both


def fused(cell: keras.layers.GRUCell) -> Fused:
    """Returns the node that makes a cell's steps.

    With `reset_after` the reset gate works on what the recurrent kernel and a
    bias of its own have made, which ONNX calls `linear_before_reset`.
    """
    bias = None
    if cell.use_bias:
        bias = np.asarray(cell.bias, np.float32)
        if not cell.reset_after:
            bias = np.stack([bias, np.zeros_like(bias)])
        bias = bias.reshape(-1)
    return Fused(
        "GRU",
        reordered(cell.kernel, ORDER),
        reordered(cell.recurrent_kernel, ORDER),
        bias,
        (cell.recurrent_activation, cell.activation),
        attributes={"linear_before_reset": int(cell.reset_after)},
    )


def steps(cell: keras.layers.GRUCell) -> Steps:
    """Returns a cell's steps."""
    units = cell.units
    bias, recurrent_bias = None, None
    if cell.use_bias:
        bias = np.asarray(cell.bias, np.float32)
        if cell.reset_after:
            bias, recurrent_bias = bias
    kernel = np.asarray(cell.recurrent_kernel, np.float32)
    if cell.reset_after:
        recurrent = affine(kernel, recurrent_bias)
    else:
        to_gates = affine(kernel[:, : 2 * units])
        to_candidate = affine(kernel[:, 2 * units :])

    def step(x, states):
        (hidden,) = states
        x_z, x_r, x_h = tf.split(x, 3, axis=1)
        if cell.reset_after:
            h_z, h_r, h_h = tf.split(recurrent(hidden), 3, axis=1)
        else:
            h_z, h_r = tf.split(to_gates(hidden), 2, axis=1)
        update = cell.recurrent_activation(x_z + h_z)
        reset = cell.recurrent_activation(x_r + h_r)
        if cell.reset_after:
            candidate = cell.activation(x_h + reset * h_h)
        else:
            candidate = cell.activation(x_h + to_candidate(reset * hidden))
        hidden = update * hidden + (1 - update) * candidate
        return hidden, [hidden]

    return Steps(step, (units,), units, affine(cell.kernel, bias))
