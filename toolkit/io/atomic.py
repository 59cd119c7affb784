"""Writing through a temporary name, so that nobody sees half a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


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
        yield temporary
        _synchronize(temporary)
        _replace(temporary, path, holder)
        _fsync(path.parent)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


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


def _synchronize(path: Path) -> None:
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                _fsync(Path(folder) / name)
            _fsync(Path(folder))
    else:
        _fsync(path)


def _fsync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # no directory handles there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
