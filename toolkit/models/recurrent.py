"""Recurrent layers by name, in stacks."""

from __future__ import annotations

import keras

from toolkit.errors import ConfigError, unknown
from toolkit.layers import PeepholeLSTM
from toolkit.models.sizes import check_sizes

CELLS = {
    "elman": keras.layers.SimpleRNN,
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "peephole_lstm": PeepholeLSTM,
}


def recurrent_stack(
    x,
    cell: str,
    units: int,
    layers: int,
    *,
    dropout: float = 0.0,
    bidirectional: bool = False,
    return_sequences: bool = True,
    **options,
):
    """Puts recurrent layers on top of one another.

    Args:
        x: sequences, `(batch, time, features)`.
        cell: `elman`, `gru`, `lstm` or `peephole_lstm`.
        units: width of each layer.
        layers: how many.
        dropout: share of each layer's inputs dropped in training.
        bidirectional: whether each layer reads in both directions.
        return_sequences: whether the last layer answers at every step.
        options: more arguments of each layer.

    Returns:
        `(batch, time, units)`, or `(batch, units)` of the last step; twice as
        wide if bidirectional. The layers are called `recurrent_1`, ...

    Raises:
        ConfigError: an unknown cell, or a number out of range.
    """
    if cell not in CELLS:
        raise ConfigError(unknown("cell", cell, CELLS))
    units, layers = check_sizes(numbers={"units": units, "layers": layers})
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(
            f"`dropout` must be in [0, 1). Received: dropout={dropout}."
        )
    for number in range(1, layers + 1):
        name = f"recurrent_{number}"
        layer = CELLS[cell](
            units,
            return_sequences=return_sequences or number < layers,
            dropout=dropout,
            name=name,
            **options,
        )
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=name)
        x = layer(x)
    return x
