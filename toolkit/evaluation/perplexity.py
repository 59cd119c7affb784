"""How surprised a language model is by a text, token by token."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from toolkit.evaluation.token_streams import STREAMS, losses_in_streams, window
from toolkit.models.language_model import has_losses, next_token_losses
from toolkit.training.carried_state import with_carried_state


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
    vocabulary = model.output_shape[-1]

    def losses(inputs, targets):
        streams, each = inputs.shape
        step, size = _step(model, streams), window(streams, vocabulary)
        parts = [
            step(inputs[:, k : k + size], targets[:, k : k + size]).numpy()
            for k in range(0, each, size)
        ]
        return np.concatenate(parts, axis=1)

    return losses_in_streams(losses, tokens, vocabulary, streams)


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
