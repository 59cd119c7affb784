"""State that recurrent layers carry from batch to batch, and its place."""

from __future__ import annotations

import base64
import io

import keras
import numpy as np


class CarriedState(keras.callbacks.Callback):
    """Resets stateful recurrent layers where a sequence begins anew.

    That is at the start of every epoch, and of every validation. Keras does
    not save these states; in `toolkit.training.fit` this callback has them
    remembered in the checkpoints, so that a run goes on in mid-epoch with the
    state it had.
    """

    def __init__(self):
        super().__init__()
        self._within = False  # an epoch
        self._states: list[np.ndarray] | None = None

    def on_epoch_begin(self, epoch, logs=None):
        """Resets, or puts back what was remembered."""
        kept, self._states = self._states, None
        if kept is None:
            self._reset()
            return
        for variable, value in zip(self._variables(), kept, strict=True):
            variable.assign(value)

    def on_train_batch_end(self, batch, logs=None):
        """Notes that an epoch has begun."""
        self._within = True

    def on_test_begin(self, logs=None):
        """Resets: the validation text begins anew."""
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        """Notes that an epoch has ended."""
        self._within = False

    def state(self) -> str | None:
        """Returns what has to be remembered; None between two epochs."""
        if not self._within:
            return None
        buffer = io.BytesIO()
        np.savez(buffer, *(np.asarray(v) for v in self._variables()))
        return base64.b64encode(buffer.getvalue()).decode()

    def restore(self, state: str | None) -> None:
        """Takes back what `state` returned."""
        if state is None:
            return
        with np.load(io.BytesIO(base64.b64decode(state))) as archive:
            self._states = [archive[name] for name in archive.files]

    def _layers(self) -> list[keras.layers.RNN]:
        return [
            layer
            for layer in self.model._flatten_layers()
            if isinstance(layer, keras.layers.RNN) and layer.stateful
        ]

    def _variables(self) -> list:
        return [
            variable
            for layer in self._layers()
            for variable in keras.tree.flatten(layer.states)
        ]

    def _reset(self) -> None:
        for layer in self._layers():
            layer.reset_state()
