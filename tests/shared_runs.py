"""Trained runs that all workers of a test session share.

A run is trained once for a session, by the worker that asks for it first;
the others wait at a file lock. Each worker then reads a copy of its own, so
that no worker locks or changes what another one reads. A test that changes a
run copies it first: at the end of the session the copy must be as it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest

from recipes._cli.main import main

SEVERAL_PROCESSES = "PYTEST_XDIST_WORKER"
LOCKS = {".lock", ".owner"}  # of a command that is reading the run


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """Returns a directory that one worker of the session fills for all.

    Args:
        factory: The factory of temporary directories of the session.
        name: The directory's name, unique in the session.
        make: A function that fills the directory it is given. If it raises,
            the directory is discarded and the next one who asks calls it
            again.

    Returns:
        The directory, which must not be changed.
    """
    root = factory.getbasetemp()
    if SEVERAL_PROCESSES in os.environ:
        root = root.parent  # of all workers
    made = root / "shared" / name
    made.parent.mkdir(exist_ok=True)
    with filelock.FileLock(made.with_name(f"{name}.lock")):
        if not made.exists():
            unfinished = made.with_name(f"{name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(made)
    return made


def contents(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file of a folder by its relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in LOCKS
    }


def shared_run(
    factory: pytest.TempPathFactory, name: str, recipe: str, *arguments
) -> Iterator[Path]:
    """Yields a run that `toolkit train` made once for all workers.

    Use it in a fixture of the scope `session`: `yield from shared_run(...)`.

    Args:
        factory: The factory of temporary directories of the session.
        name: A name for the run, unique in the session.
        recipe: The name of the recipe.
        *arguments: Further arguments of `toolkit train`.

    Yields:
        The directory of the run, a copy of this worker's own.

    Raises:
        AssertionError: If a test changed a file of the run.
    """

    def make(folder: Path) -> None:
        command = ["train", recipe, *arguments, "--runs", folder]
        status = main([str(argument) for argument in command])
        assert status == 0, f"toolkit {' '.join(map(str, command))}"

    run = factory.mktemp(name) / recipe / "1"
    shutil.copytree(made_once(factory, name, make) / recipe / "1", run)
    before = contents(run)
    yield run
    after = contents(run)
    changed = {
        path
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }
    assert not changed, (
        f"Tests changed the shared run {name}: {sorted(changed)}. Let them "
        "copy it first."
    )
