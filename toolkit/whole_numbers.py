"""Settings that have to be whole numbers."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from toolkit.errors import ConfigError


def is_whole(value: Any, least: int) -> bool:
    """Returns whether a value is a whole number, no truth value, and enough."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return whole and value >= least


def check_whole(name: str, value: Any, least: int, otherwise: str = "") -> int:
    """Returns a setting as a plain integer.

    Args:
        name: of the setting.
        value: of it.
        least: that it may have.
        otherwise: what to do where that is not what was meant.

    Raises:
        ConfigError: no whole number, or too small; names the setting.
    """
    if not is_whole(value, least):
        told = (
            f"`{name}` must be a whole number of at least {least}. Received: "
            f"{name}={value!r} (of type {type(value).__name__})."
        )
        raise ConfigError(f"{told} {otherwise}".rstrip())
    return int(value)
