"""Numbered run directories: runs/lenet5/3."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import RunError


def create(root: str | Path, recipe: str) -> Path:
    """Makes the next numbered directory of a recipe.

    Making a directory either succeeds or tells that it exists, so two runs
    that start at once get two numbers.

    Args:
        root: folder of all runs.
        recipe: the recipe's name.

    Raises:
        RunError: the folder cannot be written.
    """
    parent = Path(root) / recipe
    try:
        parent.mkdir(parents=True, exist_ok=True)
        number = 1 + max(
            (int(p.name) for p in parent.iterdir() if p.name.isdecimal()),
            default=0,
        )
        while True:
            try:
                (parent / str(number)).mkdir()
                return parent / str(number)
            except FileExistsError:
                number += 1
    except OSError as error:
        raise RunError(
            f'Cannot make a run directory in "{parent}": {error.strerror}. '
            "Name another folder with --runs."
        ) from error


def find(path: str | Path) -> Path:
    """Returns a run directory that a user named.

    Raises:
        RunError: it is not there, or not a run directory.
    """
    path = Path(path)
    if not path.is_dir():
        raise RunError(
            f'There is no run directory "{path}". `toolkit train` makes one.'
        )
    if not (path / "config.yaml").is_file():
        numbers = sorted(
            (p for p in path.glob("*/config.yaml")),
            key=lambda p: (len(p.parent.name), p.parent.name),
        )
        hint = f" Did you mean {numbers[-1].parent}?" if numbers else ""
        raise RunError(
            f'"{path}" is not a run directory (no config.yaml).{hint}'
        )
    return path
