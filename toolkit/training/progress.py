"""Progress: a bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import keras

from toolkit.training.clock import Clock


class Progress(keras.callbacks.Callback):
    """Shows how training goes.

    On a terminal a bar with the loss, examples per second and the time left;
    in a file or pipe only the line that ends each epoch.

    Args:
        clock: The `Clock` of the training.
        batch_size: Positive integer, the number of examples in a step.
        say: prints a line; by default `print`.
        bar: whether to show the bar; by default if standard error is a
            terminal.
        unit: what an example is, in the plural; the lines of the epochs then
            give the speed too.
    """

    def __init__(
        self,
        clock: Clock,
        batch_size: int,
        say: Callable[[str], None] = print,
        bar: bool | None = None,
        unit: str = "",
    ):
        super().__init__()
        self.clock = clock
        self.unit = unit
        self.batch_size = batch_size
        self.say = say
        self.bar = bar
        self._progress = self._task = None
        self._started = self._rate = 0.0

    def on_train_begin(self, logs=None):
        """Opens the bar."""
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        if self.bar is False or not (self.bar or console.is_terminal):
            return
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[state]}"),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task(
            "training",
            total=self.clock.epochs * self.clock.steps_per_epoch,
            state="",
        )
        self._progress.start()

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the time."""
        self._started = time.perf_counter()
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar."""
        elapsed = max(time.perf_counter() - self._started, 1e-9)
        self._rate = (batch + 1) * self.batch_size / elapsed
        if self._progress is None:
            return
        done = self.clock.step_at(self._epoch, batch)
        epoch = -(-done // self.clock.steps_per_epoch)
        self._progress.update(
            self._task,
            completed=done,
            description=f"epoch {epoch}/{self.clock.epochs}",
            state=f"loss {float((logs or {}).get('loss', 0.0)):.4f}  "
            f"{self._rate:,.0f} {self.unit}/s".replace(" /", "/"),
        )

    def on_epoch_end(self, epoch, logs=None):
        """Prints the epoch's line."""
        values = "  ".join(f"{k} {float(v):.4f}" for k, v in logs.items())
        seconds = time.perf_counter() - self._started
        # The bar lets what is printed pass above it.
        done = self.clock.epochs_after(epoch)
        speed = f"  {self._rate:,.0f} {self.unit}/s" if self.unit else ""
        name = f"epoch {done}/{self.clock.epochs}"
        self.say(f"{name}  {values}  {seconds:.1f} s{speed}")

    def on_train_end(self, logs=None):
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Takes the bar off the screen, also after an exception."""
        if self._progress is not None:
            with contextlib.suppress(OSError):  # the terminal may be gone
                self._progress.stop()
            self._progress = None
