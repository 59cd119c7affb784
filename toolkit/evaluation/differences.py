"""Central differences, with what limits them: rounding and kinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEP = 1e-5  # about the cube root of float64's precision
STEPS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
NOISES = 10  # a difference may be off by so many times the noise


@dataclass(frozen=True)
class Comparison:
    """One derivative beside the differences of the function.

    Attributes:
        numeric: what the differences say.
        error: relative to the larger of the two, or infinite.
        kink: whether the slopes to the left and to the right differ.
    """

    numeric: float
    error: float
    kink: bool = False


def compare(
    move: Callable[[float], float],
    here: float,
    analytic: float,
    magnitude: float,
    scale: float,
    noise: float,
    tolerance: float,
) -> Comparison:
    """Holds a derivative against central differences.

    ```
    dE/dw = (E(w + h) - E(w - h)) / (2 h) + O(h^2)
    ```

    One step is tried first. Only where it disagrees are others tried: larger
    ones suffer from curvature, smaller ones from rounding, and the estimate
    with the smallest uncertainty counts. Disagreement within the uncertainty
    is none.

    Args:
        move: returns the function at a distance along the direction.
        here: the function at distance 0.
        analytic: the derivative in question.
        magnitude: size below which errors are not relative any more; 0 for a
            single entry.
        scale: factor on all steps.
        noise: what rounding does to a value of the function.
        tolerance: relative error that is accepted.
    """
    if not np.isfinite(analytic):
        return Comparison(_slope(move, STEP * scale), np.inf)

    def judge(numeric: float, uncertainty: float) -> Comparison:
        size = max(abs(analytic), abs(numeric), magnitude)
        size = max(size, uncertainty / tolerance)
        gap = abs(analytic - numeric)
        return Comparison(numeric, gap / size if gap else 0.0)

    first = judge(_slope(move, STEP * scale), NOISES * noise / (STEP * scale))
    if first.error <= tolerance:
        return first
    ups, downs = (
        np.array([move(sign * h * scale) for h in STEPS]) for sign in (1, -1)
    )
    steps = np.array(STEPS) * scale
    with np.errstate(invalid="ignore"):  # infinite where a step goes too far
        numerics = (ups - downs) / (2 * steps)
        jumps = np.abs(ups - 2 * here + downs) / steps
    rounding = NOISES * noise / steps
    # What the smaller steps say tells how far a step is off.
    apart = np.abs(numerics[:, None] - numerics) - rounding
    uncertain = rounding + np.triu(apart, 1).max(axis=1)
    uncertain = np.nan_to_num(uncertain, nan=np.inf)
    best = int(uncertain.argmin())
    if not np.isfinite(numerics[best]):
        return Comparison(float(numerics[best]), np.inf)
    found = judge(float(numerics[best]), float(uncertain[best]))
    if found.error <= tolerance:
        return found
    # A kink next to the point: gone at a smaller step, or a difference
    # between the slopes to the left and to the right which does not shrink.
    gap = abs(analytic - found.numeric)
    visible = [best, *np.flatnonzero(rounding <= 0.5 * gap)]
    finest = max(visible)
    finer = judge(float(numerics[finest]), float(rounding[finest]))
    if finer.error <= tolerance:
        return finer
    kink = bool(jumps[finest] >= 0.5 * gap)
    return Comparison(found.numeric, found.error, kink)


def _slope(move: Callable[[float], float], step: float) -> float:
    return (move(step) - move(-step)) / (2 * step)
