"""Telling the unusual from the usual by a score."""

from __future__ import annotations

import numpy as np

from toolkit.errors import DataError

USUAL = 0.99  # share of usual examples at or below the threshold


def anomaly_threshold(scores: np.ndarray, usual: float = USUAL) -> float:
    """Returns the score above which an example is called unusual.

    Args:
        scores: of usual examples that the model has not learned from, `(N,)`.
        usual: share of them that are to stay at or below it, in (0, 1).

    Returns:
        The quantile of the scores.

    Raises:
        DataError: no scores, or a share outside its range.

    Example:
    >>> from toolkit.evaluation import anomaly_threshold
    >>> anomaly_threshold([0.0, 1.0, 2.0], usual=0.5)
    1.0
    """
    scores = np.asarray(scores, np.float64)
    if not scores.size or not 0.0 < usual < 1.0:
        raise DataError(
            "There must be scores, and `usual` must be in (0, 1). Received: "
            f"{scores.size} scores, usual={usual}."
        )
    return float(np.quantile(scores, usual))


def anomaly_metrics(
    usual: np.ndarray, unusual: np.ndarray, threshold: float
) -> dict[str, float]:
    """Returns how well a score tells unusual examples from usual ones.

    Args:
        usual: scores `(N,)`.
        unusual: scores `(M,)`.
        threshold: a score above it means unusual.

    Returns:
        `auroc`, the chance that an unusual example scores higher than a usual
        one (area under the receiver operating characteristic); `found`, the
        share of unusual ones above the threshold; `false_alarms`, the share
        of usual ones above it.

    Raises:
        DataError: nothing to tell apart.

    Example:
    >>> from toolkit.evaluation import anomaly_metrics
    >>> anomaly_metrics([1.0, 2.0, 3.0, 4.0], [3.5, 5.0], threshold=4.5)
    {'auroc': 0.875, 'found': 0.5, 'false_alarms': 0.0}

    Source: T. Fawcett: An introduction to ROC analysis (2006).
    """
    from sklearn import metrics

    usual, unusual = np.asarray(usual), np.asarray(unusual)
    if not len(usual) or not len(unusual):
        raise DataError(
            f"There is nothing to tell apart: {len(usual)} usual and "
            f"{len(unusual)} unusual examples."
        )
    kinds = np.repeat([0, 1], [len(usual), len(unusual)])
    scores = np.concatenate([usual, unusual])
    return {
        "auroc": float(metrics.roc_auc_score(kinds, scores)),
        "found": float((unusual > threshold).mean()),
        "false_alarms": float((usual > threshold).mean()),
    }
