"""Small pictures in rows and grids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from toolkit.errors import DataError

GAP = 1  # pixels between two pictures
DPI = 200  # pictures are drawn as pixels, also inside an SVG
EDGE = 0.08  # inches around the pictures
POINTS = 8  # size of what is written beside them


def picture_rows(
    rows: Sequence[tuple[str, np.ndarray]], columns: Sequence[str] = ()
) -> Figure:
    """Draws pictures in rows, such as images above their reconstructions.

    Args:
        rows: pairs of a title and pictures `(N, height, width, channels)`
            with values in [0, 1], of one shape in all rows; one channel is
            grey, three are RGB. Values outside are drawn as 0 or 1.
        columns: titles of the N columns; none if empty.

    Raises:
        DataError: no row, or pictures of other shapes.
    """
    if not rows:
        raise DataError("There is nothing to draw: no rows.")
    canvas, places = _canvas([pictures for _, pictures in rows])
    count = len(places[1])
    if len(columns) not in (0, count):
        raise DataError(
            f"`columns` must name the {count} columns. Received: "
            f"{len(columns)} names."
        )
    figure, axes = _show(
        canvas,
        wide=0.62 * count,
        left=max(_width(title) for title, _ in rows) + 0.15,
        above=0.25 if columns else EDGE,
    )
    axes.set_yticks(places[0], [title for title, _ in rows])
    axes.set_xticks(places[1] if columns else [], columns)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def picture_grid(
    pictures: np.ndarray,
    x: Sequence[float],
    y: Sequence[float],
    x_label: str,
    y_label: str,
) -> Figure:
    """Draws a picture for every point of a grid over a plane.

    Args:
        pictures: `(len(y), len(x), height, width, channels)`, as for
            `picture_rows`.
        x: where the columns lie, ascending.
        y: where the rows lie, ascending; the first is drawn at the bottom.
        x_label: what `x` is.
        y_label: what `y` is.

    Raises:
        DataError: shapes that do not fit.
    """
    pictures = np.asarray(pictures)
    if pictures.ndim != 5 or pictures.shape[:2] != (len(y), len(x)):
        raise DataError(
            f"`pictures` must be ({len(y)}, {len(x)}, height, width, "
            f"channels) for `y` and `x`. Received: {pictures.shape}."
        )
    canvas, places = _canvas(pictures[::-1])
    wide = min(0.42 * len(x), 7.0)
    figure, axes = _show(canvas, wide=wide, left=0.7, below=0.5)
    for axis, where, values, label in (
        (axes.xaxis, places[1], np.asarray(x), x_label),
        (axes.yaxis, places[0], np.asarray(y)[::-1], y_label),
    ):
        # A number at every second or third picture is enough.
        every = slice(None, None, -(-len(values) // 8))
        axis.set_ticks(where[every], [f"{v:.1f}" for v in values[every]])
        axis.set_label_text(label, fontsize=POINTS)
    return figure


def _canvas(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, list]:
    """Returns one RGB picture of all, and the middles of rows and columns."""
    rows = [np.asarray(pictures, np.float32) for pictures in rows]
    shape = rows[0].shape
    if (
        len(shape) != 4
        or shape[-1] not in (1, 3)
        or not shape[0]
        or any(pictures.shape != shape for pictures in rows)
    ):
        raise DataError(
            "The pictures must be (N, height, width, 1 or 3) with N of at "
            "least 1, of one shape in all rows. Received: "
            f"{', '.join(str(pictures.shape) for pictures in rows)}."
        )
    count, height, width, _ = shape
    steps = (height + GAP, width + GAP)
    canvas = np.ones(
        (len(rows) * steps[0] - GAP, count * steps[1] - GAP, 3), np.float32
    )
    for i, pictures in enumerate(rows):
        for j, picture in enumerate(pictures):
            top, left = i * steps[0], j * steps[1]
            place = (slice(top, top + height), slice(left, left + width))
            canvas[place] = np.clip(picture, 0.0, 1.0)
    middles = [
        np.arange(number) * step + (step - GAP - 1) / 2
        for number, step in zip((len(rows), count), steps, strict=True)
    ]
    return canvas, middles


def _width(text: str) -> float:
    """Returns how wide a text is, in inches."""
    # A path of blanks alone has no extent.
    return TextPath((0, 0), f"{text}.", size=POINTS).get_extents().x1 / 72


def _show(
    canvas: np.ndarray,
    wide: float,
    left: float,
    above: float = EDGE,
    below: float = EDGE,
):
    """Returns a figure, and its axes with a canvas.

    The sizes are set outright: matplotlib's layouts cut off labels of axes
    whose aspect is fixed.

    Args:
        canvas: `(height, width, 3)`.
        wide: width of the canvas, in inches.
        left: space on its left, in inches.
        above: space above it.
        below: space below it.
    """
    high = wide * canvas.shape[0] / canvas.shape[1]
    width, height = left + wide + EDGE, below + high + above
    figure = Figure(figsize=(width, height), dpi=DPI)
    axes = figure.add_axes(
        (left / width, below / height, wide / width, high / height)
    )
    axes.imshow(canvas, interpolation="nearest")
    axes.tick_params(labelsize=POINTS)
    return figure, axes
