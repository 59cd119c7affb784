"""The signals that ask a process to end. Imports no TensorFlow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType

from toolkit.errors import ToolkitError

# Beside Ctrl-C: a machine that is taken away, a terminal that is closed
ENDING = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # Windows has no SIGHUP
)

Handler = Callable[[int, FrameType | None], None]


class Interrupted(ToolkitError):
    """The process was asked to end, and what it had is saved."""

    exit_code = 130


def install(handler: Handler, signals: Iterable[int]) -> dict:
    """Sets a handler for signals that are not ignored.

    Args:
        handler: Function of the signal's number and the stack frame.
        signals: Signal numbers.

    Returns:
        A dict for `put_back`; empty outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {
        number: signal.signal(number, handler)
        for number in signals
        if signal.getsignal(number) is not signal.SIG_IGN
    }


def put_back(handlers: dict) -> None:
    """Sets the handlers that `install` replaced."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
