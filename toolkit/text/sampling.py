"""The next token, drawn from what a model says."""

from __future__ import annotations

import numpy as np

from toolkit.errors import ConfigError
from toolkit.whole_numbers import is_whole


def sample_token(
    logits: np.ndarray,
    rng: np.random.Generator,
    temperature: float = 1.0,
    top_k: int = 0,
) -> int:
    """Draws a token with probabilities `softmax(logits / temperature)`.

    Args:
        logits: scores of all tokens, `(vocabulary,)`; log probabilities do.
        rng: where the chance comes from.
        temperature: above 0; below 1 the likely gets likelier.
        top_k: only so many of the likeliest tokens take part; 0 means all, 1
            is greedy.

    Returns:
        The token's number.

    Raises:
        ConfigError: a temperature or a `top_k` out of range.

    Example:
    >>> import numpy as np
    >>> from toolkit.text import sample_token
    >>> rng = np.random.default_rng(0)
    >>> [sample_token(np.log([0.1, 0.9]), rng, top_k=1) for _ in range(3)]
    [1, 1, 1]
    """
    check_sampling(temperature, top_k)
    scores = np.asarray(logits, np.float64)
    if top_k == 1:
        return int(scores.argmax())
    # The likeliest is at 0, so a tiny temperature leaves it alone, not NaN.
    with np.errstate(over="ignore"):
        scores = (scores - scores.max()) / temperature
    if top_k and top_k < len(scores):
        # The order of equal scores must not depend on the platform.
        order = np.argsort(-scores, kind="stable")
        scores[order[top_k:]] = -np.inf
    shares = np.exp(scores)
    borders = np.cumsum(shares)
    return int(
        np.searchsorted(borders, rng.random() * borders[-1], side="right")
    )


def check_sampling(
    temperature: float, top_k: int, length: int = 0, seed: int = 0
) -> None:
    """Raises for settings of `generate` that are out of range.

    Args:
        temperature: above 0.
        top_k: at least 0.
        length: at least 0.
        seed: a whole number of at least 0.

    Raises:
        ConfigError: the first of them.
    """
    if not temperature > 0:  # NaN is not
        raise ConfigError(
            "--temperature must be above 0; --top-k 1 always takes the "
            f"likeliest. Received: {temperature:g}"
        )
    if top_k < 0:
        raise ConfigError(
            f"--top-k must be at least 0, which means all. Received: {top_k}"
        )
    if length < 0:
        raise ConfigError(f"--length must be at least 0. Received: {length}")
    if not is_whole(seed, 0):
        raise ConfigError(
            f"--seed must be a whole number of at least 0. Received: {seed!r}"
        )
