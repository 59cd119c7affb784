"""How a quantity is distributed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from toolkit.errors import DataError
from toolkit.plots.lines import COLORS

BINS = (10, 40)  # fewest and most


def histogram(values: Sequence[float], label: str, share: str) -> Figure:
    """Draws the distribution of a quantity, and marks its mean.

    Args:
        values: the quantity, `(N,)`.
        label: what it is, and its unit.
        share: what is counted, such as `share of the words, %`.

    Raises:
        DataError: no value, or one that is not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise DataError(
            "`values` must be finite numbers, `(N,)`, at least one. Received "
            f"an array of shape {values.shape}."
        )
    few, many = BINS
    bins = min(max(round(len(values) ** 0.5), few), many)
    counts, edges = np.histogram(values, bins)
    figure = Figure(figsize=(7.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(
        100 * counts / len(values), edges, color=COLORS[0], fill=True, alpha=0.8
    )
    mean = float(values.mean())
    axes.axvline(mean, color="#444444", linestyle=":", label=f"mean {mean:.3g}")
    axes.set_xlabel(label)
    axes.set_ylabel(share)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    return figure
