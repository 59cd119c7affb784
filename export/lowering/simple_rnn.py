"""The cell of `keras.layers.SimpleRNN`: ONNX' `RNN`, steps of a loop."""

from __future__ import annotations

import keras
import numpy as np

from export.lowering.recurrent_loop import Steps, affine
from export.lowering.recurrent_node import Fused, reordered


def fused(cell: keras.layers.SimpleRNNCell) -> Fused:
    """Returns the node that makes a cell's steps."""
    bias = None
    if cell.use_bias:
        bias = np.asarray(cell.bias, np.float32)
        bias = np.concatenate([bias, np.zeros_like(bias)])
    return Fused(
        "RNN",
        reordered(cell.kernel, (0,)),
        reordered(cell.recurrent_kernel, (0,)),
        bias,
        (cell.activation,),
    )


def steps(cell: keras.layers.SimpleRNNCell) -> Steps:
    """Returns a cell's steps."""
    recurrent = affine(cell.recurrent_kernel)

    def step(z, states):
        hidden = cell.activation(z + recurrent(states[0]))
        return hidden, [hidden]

    return Steps(
        step,
        (cell.units,),
        cell.units,
        affine(cell.kernel, cell.bias if cell.use_bias else None),
    )
