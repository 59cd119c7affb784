"""How well a classifier classifies."""

from __future__ import annotations

import numpy as np

from toolkit.errors import DataError

BINS = 15  # of the calibration error, as in Guo et al.
SUM_TOLERANCE = 0.01  # half-precision rounding of a row; logits miss by more


def classification_metrics(
    labels: np.ndarray, probabilities: np.ndarray, *, rubbish: bool = False
) -> dict[str, float]:
    """Returns accuracy, error, loss and calibration error.

    Args:
        labels: integers `(N,)`.
        probabilities: `(N, classes)`, or `(N, 1)` of one sigmoid unit: the
            probability of label 1. Not logits: each value is in [0, 1], and
            each row sums to 1.
        rubbish: whether rows may sum to less than 1, the rest being the
            probability of no class, as `posteriors` returns them.

    Returns:
        `accuracy` and `error`, shares in [0, 1]; `loss`, mean negative log
        likelihood in nats; `calibration_error`, the expected difference
        between confidence and accuracy over 15 bins.

    Raises:
        DataError: shapes that do not fit, labels out of range, NaN, or numbers
            that are no probabilities, such as logits.

    Example:
    >>> import numpy as np
    >>> from toolkit.evaluation import classification_metrics
    >>> found = classification_metrics([0, 1], [[0.75, 0.25], [0.5, 0.5]])
    >>> found["accuracy"], round(found["loss"], 4)
    (0.5, 0.4904)

    Source of the calibration error: Guo, Pleiss, Sun, Weinberger: On
    calibration of modern neural networks (2017), section 2.
    """
    labels, probabilities = _checked(labels, probabilities)
    _check_probabilities(probabilities, rubbish)
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right, BINS) - np.bincount(bins, confidence, BINS)
    return {
        "accuracy": float(right.mean()),
        "error": float(1.0 - right.mean()),
        "loss": float(_losses(labels, probabilities).mean()),
        "calibration_error": float(np.abs(gaps).sum() / len(labels)),
    }


def confusion_matrix(
    labels: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """Counts pairs of true class (row) and predicted class (column).

    Args:
        labels: as for `classification_metrics`.
        probabilities: as for `classification_metrics`.

    Returns:
        int64 `(classes, classes)`.

    Raises:
        DataError: as `classification_metrics`.
    """
    from sklearn import metrics

    labels, probabilities = _checked(labels, probabilities)
    return metrics.confusion_matrix(
        labels,
        probabilities.argmax(axis=1),
        labels=np.arange(probabilities.shape[1]),
    )


def per_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Returns precision, recall, F1 and support of every class.

    Args:
        confusion: counts `(classes, classes)`, true class by row.

    Returns:
        Arrays `(classes,)`; 0 where a class was never predicted or never
        there.
    """
    confusion = np.asarray(confusion, float)
    hits = np.diag(confusion)
    predicted, support = confusion.sum(axis=0), confusion.sum(axis=1)

    def share(part, whole):
        return np.divide(part, whole, np.zeros_like(part), where=whole > 0)

    return {
        "precision": share(hits, predicted),
        "recall": share(hits, support),
        "f1": share(2 * hits, predicted + support),
        "support": support.astype(int),
    }


def worst_mistakes(
    labels: np.ndarray, probabilities: np.ndarray, count: int
) -> np.ndarray:
    """Returns the places of misclassified examples, the worst loss first.

    Args:
        labels: as for `classification_metrics`.
        probabilities: as for `classification_metrics`.
        count: how many at most.

    Raises:
        DataError: as `classification_metrics`.
    """
    labels, probabilities = _checked(labels, probabilities)
    _check_probabilities(probabilities, rubbish=True)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    losses = _losses(labels, probabilities)[wrong]
    return wrong[np.argsort(-losses, kind="stable")[:count]]


def two_columns(probabilities: np.ndarray) -> np.ndarray:
    """Returns `(N, 2)` for the output `(N, 1)` of one sigmoid unit."""
    probabilities = np.asarray(probabilities)
    if probabilities.ndim == 2 and probabilities.shape[1] == 1:
        return np.concatenate([1.0 - probabilities, probabilities], axis=1)
    return probabilities


def posteriors(penalties: np.ndarray, rubbish: float) -> np.ndarray:
    """Returns the probabilities behind the penalties of `RBFOutput`.

    `p[i] = exp(-y[i]) / (exp(-rubbish) + sum over k of exp(-y[k]))`; what is
    missing to 1 is the probability that the input belongs to no class.

    Args:
        penalties: `(N, classes)`.
        rubbish: penalty of the class of rubbish, the `j` of `MAPLoss`.

    Returns:
        float64 `(N, classes)`.

    Source: LeCun, Bottou, Bengio, Haffner (1998), equation 9.
    """
    scores = -np.asarray(penalties, np.float64)
    highest = np.maximum(scores.max(axis=1, keepdims=True), -rubbish)
    shares = np.exp(scores - highest)
    return shares / (
        np.exp(-rubbish - highest) + shares.sum(axis=1, keepdims=True)
    )


def to_probabilities(
    outputs: np.ndarray, activation: str, rubbish: float | None = None
) -> np.ndarray:
    """Returns what a classifier's outputs say, as probabilities.

    Args:
        outputs: of the model, `(N, classes)`, or `(N, 1)` of a sigmoid unit.
        activation: of its last layer: `softmax`, `sigmoid` or `penalties`; or
            `shares` where one of several outputs that need not sum to 1, such
            as sigmoids with targets of 0.1 and 0.9, stands for the class.
        rubbish: for penalties, that of the class of rubbish.
    """
    if activation == "penalties":
        return posteriors(outputs, rubbish)
    outputs = np.asarray(outputs)
    if activation == "shares":
        return outputs / outputs.sum(axis=1, keepdims=True)
    return outputs


def _losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    likelihood = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(likelihood, np.finfo(np.float32).tiny))


def _check_probabilities(table: np.ndarray, rubbish: bool) -> None:
    """Raises for numbers that are no probabilities."""
    sums = table.sum(axis=1)
    high = 1 + SUM_TOLERANCE
    least = 0 if rubbish else 1 - SUM_TOLERANCE
    negative = table.min(axis=1) < -SUM_TOLERANCE
    wrong = negative | (sums < least) | (sums > high)
    if not wrong.any():
        return
    row = int(wrong.argmax())
    values = ", ".join(f"{value:.4g}" for value in table[row, :4])
    more = ", ..." if table.shape[1] > 4 else ""
    raise DataError(
        "`probabilities` must be in [0, 1] and sum to 1 in each row. Received "
        f"at example {row}: {values}{more}, which sum to {sums[row]:.4g}. "
        "Apply a softmax to logits first (keras.ops.softmax); independent "
        'sigmoids become shares with `to_probabilities(outputs, "shares")`.'
    )


def _checked(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    labels = np.asarray(labels)
    probabilities = two_columns(np.asarray(probabilities, np.float64))
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise DataError(
            "`labels` must be (N,) and `probabilities` (N, classes). "
            f"Received: {labels.shape} and {probabilities.shape}."
        )
    if not len(labels):
        raise DataError("There is nothing to evaluate: 0 examples.")
    if np.isnan(probabilities).any():
        row = int(np.argwhere(np.isnan(probabilities))[0, 0])
        raise DataError(f"`probabilities` are NaN, first at example {row}.")
    classes = probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"`labels` must be in [0, {classes}). Received: from "
            f"{labels.min()} to {labels.max()}."
        )
    return labels.astype(int), probabilities
