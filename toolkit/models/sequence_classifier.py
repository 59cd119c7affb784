"""Sequence in, label out."""

from __future__ import annotations

import keras

from toolkit.data.cutting import PADDING
from toolkit.models.recurrent import recurrent_stack
from toolkit.models.sizes import check_sizes


def sequence_classifier(
    features: int,
    classes: int,
    cell: str = "lstm",
    units: int = 128,
    layers: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
    masked: bool = False,
    name: str = "sequence_classifier",
) -> keras.Model:
    """Builds a recurrent net that reads a sequence and names its class.

    Args:
        features: numbers at each step.
        classes: how many classes there are.
        cell: `elman`, `gru`, `lstm` or `peephole_lstm`.
        units: width of each recurrent layer.
        layers: how many recurrent layers.
        bidirectional: whether each layer reads in both directions.
        dropout: share of the inputs of each recurrent layer dropped in
            training, in [0, 1).
        masked: whether sequences may be padded: a step of which every number
            is -1 is passed over.
        name: the model's name.

    Returns:
        A built Functional model from `sequence`, float32 `(batch, time,
        features)`, to `probabilities`, float32 `(batch, classes)`.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> from toolkit.models import sequence_classifier
    >>> model = sequence_classifier(28, classes=10, units=64)
    >>> model.input_shape, model.count_params()
    ((None, None, 28), 24458)

    Source: A. Graves: Supervised sequence labelling with recurrent neural
    networks (2012), section 2.3, sequence classification.
    """
    features, classes = check_sizes(
        numbers={"features": features, "classes": classes}
    )
    inputs = keras.Input((None, features), name="sequence")
    x = inputs
    if masked:
        x = keras.layers.Masking(PADDING, name="masking")(x)
    x = recurrent_stack(
        x,
        cell,
        units,
        layers,
        bidirectional=bidirectional,
        dropout=dropout,
        return_sequences=False,
    )
    x = keras.layers.Dense(
        classes, activation="softmax", dtype="float32", name="probabilities"
    )(x)
    return keras.Model(inputs, x, name=name)
