"""Stopping when the directory that results go to is removed."""

from __future__ import annotations

import os

import keras

from toolkit.io import DirectoryCheck


class DirectoryGuard(keras.callbacks.Callback):
    """Raises `RunError` after the step in which a directory was removed.

    Args:
        directory: Path of an existing directory.
    """

    def __init__(self, directory: str | os.PathLike):
        super().__init__()
        self._directory = DirectoryCheck(directory)

    def on_train_batch_end(self, batch, logs=None):
        """Checks that the directory is there."""
        self._directory.check()

    def on_epoch_end(self, epoch, logs=None):
        """Checks that the directory is there."""
        self._directory.check()
