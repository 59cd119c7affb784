"""Points of a plane by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib.figure import Figure

from toolkit.errors import DataError

COLORS = colormaps["tab10"].colors
MARKERS = ("o", "s", "^")
NAMED = len(COLORS) * len(MARKERS)  # classes that can be told apart
SHORT = 10  # letters of a name that fits between the points
DPI = 200  # the points are drawn as pixels: thousands would slow a page


def class_map(
    points: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    x_label: str,
    y_label: str,
    limits: np.ndarray | None = None,
) -> Figure:
    """Draws points of a plane, coloured by class.

    Up to 30 classes have a colour and mark of their own, a legend, and, if
    short, their name at the median of their points.

    Args:
        points: `(N, 2)`.
        labels: integers `(N,)`.
        class_names: name of each class, by label.
        x_label: what the first coordinate is.
        y_label: what the second one is.
        limits: ends of the axes, `(2, 2)`: the lowest x and y, the highest x
            and y; points outside are not drawn. By default all are.

    Raises:
        DataError: shapes that do not fit.
    """
    points, labels = np.asarray(points), np.asarray(labels)
    if points.ndim != 2 or points.shape != (len(labels), 2):
        raise DataError(
            "`points` must be (N, 2) with a label for each. Received: "
            f"{points.shape} and {len(labels)} labels."
        )
    figure = Figure(figsize=(6.4, 5.0), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    named = len(class_names) <= NAMED
    few = len(points) < 2000
    many = colormaps["turbo"](np.linspace(0, 1, len(class_names)))
    for label, name in enumerate(class_names):
        members = points[labels == label]
        if not len(members):
            continue
        axes.scatter(
            members[:, 0],
            members[:, 1],
            s=9 if few else 3,
            color=COLORS[label % len(COLORS)] if named else many[label],
            marker=MARKERS[label // len(COLORS) % len(MARKERS)],
            linewidths=0,
            alpha=0.7,
            label=str(name),
            rasterized=True,
        )
        if named and len(str(name)) <= SHORT:
            axes.annotate(
                str(name),
                np.median(members, axis=0),
                ha="center",
                va="center",
                weight="bold",
                path_effects=[
                    patheffects.withStroke(linewidth=3, foreground="white")
                ],
            )
    if limits is not None:
        (left, bottom), (right, top) = limits
        axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.25)
    if named:
        figure.legend(
            loc="outside right upper",
            frameon=False,
            fontsize=8,
            markerscale=2 if few else 4,
        )
    return figure
