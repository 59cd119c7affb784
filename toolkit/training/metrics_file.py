"""metrics.csv: a row per epoch."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import keras

from toolkit.io import atomic_write


class MetricsFile(keras.callbacks.Callback):
    """Writes the logs of every epoch as a row of a CSV file.

    The file is whole at any time: each row rewrites it under another name and
    renames it. Columns: `epoch` (from 1), the logs, `learning_rate`,
    `seconds` (of the epoch, validation included), `examples_per_second` (of
    training alone).

    Args:
        path: the file.
        examples_per_epoch: how many examples an epoch trains on.

    Attributes:
        rows: what was written, as dicts.
    """

    def __init__(self, path: str | Path, examples_per_epoch: int):
        super().__init__()
        self.path = Path(path)
        self.examples_per_epoch = examples_per_epoch
        self.rows: list[dict] = []
        self._started = self._trained = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._started = self._trained = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Notes how long training alone has taken."""
        self._trained = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Adds the row."""
        trained = max(self._trained - self._started, 1e-9)
        rate = self.model.optimizer.learning_rate
        self.rows.append(
            {
                "epoch": epoch + 1,
                **{key: float(value) for key, value in (logs or {}).items()},
                "learning_rate": float(rate),
                "seconds": round(time.perf_counter() - self._started, 3),
                "examples_per_second": round(self.examples_per_epoch / trained),
            }
        )
        buffer = io.StringIO()
        names = list(dict.fromkeys(k for row in self.rows for k in row))
        writer = csv.DictWriter(buffer, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        atomic_write(self.path, buffer.getvalue())
