"""Standard output that says what is wrong with it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any

from toolkit.errors import ToolkitError

REASONS = {
    errno.EPIPE: "it was closed by its reader",
    errno.EIO: "the terminal is gone",
}


class OutputError(ToolkitError):
    """Standard output that cannot be written.

    Args:
        error: The error of the system.

    Attributes:
        closed: Whether the reader ended, as `head -1` does.
    """

    about_output = True

    def __init__(self, error: OSError):
        reason = REASONS.get(error.errno, error.strerror or str(error))
        super().__init__(f"Cannot write to standard output: {reason}.")
        self.closed = error.errno == errno.EPIPE


class Output:
    """A text stream whose errors are `OutputError`.

    Args:
        stream: The stream, such as `sys.stdout`.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text."""
        with _named():
            return self._stream.write(text)

    def flush(self) -> None:
        """Writes what is held back."""
        with _named():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def checked_output() -> Iterator[None]:
    """Lets what is printed inside raise `OutputError`, and nothing else.

    Characters that the encoding of an output lacks are written as escapes.

    Raises:
        OutputError: If standard output is full, closed or gone. Nothing more
            is written to it.
    """
    before = sys.stdout
    if before is None:  # closed from the start: nobody reads
        with open(os.devnull, "w") as sys.stdout:
            try:
                yield
            finally:
                sys.stdout = None
        return
    if hasattr(before, "reconfigure"):
        before.reconfigure(errors="backslashreplace")
    sys.stdout = output = Output(before)
    try:
        try:
            yield
        except SystemExit:  # a parser's own, after --help
            output.flush()
            raise
        output.flush()
    except OutputError:
        # Python flushes once more at its end, and would complain again.
        with (
            contextlib.suppress(OSError, ValueError),
            open(os.devnull, "w") as none,
        ):
            os.dup2(none.fileno(), before.fileno())
        raise
    finally:
        sys.stdout = before


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error
