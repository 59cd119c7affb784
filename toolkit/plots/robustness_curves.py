"""Accuracy against the strength of distortions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from toolkit.errors import DataError

# Okabe and Ito: safe for all eyes.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")


def robustness_curves(
    found: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]],
    units: Mapping[str, str] | None = None,
    columns: int = 4,
) -> Figure:
    """Draws a panel per distortion with a curve per model.

    Args:
        found: by the model's name, what `evaluation.robustness` returned.
        units: of the strength, by the distortion's name.
        columns: panels in a row.

    Raises:
        DataError: no model, or no distortion.
    """
    names = list(dict.fromkeys(n for rows in found.values() for n in rows))
    if not names:
        raise DataError("There is nothing to draw: no distortion measured.")
    columns = min(columns, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(
        figsize=(2.9 * columns, 2.5 * rows + 0.4), layout="constrained"
    )
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for index, axes in enumerate(panels.flat):
        if index >= len(names):
            axes.axis("off")
            continue
        name = names[index]
        for number, (label, curves) in enumerate(found.items()):
            points = curves.get(name, ())
            axes.plot(
                [p["strength"] for p in points],
                [100 * p["accuracy"] for p in points],
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=3,
                linewidth=1.2,
                label=label,
            )
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_xlabel((units or {}).get(name, "strength"), fontsize=8)
        axes.set_ylim(0, 102)
        axes.grid(alpha=0.25)
        axes.tick_params(labelsize=8)
        if index % columns == 0:
            axes.set_ylabel("accuracy, %", fontsize=8)
    if len(found) > 1:
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=len(found),
            frameon=False,
        )
    return figure
