"""Ctrl-C that loses nothing."""

from __future__ import annotations

import signal
import sys
import threading

import keras

from toolkit.errors import ToolkitError
from toolkit.training.checkpoints import Checkpoints

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(ToolkitError):
    """Training was interrupted and its state is saved."""

    exit_code = 130


class Interruption(keras.callbacks.Callback):
    """Saves and stops at the first Ctrl-C, after the step in hand.

    In the last step of an epoch it stops after validation, which belongs to
    the epoch.

    A second Ctrl-C ends at once; checkpoints are written under another name
    and renamed, so a whole one is there in any case. A SIGTERM, as machines
    send it before they are taken away, counts as a Ctrl-C. Outside the main
    thread, which alone gets signals, nothing changes.

    Use it as a context around `fit` and as a callback in it.

    Args:
        checkpoints: what saves.
        steps_per_epoch: batches of one epoch.
        report_every: epochs that one of `fit`'s epochs stands for.
        how_to_resume: for the message, such as a command.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        steps_per_epoch: int,
        report_every: int = 1,
        how_to_resume: str = "",
    ):
        super().__init__()
        self.report_every = report_every
        self.checkpoints = checkpoints
        self.steps_per_epoch = steps_per_epoch
        self.how_to_resume = how_to_resume
        self.first_step = 0
        self._asked = False
        self._epoch = 0
        self._handlers: dict = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._handlers = {
                number: signal.signal(number, self._ask) for number in SIGNALS
            }
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Saves and stops if that was asked for."""
        step = self.first_step + batch + 1
        if self._asked and step < self.steps_per_epoch * self.report_every:
            self._stop(self._epoch, step)

    def on_epoch_end(self, epoch, logs=None):
        """Stops if that was asked for by now; the state is saved."""
        self.first_step = 0
        if self._asked:
            self._stop(epoch + 1, 0)

    def _ask(self, number, frame) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print(
            "\nstopping after this step; Ctrl-C again ends at once",
            file=sys.stderr,
            flush=True,
        )

    def _stop(self, epoch: int, step: int) -> None:
        if step:
            self.checkpoints.save(epoch, step)
        more, rest = divmod(step, self.steps_per_epoch)
        done = epoch * self.report_every + more
        where = f"epoch {done + 1}, step {rest}" if rest else f"epoch {done}"
        raise Interrupted(
            f"Interrupted; {self.checkpoints.last} holds everything up to "
            f"{where}. {self.how_to_resume}".rstrip()
        )
