"""Configurations: dataclasses with presets, written as YAML."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import ConfigError, RunError, closest, unknown
from toolkit.io import atomic_write

RECIPE = "recipe"


def configured(config_class: type, presets: Mapping, preset: str, **changes):
    """Returns a configuration: the defaults, a preset over them, changes.

    Args:
        config_class: the recipe's `Config`.
        presets: the recipe's `PRESETS`, name -> values.
        preset: name of one of them.
        changes: values that go over the preset's.

    Raises:
        ConfigError: a preset or a field that does not exist.
    """
    if preset not in presets:
        raise ConfigError(unknown("preset", preset, presets))
    names = [field.name for field in dataclasses.fields(config_class)]
    for name in changes:
        if name not in names:
            raise ConfigError(
                f'There is no setting "{name}".{closest(name, names)} '
                f"Available: {', '.join(names)}."
            )
    return config_class(**{**presets[preset], **changes})


def require(condition: bool, message: str) -> None:
    """Raises `ConfigError` with the message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


def write(path: Path, recipe: str, config: Any) -> None:
    """Writes a configuration as YAML: the recipe's name, then the fields."""
    values = {RECIPE: recipe, **dataclasses.asdict(config)}
    atomic_write(path, yaml.safe_dump(values, sort_keys=False))


def read(path: Path) -> dict[str, Any]:
    """Returns what `write` wrote, the recipe's name under `recipe`.

    Raises:
        RunError: the file is missing or is not such a file.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise RunError(
            f'"{path.parent}" is not a run directory: it has no {path.name}.'
        ) from error
    except yaml.YAMLError as error:
        raise RunError(f'"{path}" is not readable YAML: {error}') from error
    if not isinstance(values, dict) or RECIPE not in values:
        raise RunError(
            f'"{path}" does not say which recipe it is of (`recipe: ...`).'
        )
    return values
