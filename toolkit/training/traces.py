"""What becomes of a model, noted step by step."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping

import keras
import numpy as np

from toolkit.errors import DataError


class Trace(keras.callbacks.Callback):
    """Notes what a function says of the model after every compiled call.

    With `steps_per_execution` equal to the steps of an epoch that is once per
    epoch. In `toolkit.training.fit` the notes are remembered in the
    checkpoints, so those of a resumed run are whole.

    Args:
        measure: takes the model, returns arrays by name, of one shape at
            every call.

    Attributes:
        notes: a list of arrays by name.
    """

    def __init__(
        self, measure: Callable[[keras.Model], Mapping[str, np.ndarray]]
    ):
        super().__init__()
        self.measure = measure
        self.notes: dict[str, list[np.ndarray]] = {}

    def on_train_begin(self, logs=None):
        """Notes the state before the first step."""
        if not self.notes:
            self._note()

    def on_train_batch_end(self, batch, logs=None):
        """Notes the state."""
        self._note()

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the notes, `(calls + 1, ...)` by name."""
        return {name: np.stack(values) for name, values in self.notes.items()}

    def state(self) -> str:
        """Returns what has to be remembered: an .npz as base64."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **self.arrays())
        return base64.b64encode(buffer.getvalue()).decode()

    def restore(self, state: str) -> None:
        """Takes back what `state` returned; notes after it are gone."""
        with np.load(io.BytesIO(base64.b64decode(state))) as archive:
            self.notes = {name: list(archive[name]) for name in archive.files}

    def _note(self) -> None:
        for name, value in self.measure(self.model).items():
            values = self.notes.setdefault(name, [])
            value = np.asarray(value).copy()  # the weights go on changing
            if values and values[0].shape != value.shape:
                raise DataError(
                    f'`measure` must return "{name}" in one shape. Received: '
                    f"{values[0].shape}, then {value.shape}."
                )
            values.append(value)
