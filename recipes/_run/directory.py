"""Numbered run directories: runs/lenet5/3."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from toolkit.errors import RunError
from toolkit.io import recover, staging, synchronize

STAGING = ".run-"  # how directories begin that are being made
MARK = "finished.json"
REQUEST = "request.json"
# What renaming to a name that is taken answers
TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


def create(root: str | Path, recipe: str, files: Mapping[str, str]) -> Path:
    """Makes the next numbered directory of a recipe, with its first files.

    It is made under another name and renamed, so it has its files from the
    first moment, and two runs that start at once get two numbers.

    Args:
        root: Path of the folder of all runs.
        recipe: String, the recipe's name.
        files: Text by file name.

    Raises:
        RunError: If the folder cannot be written.
    """
    parent = Path(root) / recipe
    try:
        recover(parent, STAGING)
        with staging(parent, STAGING) as folder:
            made = folder / recipe
            made.mkdir()
            for name, text in files.items():
                (made / name).write_text(text, encoding="utf-8")
            synchronize(made)
            return _rename(made, parent)
    except OSError as error:
        raise RunError(
            f'Cannot make a run directory in "{parent}": {error.strerror}. '
            "Name another folder with --runs."
        ) from error


def _rename(made: Path, parent: Path) -> Path:
    """Gives a directory the lowest number above all others."""
    number = 1 + max(
        (int(p.name) for p in parent.iterdir() if p.name.isdecimal()),
        default=0,
    )
    while True:
        try:
            os.rename(made, parent / str(number))
            return parent / str(number)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            number += 1


def is_finished(path: Path) -> bool:
    """Returns whether a run has everything that was asked for.

    The mark is written last. Runs of version 0.1.0, which have no record of
    what was asked for, have no mark: there the report came last.
    """
    if (path / MARK).is_file():
        return True
    if (path / REQUEST).is_file():
        return False
    return all(
        (path / name).is_file() for name in ("evaluation.json", "report.html")
    )


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
            (int(p.parent.name), p.parent)
            for p in path.glob("*/config.yaml")
            if p.parent.name.isdecimal()
        )
        hint = f" Did you mean {numbers[-1][1]}?" if numbers else ""
        if any(path.glob(".config.yaml.tmp-*")):
            hint = (
                " It was killed before its settings were written, so there "
                "is nothing to go on with. Remove it and start a new run."
            )
        raise RunError(
            f'"{path}" is not a run directory (no config.yaml).{hint}'
        )
    return path
