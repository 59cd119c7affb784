"""Ctrl-C that loses nothing."""

from __future__ import annotations

import contextlib
import signal
import sys

import keras

from toolkit.training.checkpoints import Checkpoints
from toolkit.training.clock import Clock
from toolkit.training.signals import ENDING, Interrupted, install, put_back

SIGNALS = (signal.SIGINT, *ENDING)


class Interruption(keras.callbacks.Callback):
    """Saves and stops at the first Ctrl-C, after the step in hand.

    In the last step of an epoch it stops after validation, which belongs to
    the epoch.

    A second Ctrl-C ends at once; checkpoints are written under another name
    and renamed, so a whole one is there in any case. SIGTERM, as machines
    send it before they are taken away, and SIGHUP, when a terminal is closed,
    count as a Ctrl-C; a signal that is ignored, as `nohup` does with SIGHUP,
    stays ignored. Outside the main thread, which alone gets signals, nothing
    changes.

    Use it as a context around `fit` and as a callback in it.

    Args:
        checkpoints: The `Checkpoints` that save.
        clock: The `Clock` of the training.
        how_to_resume: String, the end of the message, such as a command.
    """

    def __init__(
        self, checkpoints: Checkpoints, clock: Clock, how_to_resume: str = ""
    ):
        super().__init__()
        self.checkpoints = checkpoints
        self.clock = clock
        self.how_to_resume = how_to_resume
        self._asked = False
        self._epoch = 0
        self._handlers: dict = {}

    def __enter__(self) -> Interruption:
        self._handlers = install(self._ask, SIGNALS)
        return self

    def __exit__(self, *exception) -> None:
        put_back(self._handlers)
        self._handlers = {}

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Saves and stops if that was asked for."""
        step = self.clock.first_step + batch + 1
        if self._asked and step < self.clock.steps:
            self._stop(self._epoch, step)

    def on_epoch_end(self, epoch, logs=None):
        """Stops if that was asked for by now; the state is saved."""
        if self._asked:
            self._stop(epoch + 1, 0)

    def _ask(self, number, frame) -> None:
        if self._asked:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return  # a closed terminal sends more than one
        self._asked = True
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(
                "\nstopping after this step; Ctrl-C again ends at once",
                file=sys.stderr,
                flush=True,
            )

    def _stop(self, epoch: int, step: int) -> None:
        if step:
            self.checkpoints.save(epoch, step)
        done, rest = self.clock.epoch_at(epoch, step)
        where = f"epoch {done + 1}, step {rest}" if rest else f"epoch {done}"
        raise Interrupted(
            f"Interrupted; {self.checkpoints.last} holds everything up to "
            f"{where}. {self.how_to_resume}".rstrip()
        )
