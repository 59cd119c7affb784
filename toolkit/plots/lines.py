"""Several quantities over the epochs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toolkit.errors import DataError

# Okabe and Ito's colours, safe for all eyes; with three dashes 24 lines.
COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
    "#000000", "#999999",
)  # fmt: skip
DASHES = ("-", "--", ":")


def lines(
    x: Sequence[float],
    values: np.ndarray,
    names: Sequence[str],
    label: str,
    x_label: str = "epoch",
    log: bool = False,
) -> Figure:
    """Draws several quantities over one axis, a line each.

    Args:
        x: where they were measured, `(N,)`.
        values: the quantities, `(N, lines)`.
        names: of the lines.
        label: what they are and their unit, for the axis.
        x_label: what `x` is.
        log: whether the quantities have a logarithmic axis, from which those
            that are 0 are missing.

    Raises:
        DataError: sizes that do not fit.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape != (len(x), len(names)):
        raise DataError(
            "`values` must be (places, lines) for `x` and `names`. Received: "
            f"{values.shape} for {len(x)} and {len(names)}."
        )
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    if log and (values > 0).any():
        axes.set_yscale("log")
    for index, name in enumerate(names):
        axes.plot(
            x,
            values[:, index],
            color=COLORS[index % len(COLORS)],
            linestyle=DASHES[index // len(COLORS) % len(DASHES)],
            linewidth=1.2,
            label=name,
        )
    if np.issubdtype(np.asarray(x).dtype, np.integer):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(x_label)
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    if 1 < len(names) <= 24:  # one is named by the axis
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside right upper",
            frameon=False,
            fontsize=8,
        )
    return figure
