"""How scores are distributed on both sides of a threshold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from toolkit.errors import DataError
from toolkit.plots.lines import COLORS

BINS = 40


def score_histogram(
    scores: Mapping[str, np.ndarray], threshold: float, label: str
) -> Figure:
    """Draws the distribution of positive scores, a step line per kind.

    The axis of the scores is logarithmic, the bins are the same for all.

    Args:
        scores: `(N,)` by the kind's name, above 0.
        threshold: a score to mark.
        label: what the score is, and its unit.

    Raises:
        DataError: no kind, no score, or one that is not above 0.
    """
    values = [np.asarray(found, np.float64) for found in scores.values()]
    if not values or any(not v.size or not (v > 0).all() for v in values):
        raise DataError(
            "`scores` must hold scores above 0 of at least one kind. "
            f"Received: {', '.join(f'{len(v)}' for v in values) or 'none'}."
        )
    everything = np.concatenate([*values, [threshold]])
    low, high = float(everything.min()), float(everything.max())
    edges = np.geomspace(low / 1.01, high * 1.01, BINS + 1)
    figure = Figure(figsize=(7.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, found) in enumerate(zip(scores, values, strict=True)):
        counts, _ = np.histogram(found, edges)
        axes.stairs(
            100 * counts / len(found),
            edges,
            color=COLORS[index % len(COLORS)],
            linewidth=1.4,
            label=name,
        )
    axes.axvline(
        threshold,
        color="#444444",
        linestyle=":",
        label=f"threshold {threshold:.3g}",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)
    axes.set_ylabel("share of the images, %")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure
