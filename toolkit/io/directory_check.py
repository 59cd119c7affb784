"""Noticing that a directory was removed while results are written to it."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.errors import RunError


class DirectoryCheck:
    """Tells a directory from another one of the same name, or from none.

    Without it a program would go on to its end for nothing, or into a new
    directory that lacks what was written before.

    Args:
        directory: Path of an existing directory.
    """

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)
        self._identity = self._look()

    def check(self) -> None:
        """Checks that the directory is there.

        Raises:
            RunError: If it was removed, renamed or replaced.
        """
        found = self._look()
        if found is None or found != self._identity:
            raise RunError(
                f'The directory "{self.directory}" was removed or renamed '
                "while results were written to it. Put it back and resume, or "
                "start a new run."
            )

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.directory)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino
