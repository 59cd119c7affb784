"""Writing text, token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from toolkit.errors import ConfigError
from toolkit.text.sampling import check_sampling, sample_token


def generate(
    step: Callable[[np.ndarray], np.ndarray],
    prompt: Sequence[int],
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int = 0,
) -> Iterator[int]:
    """Yields tokens that a model goes on with.

    The cost of a token does not depend on how many came before it: the model
    keeps its state from call to call.

    Args:
        step: takes tokens, int32 `(n,)`, of which it has read none yet;
            returns the logits after the last one, `(vocabulary,)`.
        prompt: tokens to begin with, at least one; not yielded.
        length: how many tokens to yield.
        temperature: see `sample_token`.
        top_k: see `sample_token`.
        seed: at least 0; the same one draws the same tokens.

    Raises:
        ConfigError: an empty prompt, or a setting out of range.

    Example:
    >>> import numpy as np
    >>> from toolkit.text import generate
    >>> def after(tokens):  # the next letter of three
    ...     return np.log(np.eye(3)[(tokens[-1] + 1) % 3] + 1e-9)
    >>> list(generate(after, [0], 4))
    [1, 2, 0, 1]
    """
    check_sampling(temperature, top_k, length, seed)
    tokens = np.asarray(prompt, np.int32)
    if not len(tokens):
        raise ConfigError(
            "The prompt is empty; give at least one token to begin with."
        )
    return _generate(step, tokens, length, temperature, top_k, seed)


def _generate(step, tokens, length, temperature, top_k, seed):
    rng = np.random.default_rng(seed)
    for _ in range(length):
        token = sample_token(step(tokens), rng, temperature, top_k)
        yield token
        tokens = np.array([token], np.int32)
