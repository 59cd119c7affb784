"""`toolkit copy RECIPE FILE`."""

from __future__ import annotations

from pathlib import Path

from recipes import catalog
from recipes._cli.parsing import Parser
from toolkit.errors import ConfigError
from toolkit.io import atomic_write


def run(arguments: list[str]) -> None:
    """Copies a recipe's file."""
    parser = Parser(
        "copy", "Copy a recipe, to be changed and called from Python."
    )
    parser.add_argument("recipe", help="a name from `toolkit list`")
    parser.add_argument(
        "path", metavar="FILE", help="where to, such as mine.py"
    )
    options = parser.parse_args(arguments)
    source = Path(catalog.get(options.recipe).__file__)
    target = Path(options.path)
    if target.suffix != ".py":
        raise ConfigError(
            f'The copy must be called something.py. Received: "{target}".'
        )
    if target.exists():
        raise ConfigError(
            f'"{target}" exists and is not overwritten. Name another file.'
        )
    atomic_write(target, source.read_bytes())
    print(f"{target}: your copy of {options.recipe}")
