"""How surprised a language model is by a text, without TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from toolkit.errors import ConfigError, DataError

STREAMS = 8  # parts of a text that are read side by side
LOGITS = 1 << 24  # held at the same time, 64 MB
LONGEST = 128  # tokens of a window


def chunk_losses(
    read: Callable[[np.ndarray], np.ndarray],
    reset: Callable[[], None],
    tokens: np.ndarray,
    vocabulary: int,
    streams: int = STREAMS,
    *,
    batch: int | None = None,
    steps: int | None = None,
) -> np.ndarray:
    """Returns what `token_losses` returns, of a model fed chunk by chunk.

    Args:
        read: takes a chunk, int32 `(batch, steps)`; returns the logits
            `(batch, steps, vocabulary)`, and keeps its state.
        reset: lets the model begin with no state.
        tokens: integers `(length,)`, at least two.
        vocabulary: how many tokens the model knows.
        streams: as for `token_losses`.
        batch: rows that every chunk must have; None for any number.
        steps: steps that every chunk must have; None for any number.

    Returns:
        -log P(token | those before), float32 `(length - 1,)`, in nats.

    Raises:
        ConfigError: `streams` below 1.
        DataError: fewer than two tokens, or one that the model does not know.

    Example:
    >>> import numpy as np
    >>> from toolkit.evaluation import chunk_losses
    >>> def read(tokens):  # 0 and 1 by turns, most of the time
    ...     return np.log(np.array([[0.1, 0.9], [0.9, 0.1]]))[tokens]
    >>> print(chunk_losses(read, lambda: None, [0, 1, 0, 0], 2).round(2))
    [0.11 0.11 2.3 ]
    """

    def losses(inputs, targets):
        rows, each = inputs.shape
        side = batch or rows
        size = steps or window(side, vocabulary)
        more = (0, -rows % side), (0, -each % steps if steps else 0)
        inputs, targets = np.pad(inputs, more), np.pad(targets, more)
        found = []
        for first in range(0, len(inputs), side):
            reset()
            some = slice(first, first + side)
            parts = [
                _cross_entropy(
                    read(inputs[some, k : k + size]),
                    targets[some, k : k + size],
                )
                for k in range(0, inputs.shape[1], size)
            ]
            found.append(np.concatenate(parts, axis=1))
        return np.concatenate(found)[:rows, :each]

    return losses_in_streams(losses, tokens, vocabulary, streams)


def losses_in_streams(
    losses: Callable[[np.ndarray, np.ndarray], np.ndarray],
    tokens: np.ndarray,
    vocabulary: int,
    streams: int,
) -> np.ndarray:
    """Cuts a text into contiguous streams and puts their losses together.

    Args:
        losses: takes inputs and targets, int32 `(streams, each)`; returns the
            losses of the targets in the same shape.
        tokens: as for `chunk_losses`.
        vocabulary: as for `chunk_losses`.
        streams: as for `token_losses`.

    Returns:
        Losses of every token but the first, `(length - 1,)`.

    Raises:
        ConfigError: as for `chunk_losses`.
        DataError: as for `chunk_losses`.
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
    return losses(inputs, targets).reshape(-1)[:count]


def window(streams: int, vocabulary: int) -> int:
    """Returns how many steps are read at once, for the room of the logits."""
    return max(1, min(LONGEST, LOGITS // (streams * vocabulary)))


def perplexity_metrics(losses: np.ndarray) -> dict[str, float]:
    """Returns the mean loss in nats per token, and the perplexity.

    Args:
        losses: from `token_losses` or `chunk_losses`.
    """
    loss = float(np.mean(losses, dtype=np.float64))
    return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}


def _cross_entropy(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns -log softmax of the targets, float32, in the targets' shape."""
    scores = np.asarray(logits, np.float32)
    scores = scores - scores.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
    return np.log(np.exp(scores).sum(axis=-1)) - chosen
