"""Sets of files that appear in a directory together or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import filelock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from toolkit.errors import RunError
from toolkit.io.atomic import atomic_write, duplicate, fsync, synchronize

LOCK = ".lock"
DECIDED = ".publish.json"
ASIDE = ".old"
YOUNG = 10.0  # seconds in which a new staging folder gets its lock
RANDOM = re.compile("[a-z0-9_]{8}")  # how `tempfile` ends a name


@contextlib.contextmanager
def staging(directory: str | os.PathLike, prefix: str) -> Iterator[Path]:
    """Yields a folder inside a directory, which is removed at the end.

    A process that is killed leaves its folder behind; `recover` removes it.

    Args:
        directory: Path of the directory; created, and removed again if the
            block raises and nothing else is in it.
        prefix: String, how the folder's name begins, such as `.export-`.

    Yields:
        The folder, which holds the lock file of this process.

    Raises:
        OSError: If the directory cannot be written.
    """
    directory = Path(directory)
    created = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with _alone(directory):  # no `recover` before the folder is locked
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
            lock = filelock.FileLock(folder / LOCK).acquire().lock
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
    except BaseException:
        if created:
            with contextlib.suppress(OSError):
                directory.rmdir()  # only if it is empty
        raise


def publish(
    folder: Path, directory: Path, names: Iterable[str], mark: str
) -> None:
    """Moves a set of files from a staging folder into its directory.

    The file `mark` of the set before is removed first and the new one comes
    last: where it is, the set is whole. A process that is killed on the way
    leaves the old set, or what `recover` makes the new one of.

    Args:
        folder: Path that `staging` yields, with the files and folders.
        directory: Path of the directory. What is there under the same names
            is replaced; the rest stays.
        names: Strings, the names of the set without `mark`.
        mark: String, the name of the file that belongs to a whole set.

    Raises:
        OSError: If something cannot be moved. The old set is put back.
    """
    names = [*names, mark]
    for name in names:
        synchronize(folder / name)
    atomic_write(folder / DECIDED, json.dumps(names))
    try:
        _move(folder, directory, names)
    except OSError:
        _move_back(folder, directory, names)
        (folder / DECIDED).unlink()
        raise
    fsync(directory)


def recover(directory: str | os.PathLike, prefix: str) -> list[Path]:
    """Ends what killed processes began in a directory.

    A set whose `publish` had begun is moved to its place; other staging
    folders are removed. Those of a running process are left alone.

    Args:
        directory: Path of the directory; it need not exist.
        prefix: String, how the names of staging folders begin.

    Returns:
        The staging folders that are gone now.

    Raises:
        RunError: If a set cannot be completed, because the list of its files
            is damaged.
        OSError: If the directory cannot be written.
    """
    directory, gone = Path(directory), []
    if not directory.is_dir():
        return gone
    with _alone(directory):
        for folder in sorted(directory.glob(f"{prefix}*"), key=_decided_at):
            ours = RANDOM.fullmatch(folder.name.removeprefix(prefix))
            if not ours or not folder.is_dir() or not _is_stale(folder):
                continue
            if (folder / DECIDED).exists():
                names = _decided(folder)
                _move(folder, directory, names)
                fsync(directory)
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder)
    return gone


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Lets one process at a time in, where the system locks directories."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # network file systems refuse
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _decided(folder: Path) -> list[str]:
    """Returns the names of the set that a `publish` had begun to move."""
    path = folder / DECIDED
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(names, list):
            raise ValueError("it is not a list")
    except ValueError as error:
        raise RunError(
            f'"{path}" is damaged: {error}. Remove the folder "{folder}" and '
            "export again."
        ) from error
    return names


def _decided_at(folder: Path) -> float:
    """Returns when a set was complete, so that the newest one comes last."""
    try:
        return (folder / DECIDED).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_stale(folder: Path) -> bool:
    """Returns whether the process that made a staging folder is gone."""
    try:
        if not (folder / LOCK).exists():
            return time.time() - folder.stat().st_mtime > YOUNG
        with filelock.FileLock(folder / LOCK, timeout=0):
            return True
    except (filelock.Timeout, FileNotFoundError, FileExistsError):
        return False  # at work, or being removed: `filelock` makes parents


def _move(folder: Path, directory: Path, names: list[str]) -> None:
    """Moves what is still in the folder; the last name is the mark."""
    aside = folder / ASIDE
    aside.mkdir(exist_ok=True)
    mark = names[-1]
    if (folder / mark).exists() and (directory / mark).exists():
        os.replace(directory / mark, aside / mark)
    for name in names:
        source, target = folder / name, directory / name
        if not source.exists():
            continue  # moved before the process was killed
        if target.is_dir() and not target.is_symlink():
            os.rename(target, aside / name)
        elif target.exists() and not (aside / name).exists():
            duplicate(target, aside / name)
        os.replace(source, target)


def _move_back(folder: Path, directory: Path, names: list[str]) -> None:
    """Takes back a `_move` that failed; the mark of the old set comes last."""
    aside = folder / ASIDE
    for name in names:
        target = directory / name
        if not (folder / name).exists():
            os.rename(target, folder / name)
        if (aside / name).exists():
            os.replace(aside / name, target)
