"""The settings of a run that an earlier version may have begun."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Literal

from recipes._run.config import PUT_BACK, RECIPE, read
from toolkit.errors import RunError

BEFORE = "BEFORE"  # name of the dict in a recipe's module


def settings_of_run(path: Path, recipe: ModuleType) -> Any:
    """Returns the `Config` with which a run was begun.

    A setting that is younger than the run is not in its config.yaml. It takes
    the value that behaves as the recipe did then, from the recipe's `BEFORE`:
    a dict of values by setting. Without an entry there the run is refused,
    since the default may behave otherwise.

    Args:
        path: The config.yaml of a run directory.
        recipe: The recipe's module, with `Config` and perhaps `BEFORE`.

    Returns:
        A `Config` of the recipe.

    Raises:
        RunError: If the file is missing or damaged, holds a setting that the
            recipe does not have, or lacks one without an entry in `BEFORE`.
        ConfigError: If the value of a setting is invalid.
    """
    values = read(path)
    del values[RECIPE]
    fields = [field.name for field in dataclasses.fields(recipe.Config)]
    unknown = [name for name in values if name not in fields]
    if unknown:
        raise RunError(
            f"{_list(unknown)} in {_quoted(path)} {_is(unknown)} not known to "
            f"the recipe {recipe.RECIPE} of this version. Go on with the "
            f"version that began the run{_version(path)}, or start a new run."
        )
    before: Mapping[str, Any] = getattr(recipe, BEFORE, {})
    missing = [name for name in fields if name not in {**values, **before}]
    if missing:
        raise RunError(
            f"{_list(missing)} {_is(missing)} missing in {_quoted(path)}, and "
            f"the recipe {recipe.RECIPE} has no value for runs of earlier "
            f"versions. Write what the run was begun with into that file, or "
            "start a new run."
        )
    known = {name: before[name] for name in fields if name not in values}
    types = typing.get_type_hints(recipe.Config, vars(recipe))
    for name, value in values.items():
        values[name] = _typed(path, name, value, types[name])
    return recipe.Config(**values, **known)


def _typed(path: Path, name: str, value: Any, wanted: Any) -> Any:
    """Returns a value that YAML may have read as another type.

    Raises:
        RunError: If it is not of the type of its setting.
    """
    if _is_of(value, wanted):
        return value
    if _is_of(0.5, wanted) and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)  # YAML takes 2e-3 for a text
    rule = f"of type {getattr(wanted, '__name__', wanted)}"
    if typing.get_origin(wanted) is Literal:
        rule = f"one of {', '.join(map(str, typing.get_args(wanted)))}"
    raise RunError(
        f'The setting "{name}" in {_quoted(path)} must be {rule}. Received: '
        f"{value!r} (of type {type(value).__name__}). {PUT_BACK}"
    )


def _is_of(value: Any, wanted: Any) -> bool:
    """Returns whether a value is of an annotated type."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is Literal:
        return value in arguments
    if origin in (typing.Union, UnionType):
        return any(_is_of(value, one) for one in arguments)
    kind = origin or wanted
    if kind is Any or not isinstance(kind, type):
        return True  # the recipe knows
    if isinstance(value, bool):
        return kind in (bool, object)
    if kind is float:
        return isinstance(value, int | float)
    if kind is tuple:
        return isinstance(value, tuple | list)  # YAML has no tuples
    return isinstance(value, kind)


def _list(names: list[str]) -> str:
    kind = "The setting" if len(names) == 1 else "The settings"
    return f"{kind} " + ", ".join(f'"{name}"' for name in names)


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _quoted(path: Path) -> str:
    return f'"{path}"'


def _version(path: Path) -> str:
    """Returns the version of this toolkit that began a run, if it is known."""
    try:
        text = path.with_name("environment.json").read_text(encoding="utf-8")
        version = json.loads(text)["versions"]["applied-keras-toolkit"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" ({version})" if isinstance(version, str) else ""
