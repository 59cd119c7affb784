"""One process at a time in a directory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import filelock

from toolkit.errors import RunError
from toolkit.io.atomic import named_errors


class Lock:
    """Holds a directory for this process; the system frees it at its end.

    The lock is the operating system's own (released even after SIGKILL), on
    the file `.lock` in the directory, which also names the holder.

    Args:
        directory: an existing directory.

    Raises:
        RunError: another process holds it.
        OSError: the directory cannot be written.
    """

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)
        self._lock = filelock.FileLock(self.directory / ".lock")

    def acquire(self) -> Lock:
        """Takes the lock at once or raises."""
        owner = self.directory / ".owner"
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            holder = "another process"
            with contextlib.suppress(OSError):
                holder = f"process {owner.read_text().strip()}"
            raise RunError(
                f"The run directory {self.directory} is in use by {holder}. "
                "Wait until it has ended, or start a new run."
            ) from error
        try:
            with named_errors(owner):
                owner.write_text(str(os.getpid()))
        except OSError:
            self.release()
            raise
        return self

    def release(self) -> None:
        """Frees the directory."""
        with contextlib.suppress(FileNotFoundError):
            (self.directory / ".owner").unlink()
        self._lock.release()

    def __enter__(self) -> Lock:
        return self.acquire()

    def __exit__(self, *exception) -> None:
        self.release()
