"""Loss and metrics per epoch."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toolkit.errors import DataError

TRAIN, VALIDATION = "#0072b2", "#d55e00"  # Okabe and Ito: safe for all eyes


def curves(
    epochs: Sequence[int],
    training: Sequence[float],
    validation: Sequence[float] | None = None,
    label: str = "loss",
    best: int | None = None,
) -> Figure:
    """Draws one quantity per epoch, training beside validation.

    Args:
        epochs: numbers of the epochs, `(E,)`.
        training: the quantity on the training split, `(E,)`.
        validation: the same on the validation split, or None.
        label: its name and unit, for the axis.
        best: epoch to mark.

    Raises:
        DataError: lengths that differ, or no epoch.
    """
    lengths = {len(epochs), len(training), len(validation or training)}
    if lengths != {len(epochs)} or not len(epochs):
        raise DataError(
            "`epochs`, `training` and `validation` must have one length of at "
            f"least 1. Received: {sorted(lengths)}."
        )
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    marker = "o" if len(epochs) < 3 else None
    axes.plot(epochs, training, color=TRAIN, marker=marker, label="training")
    if validation is not None:
        axes.plot(
            epochs,
            validation,
            color=VALIDATION,
            linestyle="--",
            marker=marker,
            label="validation",
        )
    if best is not None:
        axes.axvline(best, color="#888888", linewidth=0.8, linestyle=":")
        axes.annotate(
            f"best epoch {best}",
            (best, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3, -3),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="top",
            fontsize=8,
            color="#666666",
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure
