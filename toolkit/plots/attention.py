"""Where a decoder looks while it writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from toolkit.errors import DataError

TOKEN = 0.18  # inches of a cell
EDGE = 0.08  # inches around everything
COLORS = "Blues"
BLANK = "\u2423"


def attention_map(
    weights: np.ndarray, source: Sequence[str], target: Sequence[str]
) -> Figure:
    """Draws attention weights, a row for each token written.

    Every map has cells of one size and one scale of colours, which
    `attention_scale` draws: maps of several sentences can be compared.

    Args:
        weights: `(target tokens, source tokens)`, in [0, 1].
        source: tokens read.
        target: tokens written.

    Raises:
        DataError: weights of another shape, or no tokens.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(target), len(source)) or not weights.size:
        raise DataError(
            f"`weights` must be ({len(target)}, {len(source)}), one for each "
            "target and source token, at least one of both. Received: "
            f"{weights.shape}."
        )
    rows, columns = weights.shape
    figure = Figure(figsize=(TOKEN * columns, TOKEN * rows))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(weights, cmap=COLORS, vmin=0.0, vmax=1.0, aspect="auto")
    style = {"fontsize": 8, "parse_math": False}
    axes.set_xticks(range(columns), _shown(source), **style)
    axes.set_yticks(range(rows), _shown(target), **style)
    for label in axes.get_xticklabels():
        label.set_rotation(90 if len(label.get_text()) > 1 else 0)
    axes.set_xlabel("read")
    axes.set_ylabel("written")
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e3e7ec", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    _make_room(figure, axes)
    return figure


def attention_scale() -> Figure:
    """Draws the colours of `attention_map`: weights from 0 to 1."""
    figure = Figure(figsize=(2.6, 0.62), layout="constrained")
    axes = figure.add_subplot()
    colors = ScalarMappable(cmap=COLORS)
    colors.set_clim(0.0, 1.0)
    figure.colorbar(colors, cax=axes, orientation="horizontal", label="weight")
    axes.tick_params(labelsize=8)
    return figure


def _shown(tokens: Sequence[str]) -> list[str]:
    """Returns labels; a blank would look like none."""
    return [token.replace(" ", BLANK) for token in tokens]


def _make_room(figure: Figure, axes: Axes) -> None:
    """Grows a figure for the labels; the axes keep their size."""
    width, height = figure.get_size_inches()
    box = axes.get_tightbbox()
    left, bottom = (EDGE - side / figure.dpi for side in (box.x0, box.y0))
    right = max(box.x1 / figure.dpi - width, 0) + EDGE
    top = max(box.y1 / figure.dpi - height, 0) + EDGE
    wide, high = left + width + right, bottom + height + top
    figure.set_size_inches(wide, high)
    axes.set_position((left / wide, bottom / high, width / wide, height / high))
