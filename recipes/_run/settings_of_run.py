"""The settings of a run that an earlier version may have begun."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from recipes._run.config import RECIPE, read
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
    return recipe.Config(**values, **known)


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
