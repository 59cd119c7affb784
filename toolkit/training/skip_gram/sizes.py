"""How much goes into one step, so that no row is moved too far by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK = 16  # centres that are scored against one stretch of text
CENTRES = (64, 32, 16)  # of a step, the first that keeps the loads low
SHARED = 32  # negatives that the centres of a step share
NEGATIVE_LOAD = 60.0  # pairs that one shared negative stands for, at most
ROW_LOAD = 64.0  # pairs that move the most frequent word in a step, at most


@dataclass(frozen=True)
class StepSizes:
    """What a step of the fast path works on.

    A row that a step uses `n` times is moved by the sum of `n` gradients that
    were all taken at its old place. So the most frequent word bounds how many
    centres share a step, and how many pairs one negative stands for.

    Attributes:
        centres: words of a step, a multiple of `CHUNK`.
        shared: negatives that they share.
    """

    centres: int
    shared: int


def step_sizes(
    frequency: np.ndarray,
    noise: np.ndarray,
    *,
    window: int,
    negative: int,
) -> StepSizes:
    """Chooses the sizes of a step.

    Args:
        frequency: of each word in the subsampled text, float `(words,)`, sum
            1.
        noise: probability of each word as a negative; the same.
        window: largest distance of a pair.
        negative: negatives of a pair.
    """
    pairs = window + 1  # of a centre, on average
    heaviest = pairs * float(np.max(frequency + negative * noise))
    for centres in CENTRES:
        load = centres * pairs * negative / SHARED
        if load <= NEGATIVE_LOAD and centres * heaviest <= ROW_LOAD:
            break
    if load <= NEGATIVE_LOAD:
        return StepSizes(centres, SHARED)
    return StepSizes(
        centres, int(8 * np.ceil(load * SHARED / NEGATIVE_LOAD / 8))
    )
