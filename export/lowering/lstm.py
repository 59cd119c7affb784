"""`keras.layers.LSTM` is ONNX' `LSTM`."""

from __future__ import annotations

import keras
import numpy as np

from export.lowering.recurrent import Fused, lower, reordered
from export.lowering.registry import register

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


@register(keras.layers.LSTM, "onnx")
def lstm(layer: keras.layers.LSTM):
    """Lowers the layer to one `LSTM` node."""
    return lower(layer, fused(layer.cell))
