"""Writing through a temporary name, so that nobody sees half a file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# As `atomic_path` names its temporary directories
TEMPORARY = re.compile(r"\..+\.tmp-[a-z0-9_]{8}")
# What a file system without hard links answers
NO_LINKS = {
    errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP,
    errno.EMLINK, errno.EXDEV, errno.EINVAL,
}  # fmt: skip


@contextlib.contextmanager
def atomic_path(
    path: str | os.PathLike, directory: bool = False
) -> Iterator[Path]:
    """Yields a temporary path that becomes `path` when the block succeeds.

    The temporary lies beside `path` (a rename within one file system is
    atomic), keeps its suffix (writers look at it) and is removed when the
    block raises. An existing file is replaced; an existing directory is
    replaced by two renames, and put back if the second one fails.

    Args:
        path: where the result goes. Its parent is created.
        directory: whether the result is a directory.

    Yields:
        The temporary path: an empty directory, or a file yet to be written.

    Raises:
        OSError: the disk is full or not writable. Nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(
        tempfile.mkdtemp(prefix=f".{path.name}.tmp-", dir=path.parent)
    )
    temporary = holder / path.name
    if directory:
        temporary.mkdir()
    try:
        with named_errors(path):
            yield temporary
            synchronize(temporary)
            _replace(temporary, path, holder)
            fsync(path.parent)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


@contextlib.contextmanager
def named_errors(path: str | os.PathLike) -> Iterator[None]:
    """Lets an `OSError` that names no file name this one.

    Args:
        path: Path of the file that is written inside.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.strerror is not None:
            error.filename = str(path)
        raise


def atomic_write(path: str | os.PathLike, data: bytes | str) -> None:
    """Writes a whole file, or leaves the old one as it was.

    Args:
        path: the file. Its parent is created.
        data: the content; text is encoded as UTF-8.

    Raises:
        OSError: the disk is full or not writable. Nothing is left behind.
    """
    if isinstance(data, str):
        data = data.encode("utf-8")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def duplicate(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Gives a file a second name: a hard link, or a copy where there are none.

    Args:
        source: Path of an existing file.
        target: Path of the second name, which must not exist, on the same
            file system.

    Raises:
        OSError: If the disk is full or not writable.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(source, target)
        fsync(Path(target))


def remove_temporaries(directory: str | os.PathLike) -> list[Path]:
    """Removes what a killed process left of `atomic_path`, at any depth.

    Args:
        directory: Path of a directory in which no other process is writing.

    Returns:
        The paths that were removed.
    """
    stale = [
        path
        for path in Path(directory).rglob(".*.tmp-*")
        if TEMPORARY.fullmatch(path.name) and path.is_dir()
    ]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
    return stale


def _replace(temporary: Path, path: Path, holder: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        os.replace(temporary, path)
        return
    old = holder / "old"
    os.rename(path, old)
    try:
        os.rename(temporary, path)
    except OSError:
        os.rename(old, path)
        raise


def synchronize(path: Path) -> None:
    """Writes a file, or a directory and all in it, through to the disk."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                fsync(Path(folder) / name)
            fsync(Path(folder))
    else:
        fsync(path)


def fsync(path: Path) -> None:
    """Writes a file, or the names in a directory, through to the disk."""
    if os.name == "nt" and path.is_dir():  # no directory handles there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
