"""`PeepholeLSTMCell`: ONNX' `LSTM` with the input P, steps of a loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from export.lowering import lstm
from export.lowering.recurrent_loop import Steps, affine
from export.lowering.recurrent_node import Fused
from toolkit.layers import PeepholeLSTMCell
from toolkit.layers.peephole_lstm import peephole_lstm_step


def fused(cell: PeepholeLSTMCell) -> Fused:
    """Returns the node that makes a cell's steps."""
    of_input, of_forget, of_output = np.asarray(
        cell.peephole_kernel, np.float32
    )
    return lstm.fused(cell, np.concatenate([of_input, of_output, of_forget]))


def steps(cell: PeepholeLSTMCell) -> Steps:
    """Returns a cell's steps."""
    recurrent = affine(cell.recurrent_kernel)
    peepholes = np.asarray(cell.peephole_kernel, np.float32)
    activations = cell.activation, cell.recurrent_activation

    def step(z, states):
        hidden, carry = states
        hidden, carry = peephole_lstm_step(
            z + recurrent(hidden), carry, peepholes, activations
        )
        return hidden, [hidden, carry]

    return replace(lstm.steps(cell), step=step)
