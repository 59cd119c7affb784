"""`keras.layers.RNN` around a cell that has a fused operator."""

from __future__ import annotations

import keras

from export.lowering import gru, lstm, peephole_lstm, simple_rnn
from export.lowering.recurrent import lower
from export.lowering.registry import Fallback, register
from toolkit.layers import PeepholeLSTMCell

CELLS = {
    keras.layers.SimpleRNNCell: simple_rnn.fused,
    keras.layers.LSTMCell: lstm.fused,
    keras.layers.GRUCell: gru.fused,
    PeepholeLSTMCell: peephole_lstm.fused,
}


@register(keras.layers.RNN, "onnx")
def rnn(layer: keras.layers.RNN):
    """Lowers the layer to the node of its cell."""
    fused = CELLS.get(type(layer.cell))
    if fused is None:
        return Fallback(
            f"no recurrent operator is known for {type(layer.cell).__name__}"
        )
    return lower(layer, fused(layer.cell))
