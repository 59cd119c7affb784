"""One quantity of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from toolkit.errors import DataError
from toolkit.plots.lines import COLORS, DASHES

MOST_RUNS = len(COLORS)

Points = tuple[Sequence[float], Sequence[float]]


def run_lines(
    found: Mapping[str, Mapping[str, Points]],
    label: str,
    x_label: str,
    log: bool = False,
) -> Figure:
    """Draws one quantity of several runs, a colour per run.

    A run may have lines of several kinds, such as before and after training:
    a kind has its dashes. Runs need not have been measured at the same places.

    Args:
        found: by the run's name and the kind, places and values.
        label: what the quantity is and its unit, for the axis.
        x_label: what the places are.
        log: whether the quantity has a logarithmic axis, from which values
            that are 0 are missing.

    Raises:
        DataError: no run, more than 8, more than 3 kinds, or places that do
            not fit the values.
    """
    kinds = list(dict.fromkeys(kind for run in found.values() for kind in run))
    if not 0 < len(found) <= MOST_RUNS or len(kinds) > len(DASHES):
        raise DataError(
            f"1 to {MOST_RUNS} runs can be told apart by colours and "
            f"{len(DASHES)} kinds of lines by dashes. Received: {len(found)} "
            f"and {len(kinds)}."
        )
    for name, lines in found.items():
        for x, y in lines.values():
            if np.ndim(x) != 1 or np.shape(x) != np.shape(y):
                raise DataError(
                    f'The places and values of "{name}" must have one length. '
                    f"Received: {np.shape(x)} and {np.shape(y)}."
                )
    keys = _keys(list(found), kinds)
    figure = Figure(figsize=(7.6, 3.6 + 0.1 * len(keys)), layout="constrained")
    axes = figure.add_subplot()
    if log and any(
        np.max(y) > 0 for r in found.values() for _, y in r.values()
    ):
        axes.set_yscale("log", nonpositive="mask")
    for color, lines in zip(COLORS, found.values(), strict=False):
        for kind, (x, y) in lines.items():
            axes.plot(
                x,
                y,
                color=color,
                linestyle=DASHES[kinds.index(kind)],
                linewidth=1.4,
                marker="o" if len(x) < 3 else None,
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(x_label)
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    figure.legend(
        handles=keys,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=8,
    )
    return figure


def _keys(names: list[str], kinds: list[str]) -> list[Line2D]:
    """Returns what the legend shows: colours of runs, dashes of kinds."""
    keys = [
        Line2D([], [], color=color, label=name.replace("$", r"\$"))
        for color, name in zip(COLORS, names, strict=False)
    ]
    if len(kinds) > 1:
        keys += [
            Line2D([], [], color="#444444", linestyle=dashes, label=kind)
            for dashes, kind in zip(DASHES, kinds, strict=False)
        ]
    return keys
