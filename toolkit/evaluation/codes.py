"""What the hidden units of an encoder have found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.errors import DataError


def code_metrics(
    patterns: np.ndarray, outputs: np.ndarray, codes: np.ndarray
) -> dict[str, float]:
    """Returns how well patterns come back, and how different their codes are.

    Args:
        patterns: zeros and ones `(N, inputs)`, inputs and targets in one.
        outputs: of the net, `(N, inputs)`.
        codes: values of the hidden units, `(N, hidden)`, in [0, 1].

    Returns:
        `patterns_right`, how many patterns have every output on the right
        side of 0.5; `squared_error`, summed over outputs, mean over patterns;
        `distinct_codes`, how many different codes there are when the hidden
        values are rounded to 0 or 1.

    Raises:
        DataError: shapes that do not fit.

    Example:
    >>> import numpy as np
    >>> from toolkit.evaluation import code_metrics
    >>> eye = np.eye(2)
    >>> code_metrics(eye, 0.8 * eye + 0.1, [[0.9], [0.2]])["distinct_codes"]
    2.0
    """
    patterns, outputs = np.asarray(patterns), np.asarray(outputs, np.float64)
    codes = np.asarray(codes)
    if patterns.shape != outputs.shape or len(codes) != len(patterns):
        raise DataError(
            "`patterns` and `outputs` must have one shape and `codes` a row "
            f"for each. Received: {patterns.shape}, {outputs.shape} and "
            f"{codes.shape}."
        )
    right = ((outputs > 0.5) == (patterns > 0.5)).all(axis=1)
    errors = np.square(outputs - patterns).sum(axis=1)
    return {
        "patterns_right": float(right.sum()),
        "squared_error": float(errors.mean()),
        "distinct_codes": float(len(np.unique(codes > 0.5, axis=0))),
    }


def watch_codes(patterns: np.ndarray, pattern: int, unit: int) -> Callable:
    """Returns a function for `Trace` that watches an encoder learn.

    Args:
        patterns: inputs and targets `(N, inputs)`.
        pattern: index of the pattern whose code is watched.
        unit: index of the hidden unit whose weights are watched.

    Returns:
        A function of a model of one sigmoid hidden layer and sigmoid outputs.
        It gives `errors` `(inputs,)`, the squared error of each output summed
        over the patterns; `code` `(hidden,)`, the hidden values of the
        pattern; `weights` `(inputs + 1,)`, those into the unit, its bias
        last.
    """
    patterns = np.asarray(patterns, np.float64)

    def sigmoid(x):
        return 1.0 / (1.0 + np.exp(-x))

    def watch(model) -> dict[str, np.ndarray]:
        kernel, bias, decode, offset = (np.asarray(w) for w in model.weights)
        codes = sigmoid(patterns @ kernel + bias)
        outputs = sigmoid(codes @ decode + offset)
        found = {
            "errors": np.square(outputs - patterns).sum(axis=0),
            "code": codes[pattern],
            "weights": np.append(kernel[:, unit], bias[unit]),
        }
        return {k: v.astype(np.float32) for k, v in found.items()}

    return watch
