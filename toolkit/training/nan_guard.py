"""Stopping at the first loss that is not a number."""

from __future__ import annotations

import math

import keras

from toolkit.errors import TrainingError


class NaNGuard(keras.callbacks.Callback):
    """Raises `TrainingError` when the loss is NaN or infinite.

    The running mean that Keras hands to callbacks stays NaN once a batch made
    it so, hence looking at the end of every compiled call misses nothing.

    Args:
        steps_per_epoch: steps of an epoch, for the number in the message.
        checkpoint: where the last good state lies, for the message.
        report_every: epochs that one of `fit`'s epochs stands for.

    Attributes:
        first_step: steps of the epoch that an earlier part of the run did.
    """

    def __init__(
        self,
        steps_per_epoch: int,
        checkpoint: str | None = None,
        report_every: int = 1,
    ):
        super().__init__()
        self.report_every = report_every
        self.steps_per_epoch = steps_per_epoch
        self.checkpoint = checkpoint
        self.first_step = 0
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
            start = self._epoch * self.report_every * self.steps_per_epoch
            start += self.first_step
            first, last = start + self._checked + 1, start + batch + 1
            at = f"step {last}" if first == last else f"step {first} to {last}"
            epoch = (last - 1) // self.steps_per_epoch + 1
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

    def on_epoch_end(self, epoch, logs=None):
        """Later epochs are whole."""
        self.first_step = 0
