"""`keras.layers.GRU`, in both its forms, is ONNX' `GRU`."""

from __future__ import annotations

import keras
import numpy as np

from export.lowering.recurrent import Fused, lower, reordered
from export.lowering.registry import register

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


@register(keras.layers.GRU, "onnx")
def gru(layer: keras.layers.GRU):
    """Lowers the layer to one `GRU` node."""
    return lower(layer, fused(layer.cell))
