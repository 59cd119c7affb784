"""What convolutions look for."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from toolkit.errors import DataError


def kernels(weights: np.ndarray, columns: int = 8) -> Figure:
    """Draws the kernels of a convolution as pictures, one scale for all.

    Args:
        weights: `(height, width, channels_in, kernels)`. With one or three
            input channels a kernel is one picture, else the mean over the
            input channels is shown.
        columns: pictures in a row.

    Raises:
        DataError: weights of another rank.
    """
    weights = np.asarray(weights)
    if weights.ndim != 4:
        raise DataError(
            "`weights` must be (height, width, channels_in, kernels). "
            f"Received: {weights.shape}."
        )
    pictures = weights.mean(axis=2)
    count = pictures.shape[-1]
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    limit = float(np.abs(pictures).max()) or 1.0
    figure = Figure(
        figsize=(0.8 * columns + 1.0, 0.95 * rows + 0.3), layout="constrained"
    )
    grid = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for index, axes in enumerate(grid):
        axes.axis("off")
        if index < count:
            image = axes.imshow(
                pictures[..., index], cmap="RdBu_r", vmin=-limit, vmax=limit
            )
            axes.set_title(f"{index + 1}", fontsize=8)
    bar = figure.colorbar(image, ax=list(grid), shrink=0.9)
    bar.set_label("weight")
    return figure
