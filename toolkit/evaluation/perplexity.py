"""How surprised a language model is by a text, token by token."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import ConfigError, DataError
from toolkit.models.language_model import has_losses, next_token_losses
from toolkit.training.carried_state import with_carried_state

STREAMS = 8  # parts of a text that are read side by side
LOGITS = 1 << 24  # held at the same time, 64 MB
LONGEST = 128  # tokens of a window


def token_losses(
    model: keras.Model, tokens: np.ndarray, streams: int = STREAMS
) -> np.ndarray:
    """Returns the exact loss of every token of a text but the first.

    The text is cut into contiguous streams, each of which begins with no
    state; within a stream the state is carried on, so that a token is
    predicted from all before it.

    Args:
        model: from tokens, int `(batch, time)`, to logits, as
            `models.language_model` builds it; whatever its objective, the
            losses are those of the whole softmax.
        tokens: integers `(length,)`, at least two.
        streams: parts that are read side by side; 1 is exact to the last
            token's context, and slower.

    Returns:
        -log P(token | those before), float32 `(length - 1,)`, in nats.

    Raises:
        ConfigError: `streams` below 1.
        DataError: fewer than two tokens, or one that the model does not know.

    Example:
    >>> import numpy as np
    >>> from toolkit.evaluation import perplexity_metrics, token_losses
    >>> from toolkit.models import language_model
    >>> model = language_model(50, "gru", units=8, embedding=4)
    >>> losses = token_losses(model, np.arange(200) % 50)
    >>> losses.shape, 40 < perplexity_metrics(losses)["perplexity"] < 60
    ((199,), True)
    """
    if streams < 1:
        raise ConfigError(
            f"`streams` must be at least 1. Received: streams={streams}."
        )
    tokens = np.asarray(tokens, np.int32)
    if len(tokens) < 2:
        raise DataError(
            "A text needs at least two tokens, the second of which is "
            f"predicted. Received: {len(tokens)}."
        )
    vocabulary = model.output_shape[-1]
    if tokens.min() < 0 or tokens.max() >= vocabulary:
        raise DataError(
            f"The model knows the tokens 0 to {vocabulary - 1}. Received: "
            f"{tokens.min()} to {tokens.max()}."
        )
    count = len(tokens) - 1
    streams = min(streams, count)
    each = -(-count // streams)
    padded = np.zeros(streams * each + 1, np.int32)
    padded[: len(tokens)] = tokens
    inputs = padded[:-1].reshape(streams, each)
    targets = padded[1:].reshape(streams, each)
    step = _step(model, streams)
    window = max(1, min(LONGEST, LOGITS // (streams * vocabulary)))
    found = [
        step(inputs[:, k : k + window], targets[:, k : k + window]).numpy()
        for k in range(0, each, window)
    ]
    return np.concatenate(found, axis=1).reshape(-1)[:count]


def _step(model: keras.Model, streams: int):
    """Returns a function from inputs and targets to losses, with a state."""
    losses = has_losses(model)
    twin = with_carried_state(
        next_token_losses(model) if losses else model, streams
    )
    spec = tf.TensorSpec((streams, None), tf.int32)

    @tf.function(input_signature=[spec, spec], autograph=False)
    def step(inputs, targets):
        if losses:
            return twin([inputs, targets], training=False)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(
            targets, twin(inputs, training=False)
        )

    return step


def perplexity_metrics(losses: np.ndarray) -> dict[str, float]:
    """Returns the mean loss in nats per token, and the perplexity.

    Args:
        losses: from `token_losses`.
    """
    loss = float(np.mean(losses, dtype=np.float64))
    return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
