"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from toolkit.errors import DataError

COUNTS_UP_TO = 25  # classes; more, and the numbers no longer fit


def confusion_matrix(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draws a confusion matrix, coloured by share of the true class.

    Args:
        counts: `(classes, classes)`, true class by row.
        class_names: `(classes,)`.

    Raises:
        DataError: a matrix that is not square or does not fit the names.
    """
    counts = np.asarray(counts)
    classes = len(class_names)
    if counts.shape != (classes, classes):
        raise DataError(
            f"`counts` must be ({classes}, {classes}) for {classes} class "
            f"names. Received: {counts.shape}."
        )
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(3.2 + 0.28 * classes, 12.0)
    figure = Figure(figsize=(side, side * 0.9), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    if classes <= COUNTS_UP_TO:
        for row, column in np.argwhere(counts > 0):
            dark = share[row, column] > 0.5
            axes.text(
                column,
                row,
                f"{counts[row, column]}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "#222222",
            )
    rotation = 0 if max(map(len, map(str, class_names))) <= 3 else 90
    axes.set_xticks(range(classes), class_names, rotation=rotation)
    axes.set_yticks(range(classes), class_names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("share of the true class")
    return figure
