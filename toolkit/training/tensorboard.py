"""TensorBoard files: the logs of every epoch as scalars."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from toolkit.training.clock import Clock


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes the logs of every epoch for TensorBoard.

    Training and validation are two runs called `train` and `validation`, as
    with Keras' own callback, so that their curves share a chart. No graph and
    no histograms: those make Keras' callback slow.

    Args:
        directory: what `tensorboard --logdir` is given.
        clock: The `Clock` of the training.
    """

    def __init__(self, directory: str | Path, clock: Clock):
        super().__init__()
        self.clock = clock
        self.directory = Path(directory)
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def on_epoch_end(self, epoch, logs=None):
        """Writes the scalars."""
        scalars = {k: float(v) for k, v in (logs or {}).items()}
        scalars["learning_rate"] = float(self.model.optimizer.learning_rate)
        for key, value in scalars.items():
            part = "validation" if key.startswith("val_") else "train"
            with self._writer(part).as_default():
                name = f"epoch_{key.removeprefix('val_')}"
                step = self.clock.epochs_after(epoch)
                tf.summary.scalar(name, value, step=step)

    def on_train_end(self, logs=None):
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, part: str) -> tf.summary.SummaryWriter:
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(
                str(self.directory / part)
            )
        return self._writers[part]
