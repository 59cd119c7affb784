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
    dropout_each_step: bool = False,
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
        dropout_each_step: whether what is dropped is drawn anew at each step
            (Zaremba et al. 2014), by layers of their own, and not once for a
            sequence (Gal and Ghahramani 2016), by the recurrent ones.
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
            dropout=0.0 if dropout_each_step else dropout,
            name=name,
            **options,
        )
        if dropout and dropout_each_step:
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=name)
        x = layer(x)
    return x
