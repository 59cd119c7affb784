"""`toolkit copy RECIPE FILE`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from recipes import catalog
from recipes._cli.parsing import Parser
from toolkit.errors import ConfigError
from toolkit.io import atomic_write


def run(arguments: list[str]) -> None:
    """Copies a recipe's file."""
    parser = Parser(
        "copy",
        "Copy a recipe, to be changed. `toolkit train ./mine.py` trains it.",
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
    name = re.sub(r"\W", "_", target.stem)
    if not name.isidentifier():
        raise ConfigError(
            f'"{target.stem}" cannot be a recipe\'s name: start it with a '
            "letter."
        )
    text = source.read_text()
    given = f'RECIPE = "{options.recipe}"'
    atomic_write(target, text.replace(given, f'RECIPE = "{name}"', 1))
    print(
        f"{target}: your copy of {options.recipe}. Train it: toolkit train "
        f"{shlex.quote(_as_path(target))}"
    )


def _as_path(target: Path) -> str:
    return str(target) if len(target.parts) > 1 else f"./{target}"
