"""`keras.layers.RNN` and its subclasses: fused operators, or a loop.

What a layer does is told by the cell it has now, which need not be the one
that its class gave it.
"""

from __future__ import annotations

from types import ModuleType

import keras
import tensorflow as tf

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
from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell

LAYERS = (
    keras.layers.RNN,
    keras.layers.SimpleRNN,
    keras.layers.LSTM,
    keras.layers.GRU,
    PeepholeLSTM,
)
CELLS = {
    keras.layers.SimpleRNNCell: simple_rnn,
    keras.layers.LSTMCell: lstm,
    keras.layers.GRUCell: gru,
    PeepholeLSTMCell: peephole_lstm,
}


def known(cell) -> ModuleType | None:
    """Returns what has the `fused` and `steps` of a cell; None if nothing.

    As for layers, a cell of a subclass and one whose `call` was replaced on
    the instance are other cells.
    """
    return None if "call" in vars(cell) else CELLS.get(type(cell))


def shows_its_state(cell) -> bool:
    """Returns whether a cell's output is the first of its states."""
    return known(cell) is not None


def steps(cell) -> Steps | Fallback:
    """Returns the steps of any cell: one that is not known makes its own."""
    lowering = known(cell)
    if lowering is not None:
        return lowering.steps(cell)
    if type(cell) is keras.layers.StackedRNNCells:
        return _stacked([steps(inner) for inner in cell.cells])
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
        shown, new = keras.tree.map_structure(
            lambda array: tf.cast(array, tf.float32),
            cell(x, states, training=False),
        )
        return shown, keras.tree.flatten(new)

    return Steps(step, sizes, output, shows_state=False, from_zeros=False)


def _stacked(parts: list[Steps | Fallback]) -> Steps | Fallback:
    """Returns the steps of a stack of cells."""
    for part in parts:
        if isinstance(part, Fallback):
            return part

    def step(x, states):
        new = []
        for index, part in enumerate(parts):
            if index:  # what the first reads is projected outside the loop
                x = part.project(x)
            start = len(new)
            x, after = part.step(x, states[start : start + len(part.states)])
            new += after
        return x, new

    return Steps(
        step,
        [size for part in parts for size in part.states],
        parts[-1].units,
        parts[0].project,
        shows_state=False,
        from_zeros=all(part.from_zeros for part in parts),
    )


def rnn_node(layer: keras.layers.RNN):
    """Lowers the layer to the node of its cell, or of each in a stack."""
    stacked = type(layer.cell) is keras.layers.StackedRNNCells
    cells = layer.cell.cells if stacked else [layer.cell]
    for cell in cells:
        if known(cell) is None:
            return Fallback(
                f"no recurrent operator is known for {type(cell).__name__}"
            )
    return recurrent_node.lower(
        layer, *(known(cell).fused(cell) for cell in cells)
    )


def rnn_loop(layer: keras.layers.RNN):
    """Lowers the layer to one loop."""
    found = steps(layer.cell)
    if isinstance(found, Fallback):
        return found
    return recurrent_loop.lower(layer, found)


for _layer_class in LAYERS:
    register(_layer_class, "onnx")(rnn_node)
    register(_layer_class, "litert")(rnn_loop)
