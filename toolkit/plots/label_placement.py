"""Where labels go, so that none lies upon another."""

from __future__ import annotations

import numpy as np

ANGLES = np.arange(0, 360, 15)
NEAR = 5.5  # distance of a label that was not moved, in pixels
DISTANCES = NEAR * 1.4 ** np.arange(15)
PASSES = 3  # all labels are placed so often
APART = 2.0  # pixels between two labels
MARKER = 3.0  # radius of a point, in pixels
# What a label is worth moving away for, in pixels.
POINT, BESIDE, OBSTACLE, CROSSING = 20.0, 6.0, 8.0, 12.0


def place_labels(
    points: np.ndarray,
    sizes: np.ndarray,
    frame: tuple[float, float, float, float],
    obstacles: np.ndarray,
) -> np.ndarray | None:
    """Returns where the middles of labels go, relative to their points.

    Labels never overlap and stay within the frame. As far as there is room
    they lie close to their points, neither on nor beside other points, and
    not on obstacles. The crowded points come first; more passes over all
    labels mend what later ones spoil. Nothing is left to chance.

    Args:
        points: `(N, 2)` in pixels.
        sizes: width and height of the labels, `(N, 2)` in pixels.
        frame: left, bottom, right and top, in pixels.
        obstacles: places that had better stay free, `(M, 2)` in pixels.

    Returns:
        `(N, 2)` in pixels; None if there is no room.
    """
    count = len(points)
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(gaps, np.inf)
    order = np.argsort(np.sort(gaps, axis=1)[:, :3].mean(axis=1))
    boxes = np.full((count, 4), np.nan)  # comparisons with NaN are false
    offsets = np.zeros((count, 2))
    for _ in range(PASSES):
        before = boxes.copy()
        for i in order:
            boxes[i] = np.nan
            others = np.delete(points, i, axis=0)
            best = np.inf
            for distance in DISTANCES:
                if best <= distance:  # farther ones cost more
                    break
                choices, costs = _choices(sizes[i], distance)
                middles = points[i] + choices
                half = sizes[i] / 2 + APART / 2
                found = np.concatenate([middles - half, middles + half], 1)
                costs += POINT * _covered(found, others, MARKER)
                costs += BESIDE * _covered(found, others, NEAR + 1)
                costs += OBSTACLE * _covered(found, obstacles, 1.0)
                costs += CROSSING * _crossed(points[i], middles, boxes)
                costs[_overlap(found, boxes) | _outside(found, frame)] = np.inf
                least = int(np.argmin(costs))
                if costs[least] < best:
                    best = costs[least]
                    offsets[i], place = choices[least], found[least]
            if best == np.inf:
                return None
            boxes[i] = place
        if np.array_equal(before, boxes):
            break
    return offsets


def _choices(
    size: np.ndarray, distance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns offsets `(C, 2)` around a point and what each costs."""
    turns = np.deg2rad(ANGLES)
    direction = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    # A side or a corner of the label points at the point, never its inside.
    touching = np.clip(1.5 * direction, -1, 1) * size / 2
    # All else equal a label stands on the right, or above.
    taste = 1.5 * (1 - direction[:, 0]) + 0.5 * (1 - direction[:, 1])
    return touching + direction * distance, taste + distance


def _covered(boxes: np.ndarray, places: np.ndarray, radius: float):
    """Returns how many places lie in each box or this close to it."""
    low, high = boxes[:, None, :2] - radius, boxes[:, None, 2:] + radius
    return ((places > low) & (places < high)).all(axis=2).sum(axis=1)


def _crossed(point: np.ndarray, middles: np.ndarray, boxes: np.ndarray):
    """Returns how many boxes lie between a point and each of the middles."""
    steps = np.linspace(0, 1, 12)[:, None, None]
    way = (point + steps * (middles - point))[:, :, None]
    inside = ((way > boxes[:, :2]) & (way < boxes[:, 2:])).all(axis=3)
    return inside.any(axis=0).sum(axis=1)


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    apart = ((low < others[:, 2:]) & (high > others[:, :2])).all(axis=2)
    return apart.any(axis=1)


def _outside(boxes: np.ndarray, frame: tuple) -> np.ndarray:
    low, high = np.array(frame[:2]), np.array(frame[2:])
    return ((boxes[:, :2] < low) | (boxes[:, 2:] > high)).any(axis=1)
