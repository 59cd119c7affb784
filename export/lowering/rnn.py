"""`keras.layers.RNN` around any cell: a fused operator, or a loop."""

from __future__ import annotations

import keras

from export.lowering import (
    gru,
    lstm,
    peephole_lstm,
    recurrent_loop,
    recurrent_node,
    simple_rnn,
)
from export.lowering.recurrent_loop import Steps
from export.lowering.registry import Fallback, register
from toolkit.layers import PeepholeLSTMCell

CELLS = {
    keras.layers.SimpleRNNCell: simple_rnn,
    keras.layers.LSTMCell: lstm,
    keras.layers.GRUCell: gru,
    PeepholeLSTMCell: peephole_lstm,
}


def shows_its_state(cell) -> bool:
    """Returns whether a cell's output is the first of its states."""
    return type(cell) in CELLS


def steps(cell) -> Steps | Fallback:
    """Returns the steps of any cell: one that is not known makes its own."""
    known = CELLS.get(type(cell))
    if known is not None:
        return known.steps(cell)
    sizes = keras.tree.flatten(cell.state_size)
    output = getattr(cell, "output_size", None) or sizes[0]
    if not all(isinstance(size, int) for size in (*sizes, output)):
        return Fallback(
            f"the states of {type(cell).__name__} are no vectors "
            f"(state_size={cell.state_size})"
        )

    def step(x, states):
        if keras.tree.is_nested(cell.state_size):
            states = keras.tree.pack_sequence_as(cell.state_size, states)
        shown, new = cell(x, states, training=False)
        return shown, keras.tree.flatten(new)

    return Steps(step, sizes, output, shows_state=False)


@register(keras.layers.RNN, "onnx")
def rnn_node(layer: keras.layers.RNN):
    """Lowers the layer to the node of its cell."""
    known = CELLS.get(type(layer.cell))
    if known is None:
        return Fallback(
            f"no recurrent operator is known for {type(layer.cell).__name__}"
        )
    return recurrent_node.lower(layer, known.fused(layer.cell))


@register(keras.layers.RNN, "litert")
def rnn_loop(layer: keras.layers.RNN):
    """Lowers the layer to one loop."""
    found = steps(layer.cell)
    if isinstance(found, Fallback):
        return found
    return recurrent_loop.lower(layer, found)
