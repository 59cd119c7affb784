"""Where a decoder looks while it writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from toolkit.errors import DataError

TOKEN = 0.22  # inches


def attention_map(
    weights: np.ndarray, source: Sequence[str], target: Sequence[str]
) -> Figure:
    """Draws attention weights, a row for each token written.

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
    size = (1.4 + TOKEN * len(source), 1.2 + TOKEN * len(target))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    short = max(map(len, source)) == 1
    axes.set_xticks(
        range(len(source)), source, rotation=0 if short else 90, fontsize=8
    )
    axes.set_yticks(range(len(target)), target, fontsize=8)
    axes.set_xlabel("read")
    axes.set_ylabel("written")
    return figure
