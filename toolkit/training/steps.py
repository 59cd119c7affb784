"""How many steps go into one compiled call."""

from __future__ import annotations

from toolkit.errors import ConfigError


def steps_per_execution(steps: int, most: int = 64) -> int:
    """Returns the largest divisor of `steps` that is at most `most`.

    Keras overruns an epoch whose number of steps is not a multiple of
    `steps_per_execution`, so it has to be a divisor.

    Args:
        steps: steps of an epoch, at least 1.
        most: upper limit, at least 1.

    Raises:
        ConfigError: an argument below 1.

    Example:
    >>> from toolkit.training import steps_per_execution
    >>> steps_per_execution(420), steps_per_execution(7), steps_per_execution(9)
    (60, 7, 9)
    """
    if steps < 1 or most < 1:
        raise ConfigError(
            "`steps` and `most` must be at least 1. Received: "
            f"steps={steps}, most={most}."
        )
    return max(n for n in range(1, min(steps, most) + 1) if steps % n == 0)
