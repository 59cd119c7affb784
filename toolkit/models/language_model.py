"""The recurrent language model, of characters or words."""

from __future__ import annotations

import keras

from toolkit.models.recurrent import recurrent_stack
from toolkit.models.sizes import check_sizes


def language_model(
    vocabulary: int,
    cell: str = "lstm",
    units: int = 256,
    layers: int = 1,
    embedding: int = 64,
    dropout: float = 0.0,
    name: str = "language_model",
) -> keras.Model:
    """Builds a recurrent net that says which token comes next.

    ```
    e(t) = E[token(t)];  h(t) = recurrent layers(e(t), h(t-1))
    logits(t) = V h(t) + c;  P(token(t+1) | tokens up to t) = softmax(logits)
    ```

    Args:
        vocabulary: how many tokens there are.
        cell: `elman`, `gru`, `lstm` or `peephole_lstm`.
        units: width of each recurrent layer.
        layers: how many recurrent layers.
        embedding: width of the token vectors E.
        dropout: share of the inputs of each recurrent layer and of the output
            layer dropped in training, in [0, 1).
        name: the model's name.

    Returns:
        A built Functional model from `tokens`, int32 `(batch, time)`, to
        `logits`, float32 `(batch, time, vocabulary)`. It begins each sequence
        anew; `training.with_carried_state` gives its twin that goes on.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> from toolkit.models import language_model
    >>> model = language_model(100, "gru", units=32, embedding=8)
    >>> model.output_shape, model.count_params()
    ((None, None, 100), 8132)

    Source: T. Mikolov et al.: Recurrent neural network based language model
    (2010); dropout between the layers as in W. Zaremba, I. Sutskever,
    O. Vinyals: Recurrent neural network regularization (2014).
    """
    vocabulary, embedding = check_sizes(
        numbers={"vocabulary": vocabulary, "embedding": embedding}
    )
    inputs = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(vocabulary, embedding, name="embedding")(inputs)
    x = recurrent_stack(x, cell, units, layers, dropout=dropout)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(vocabulary, dtype="float32", name="logits")(x)
    return keras.Model(inputs, x, name=name)
