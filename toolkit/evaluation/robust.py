"""Accuracy against the strength of a distortion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from toolkit.errors import DataError

BATCH = 256


def robustness(
    classify: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    grids: Mapping[str, Sequence[float]] | None = None,
    seed: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """Measures a classifier on images distorted more and more.

    Args:
        classify: takes float32 images in [0, 1] `(batch, height, width,
            channels)`, returns the predicted labels `(batch,)`.
        images: uint8 `(N, height, width, channels)`.
        labels: integers `(N,)`.
        grids: strengths by the distortion's name; by default every
            distortion of `toolkit.data.DISTORTIONS` on its own grid.
        seed: of noise and directions.

    Returns:
        By the distortion's name, a list of `{"strength", "accuracy"}`.

    Raises:
        ConfigError: a distortion or strength that does not exist.
        DataError: nothing to measure on.

    Example:
    >>> import numpy as np
    >>> from toolkit.evaluation import robustness
    >>> bright = lambda x: (x.mean(axis=(1, 2, 3)) > 0.5).astype(int)
    >>> images = np.zeros((2, 8, 8, 1), "uint8")
    >>> images[1] = 255
    >>> robustness(bright, images, [0, 1], {"rotation": [0]})
    {'rotation': [{'strength': 0.0, 'accuracy': 1.0}]}
    """
    from toolkit.data.distortions import DISTORTIONS, check_strength, distort

    if grids is None:
        grids = {name: item.grid for name, item in DISTORTIONS.items()}
    for name, strengths in grids.items():
        for strength in strengths:
            check_strength(name, strength)
    labels = np.asarray(labels)
    if not len(labels):
        raise DataError("There is nothing to measure on: 0 images.")
    found: dict[str, list[dict[str, float]]] = {}
    for name, strengths in grids.items():
        rows = found.setdefault(name, [])
        for strength in strengths:
            right = 0
            for start in range(0, len(labels), BATCH):
                part = images[start : start + BATCH].astype(np.float32) / 255
                made = distort(part, name, strength, (seed, start))
                answer = classify(np.asarray(made))
                right += int((answer == labels[start : start + BATCH]).sum())
            rows.append(
                {
                    "strength": float(strength),
                    "accuracy": right / len(labels),
                }
            )
    return found
