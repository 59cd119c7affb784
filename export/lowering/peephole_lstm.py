"""`PeepholeLSTM` is ONNX' `LSTM` with the input P."""

from __future__ import annotations

import numpy as np

from export.lowering import lstm
from export.lowering.recurrent import Fused, lower
from export.lowering.registry import register
from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell


def fused(cell: PeepholeLSTMCell) -> Fused:
    """Returns the node that makes a cell's steps."""
    of_input, of_forget, of_output = np.asarray(
        cell.peephole_kernel, np.float32
    )
    return lstm.fused(cell, np.concatenate([of_input, of_output, of_forget]))


@register(PeepholeLSTM, "onnx")
def peephole_lstm(layer: PeepholeLSTM):
    """Lowers the layer to one `LSTM` node."""
    return lower(layer, fused(layer.cell))
