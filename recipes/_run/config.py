"""Configurations: dataclasses with presets, written as YAML."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import ConfigError, RunError
from toolkit.whole_numbers import is_whole

RECIPE = "recipe"
PUT_BACK = "Put the file back as it was, or start a new run."
LARGEST_SEED = 2**32 - 1  # of NumPy's global generator, which Keras seeds


def check(
    config: Any,
    *,
    at_least: Mapping[str, float] | None = None,
    above: Mapping[str, float] | None = None,
    below: Mapping[str, float] | None = None,
) -> None:
    """Holds the numbers of a configuration to their ranges.

    Its `seed`, if it has one, must be one, and its strings must be text.

    Args:
        config: a recipe's `Config`.
        at_least: lowest allowed value by setting.
        above: value by setting that it must exceed.
        below: value by setting that it must stay below.

    Raises:
        ConfigError: the first one out of range; names flag, value and limit.
    """
    for words, limits, holds in (
        ("at least", at_least, operator.ge),
        ("above", above, operator.gt),
        ("below", below, operator.lt),
    ):
        for name, limit in (limits or {}).items():
            value = getattr(config, name)
            if not holds(value, limit):  # NaN holds nothing
                flag = name.replace("_", "-")
                raise ConfigError(
                    f"--{flag} must be {words} {limit:g}. Received: {value}"
                )
    if hasattr(config, "seed"):
        check_seed(config.seed)
    for field in dataclasses.fields(config):
        _check_text(field.name, getattr(config, field.name))


def check_seed(seed: Any) -> None:
    """Raises for what cannot seed every generator of a run.

    Raises:
        ConfigError: no whole number from 0 to 2**32 - 1.
    """
    if not is_whole(seed, 0) or seed > LARGEST_SEED:
        raise ConfigError(
            f"--seed must be a whole number from 0 to {LARGEST_SEED}. "
            f"Received: {seed!r}"
        )


def _check_text(name: str, value: Any) -> None:
    """Raises for bytes of the command line that are no UTF-8."""
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"--{name.replace('_', '-')} is no UTF-8 text. Received: "
            f"{ascii(value)}"
        ) from error


def sizes(config: Any, name: str, empty: bool = False) -> tuple[int, ...]:
    """Returns a setting that holds sizes with commas, such as `256,128`.

    Args:
        config: a recipe's `Config`.
        name: of the setting, a string.
        empty: whether there may be none.

    Raises:
        ConfigError: not whole numbers of at least 1.
    """
    text = getattr(config, name)
    parts = str(text).split(",") if text != "" else []
    good = all(part.strip().isdecimal() and int(part) for part in parts)
    if not good or not (parts or empty):
        raise ConfigError(
            f"--{name.replace('_', '-')} must be whole numbers of at least 1 "
            f'with commas, such as 256,128. Received: "{text}"'
        )
    return tuple(int(part) for part in parts)


def fixed(config: Any, where: str, **values: Any) -> None:
    """Raises for settings that have only one value in some variant.

    Args:
        config: a recipe's `Config`.
        where: names the variant.
        values: the value that each setting has there.

    Raises:
        ConfigError: the first setting with another value.
    """
    for name, value in values.items():
        if getattr(config, name) != value:
            raise ConfigError(
                f"--{name.replace('_', '-')} has no effect in the {where}. "
                f"Received: {getattr(config, name)}. Leave it out."
            )


def check_clipping(config: Any) -> None:
    """Raises for gradients that would be clipped in two ways.

    Args:
        config: a `Config` with `clip_norm` and `clip_value`.

    Raises:
        ConfigError: neither is 0.
    """
    if config.clip_norm and config.clip_value:
        raise ConfigError(
            "Gradients are clipped by norm or by value. Received: --clip-norm "
            f"{config.clip_norm:g} --clip-value {config.clip_value:g}. Set "
            "one of them to 0."
        )


def check_shift(shift: float, image_shape: Sequence[int]) -> None:
    """Raises for shifts that may move an image out of its frame.

    Args:
        shift: largest random shift, in pixels.
        image_shape: height, width and perhaps channels.

    Raises:
        ConfigError: a shift of the image's smaller side or more.
    """
    side = min(image_shape[:2])
    if not shift < side:  # NaN holds nothing
        raise ConfigError(
            f"--shift must be below the smaller side of the images ({side} "
            f"pixels), or nothing is left of some. Received: {shift}"
        )


def to_yaml(recipe: str, config: Any) -> str:
    """Returns a configuration as YAML: the recipe's name, then the fields."""
    values = {RECIPE: recipe, **dataclasses.asdict(config)}
    return yaml.safe_dump(values, sort_keys=False)


def read(path: Path) -> dict[str, Any]:
    """Returns what `to_yaml` wrote, the recipe's name under `recipe`.

    Raises:
        RunError: If the file is missing or damaged.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(
            f'"{path.parent}" is not a run directory: it has no {path.name}.'
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error)
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            line = error.problem_mark.line + 1
            reason = f"{error.problem}, in line {line}"
        raise RunError(
            f'"{path}" is not readable YAML: {reason}. {PUT_BACK}'
        ) from error
    if not isinstance(values, dict) or not isinstance(values.get(RECIPE), str):
        raise RunError(
            f'"{path}" does not name its recipe (`recipe: lenet5`). {PUT_BACK}'
        )
    return values
