"""A recipe in a file of the user's: `toolkit train ./mine.py`."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from toolkit.errors import ConfigError

EXPECTED = {
    "RECIPE": "the recipe's name, for its run directories",
    "Config": "a dataclass with the settings",
    "PRESETS": "settings by the preset's name, the default one first",
    "main": "main(config, run), which trains and returns the run",
}


def is_file(name: str) -> bool:
    """Returns whether a recipe was named by its file."""
    return name.endswith(".py") or "/" in name or "\\" in name


def load(name: str) -> ModuleType:
    """Imports a recipe file.

    Modules beside the file can be imported by it, after all installed ones.

    Raises:
        ConfigError: no such file, one that cannot be imported, or one without
            the names that the command needs.
    """
    path = Path(name)
    if not path.is_file() or path.suffix != ".py":
        raise ConfigError(
            f'There is no recipe file "{name}". `toolkit copy lenet5 mine.py` '
            "makes one to start from."
        )
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module_name = f"user_recipe_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # its Config's annotations need it
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file may raise
        sys.modules.pop(module_name)
        raise ConfigError(
            f'"{name}" cannot be imported: {type(error).__name__}: {error}'
            f"{_where(error, path)}"
        ) from error
    _check(module, name)
    return module


def _where(error: Exception, path: Path) -> str:
    """Returns the line of the user's file that an error came from."""
    if isinstance(error, SyntaxError):
        return ""  # its text has the line
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == path.name
    ]
    return f" (line {lines[-1]})" if lines else ""


def _check(module: ModuleType, name: str) -> None:
    missing = [key for key in EXPECTED if not hasattr(module, key)]
    if missing:
        raise ConfigError(
            f'"{name}" is no recipe yet; it does not define:\n'
            + "\n".join(f"  {key}: {EXPECTED[key]}" for key in missing)
        )
    problems = []
    if not (
        inspect.isclass(module.Config)
        and dataclasses.is_dataclass(module.Config)
    ):
        problems.append("`Config` must be a dataclass")
    if not isinstance(module.PRESETS, Mapping) or not module.PRESETS:
        problems.append("`PRESETS` must be a dict with at least one preset")
    if not (isinstance(module.RECIPE, str) and module.RECIPE.isidentifier()):
        problems.append("`RECIPE` must be a name such as my_net")
    if len(inspect.signature(module.main).parameters) < 2:
        problems.append("`main` must take a config and a run")
    if problems:
        raise ConfigError(f'"{name}" is no recipe: {"; ".join(problems)}.')
