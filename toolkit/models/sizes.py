"""Sizes of models: single ones, and sequences of them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from toolkit.errors import ConfigError
from toolkit.whole_numbers import is_whole

MAY_BE_EMPTY = ("hidden",)


def check_sizes(
    *,
    sequences: Mapping[str, Any] | None = None,
    numbers: Mapping[str, Any] | None = None,
) -> list:
    """Returns sizes as plain integers, which Keras wants, or raises.

    An argument is either a sequence of sizes or one size; neither is taken
    for the other.

    Args:
        sequences: by the argument's name, what must be a sequence of positive
            integers, with at least one in it; `hidden` may be empty.
        numbers: by the argument's name, what must be a positive integer.

    Returns:
        A tuple of `int` for each of `sequences`, then an `int` for each of
        `numbers`, in the order given.

    Raises:
        ConfigError: the first that is not.

    Example:
    >>> import numpy as np
    >>> from toolkit.models.sizes import check_sizes
    >>> check_sizes(sequences={"hidden": [np.int64(3)]}, numbers={"code": 2})
    [(3,), 2]
    """
    found: list = []
    for name, value in (sequences or {}).items():
        found.append(_sequence(name, value))
    for name, value in (numbers or {}).items():
        if not _is_size(value):
            items = _items(value)
            alone = items is not None and len(items) == 1 and _is_size(items[0])
            fix = f" Write {name}={items[0]}." if alone else ""
            raise ConfigError(
                f"`{name}` must be a positive integer. {_received(name, value)}"
                f"{fix}"
            )
        found.append(int(value))
    return found


def _sequence(name: str, value) -> tuple[int, ...]:
    items = _items(value)
    if items and all(map(_is_size, items)):
        return tuple(map(int, items))
    if items == () and name in MAY_BE_EMPTY:
        return ()
    fix = f" Write {name}=[{value}]." if _is_size(value) else ""
    wrong = [item for item in items or () if not _is_size(item)]
    if items == ():
        fix = " It is empty."
    if wrong:
        kind = type(wrong[0]).__name__
        fix = f" It holds {wrong[0]!r} (of type {kind})."
    raise ConfigError(
        f"`{name}` must be a sequence of positive integers. "
        f"{_received(name, value)}{fix}"
    )


def _is_size(value) -> bool:
    return is_whole(value, 1)


def _items(value) -> tuple | None:
    """Returns what is in a sequence, or None for all that is none."""
    if isinstance(value, (str, bytes, Mapping, Set)):
        return None
    try:
        len(value)  # refuses what can be read only once
        return tuple(value)
    except (TypeError, ValueError):  # ValueError: a shape of unknown rank
        return None


def _received(name: str, value) -> str:
    return f"Received: {name}={value!r} (of type {type(value).__name__})."
