"""metrics.csv and timing.csv: a row per epoch."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import keras

from toolkit.io import atomic_write
from toolkit.training.clock import Clock


class MetricsFile(keras.callbacks.Callback):
    """Writes the logs of every epoch as a row of a CSV file.

    The file is whole at any time: each row rewrites it under another name and
    renames it. Columns: `epoch` (from 1), the logs, `learning_rate`. They
    depend on seed and settings alone, so a run that was interrupted and
    continued leaves the same bytes. What a clock says goes into timing.csv
    beside it: `epoch`, `seconds` (validation included) and
    `examples_per_second` (of training alone).

    Args:
        path: the file, `metrics.csv`.
        clock: The `Clock` of the training.
        examples_per_step: Positive integer, the number of examples in a step.

    Attributes:
        rows: what was written to metrics.csv, as dicts.
        timing: what was written to timing.csv.
    """

    def __init__(self, path: str | Path, clock: Clock, examples_per_step: int):
        super().__init__()
        self.clock = clock
        self.path = Path(path)
        self.timing_path = self.path.with_name("timing.csv")
        self.examples_per_step = examples_per_step
        self.rows: list[dict] = []
        self.timing: list[dict] = []
        self._started = self._trained = 0.0
        self._steps = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._started = self._trained = time.perf_counter()
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        """Notes how long training alone has taken."""
        self._trained = time.perf_counter()
        self._steps = batch + 1

    def on_epoch_end(self, epoch, logs=None):
        """Adds the rows."""
        now = time.perf_counter()
        trained = max(self._trained - self._started, 1e-9)
        self.rows.append(
            {
                "epoch": self.clock.epochs_after(epoch),
                **{key: float(value) for key, value in (logs or {}).items()},
                "learning_rate": float(self.model.optimizer.learning_rate),
            }
        )
        self.timing.append(
            {
                "epoch": self.clock.epochs_after(epoch),
                "seconds": round(now - self._started, 3),
                "examples_per_second": round(
                    self._steps * self.examples_per_step / trained
                ),
            }
        )
        self._write()

    def state(self) -> dict[str, list]:
        """Returns what has to be remembered, as JSON."""
        return {"rows": self.rows, "timing": self.timing}

    def restore(self, state: dict[str, list]) -> None:
        """Takes back what `state` returned; rows after it are gone."""
        self.rows[:] = state["rows"]
        self.timing[:] = state["timing"]
        self._write()

    def _write(self) -> None:
        for path, rows in (
            (self.path, self.rows),
            (self.timing_path, self.timing),
        ):
            buffer = io.StringIO()
            names = list(dict.fromkeys(k for row in rows for k in row))
            writer = csv.DictWriter(buffer, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            atomic_write(path, buffer.getvalue())
