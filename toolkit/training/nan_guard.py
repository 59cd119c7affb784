"""Stopping at the first loss that is not a number."""

from __future__ import annotations

import math

import keras

from toolkit.errors import TrainingError
from toolkit.training.clock import Clock


class NaNGuard(keras.callbacks.Callback):
    """Raises `TrainingError` when the loss is NaN or infinite.

    The running mean that Keras hands to callbacks stays NaN once a batch made
    it so, hence looking at the end of every compiled call misses nothing.

    Args:
        clock: The `Clock` of the training, for the step in the message.
        checkpoint: Path of the last good state, for the message.
    """

    def __init__(self, clock: Clock, checkpoint: str | None = None):
        super().__init__()
        self.clock = clock
        self.checkpoint = checkpoint
        self._epoch = 0
        self._checked = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the epoch."""
        self._epoch = epoch
        self._checked = 0

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the loss."""
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            first = self.clock.step_at(self._epoch, self._checked)
            last = self.clock.step_at(self._epoch, batch)
            at = f"step {last}" if first == last else f"step {first} to {last}"
            epoch = (last - 1) // self.clock.steps_per_epoch + 1
            kept = (
                f" The last good checkpoint is {self.checkpoint}."
                if self.checkpoint
                else ""
            )
            raise TrainingError(
                f"The loss is {loss} at {at} (epoch {epoch}). "
                f"Lower --learning-rate or look at the data.{kept}"
            )
        self._checked = batch + 1
