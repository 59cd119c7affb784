"""The last and the best state of a run, on disk."""

from __future__ import annotations

import math
from pathlib import Path

import keras

from toolkit.training.state import load_state, save_state


class Checkpoints(keras.callbacks.Callback):
    """Saves the state after every epoch, and apart from it the best one.

    Args:
        directory: where `last.npz` and `best.npz` go.
        monitor: the quantity that tells the best epoch.
        mode: `max` if more is better, `min` if less is.
        restore_best: whether the model ends with its best weights.
    """

    def __init__(
        self,
        directory: str | Path,
        monitor: str = "val_accuracy",
        mode: str = "max",
        restore_best: bool = True,
    ):
        super().__init__()
        self.last = Path(directory) / "last.npz"
        self.best = Path(directory) / "best.npz"
        self.monitor = monitor
        self.sign = {"max": 1.0, "min": -1.0}[mode]
        self.restore_best = restore_best
        self.best_value = -math.inf
        self.best_epoch: int | None = None

    def on_epoch_end(self, epoch, logs=None):
        """Writes the checkpoints."""
        logs = {key: float(value) for key, value in (logs or {}).items()}
        value = logs.get(self.monitor)
        position = {"epoch": epoch + 1, "logs": logs}
        if value is not None and self.sign * value > self.best_value:
            self.best_value = self.sign * value
            self.best_epoch = epoch + 1
            save_state(self.best, self.model, position)
        save_state(self.last, self.model, position)

    def on_train_end(self, logs=None):
        """Goes back to the best weights."""
        if self.restore_best and self.best_epoch is not None:
            load_state(self.best, self.model)
