"""Feature maps and the kernels between maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from toolkit.errors import DataError

ACROSS = 20  # pictures in a row; units of a dense layer make one picture


def feature_maps(
    stages: Sequence[tuple[str, np.ndarray]], image: np.ndarray | None = None
) -> Figure:
    """Draws what each stage of a net makes of an image, a row per stage.

    Args:
        stages: pairs of a title and maps `(height, width, maps)`; maps of one
            pixel are drawn as one picture, a cell per unit.
        image: the input, `(height, width, channels)`, drawn first.

    Raises:
        DataError: no stage, or maps of another rank.
    """
    rows: list[tuple[str, list[np.ndarray]]] = []
    if image is not None:
        rows.append(("image", [np.asarray(image).mean(axis=-1)]))
    for title, maps in stages:
        maps = np.asarray(maps)
        if maps.ndim != 3:
            raise DataError(
                f'The maps of "{title}" must be (height, width, maps). '
                f"Received: {maps.shape}."
            )
        if maps.shape[:2] == (1, 1):
            units = maps.reshape(-1)
            wide = min(ACROSS, len(units))
            padded = np.full(math.ceil(len(units) / wide) * wide, np.nan)
            padded[: len(units)] = units
            rows.append((title, [padded.reshape(-1, wide)]))
        else:
            rows.append((title, list(np.moveaxis(maps, -1, 0))))
    if not rows:
        raise DataError("There is nothing to draw: no stages.")
    most = max(len(pictures) for _, pictures in rows)
    figure = Figure(
        figsize=(max(0.62 * most, 6.0), 1.05 * len(rows)), layout="constrained"
    )
    parts = np.ravel(figure.subfigures(len(rows), 1))
    for part, (title, pictures) in zip(parts, rows, strict=True):
        part.suptitle(title, fontsize=8, x=0.01, ha="left")
        wide = most if len(pictures) > 1 else 1
        grid = np.ravel(part.subplots(1, wide, squeeze=False))
        finite = np.concatenate([p[np.isfinite(p)] for p in pictures])
        low, high = float(finite.min()), float(finite.max())
        for index, axes in enumerate(grid):
            axes.axis("off")
            if index < len(pictures):
                axes.imshow(pictures[index], cmap="gray", vmin=low, vmax=high)
    return figure


def kernel_table(weights: np.ndarray) -> Figure:
    """Draws every kernel between two layers of maps.

    A row per map it reads, a column per map it makes; nothing where two maps
    are not connected. One scale for all.

    Args:
        weights: `(height, width, maps in, maps out)`.

    Raises:
        DataError: weights of another rank.
    """
    weights = np.asarray(weights)
    if weights.ndim != 4:
        raise DataError(
            "`weights` must be (height, width, maps in, maps out). Received: "
            f"{weights.shape}."
        )
    height, width, read, made = weights.shape
    limit = float(np.abs(weights).max()) or 1.0
    # One picture of all: hundreds of axes would take seconds.
    canvas = np.full((read * (height + 1) + 1, made * (width + 1) + 1), np.nan)
    for i in range(read):
        for j in range(made):
            kernel = weights[:, :, i, j]
            if kernel.any():
                top, left = i * (height + 1) + 1, j * (width + 1) + 1
                canvas[top : top + height, left : left + width] = kernel
    figure = Figure(
        figsize=(0.5 * made + 1.6, 0.5 * read + 0.8), layout="constrained"
    )
    axes = figure.add_subplot()
    image = axes.imshow(canvas, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.set_xticks(
        np.arange(made) * (width + 1) + 1 + width / 2 - 0.5, range(1, made + 1)
    )
    axes.set_yticks(
        np.arange(read) * (height + 1) + 1 + height / 2 - 0.5,
        range(1, read + 1),
    )
    axes.tick_params(length=0, labelsize=8)
    axes.set_xlabel("map made")
    axes.set_ylabel("map read")
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.9)
    bar.set_label("weight")
    return figure
