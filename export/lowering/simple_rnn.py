"""`keras.layers.SimpleRNN` is ONNX' `RNN`."""

from __future__ import annotations

import keras
import numpy as np

from export.lowering.recurrent import Fused, lower, reordered
from export.lowering.registry import register


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


@register(keras.layers.SimpleRNN, "onnx")
def simple_rnn(layer: keras.layers.SimpleRNN):
    """Lowers the layer to one `RNN` node."""
    return lower(layer, fused(layer.cell))
