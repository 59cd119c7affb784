"""Accuracy where classes are coded by numbers such as 0.1 and 0.9."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("toolkit")
class TargetAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of examples whose outputs point to the class of the targets.

    With several outputs the largest one tells the class; a single output
    tells two classes by the side of 0.5 it lies on. Keras' own accuracies
    take targets of 0 and 1 only.

    Args:
        name: the metric's name.
        dtype: of the computation.

    Call arguments:
        y_true: targets `(batch, outputs)`.
        y_pred: outputs of the same shape.

    Example:
    >>> import numpy as np
    >>> from toolkit.training import TargetAccuracy
    >>> targets = np.array([[0.9, 0.1], [0.1, 0.9]], "float32")
    >>> outputs = np.array([[0.4, 0.3], [0.7, 0.6]], "float32")
    >>> float(TargetAccuracy()(targets, outputs))
    0.5

    Source: T. Mitchell: Machine learning (1997), section 4.7.1, on targets of
    0.1 and 0.9, which sigmoid units can reach.
    """

    def __init__(self, name: str = "accuracy", dtype=None):
        super().__init__(_hits, name=name, dtype=dtype)
        self._direction = "up"

    def get_config(self):
        """Returns the arguments."""
        return {"name": self.name, "dtype": self.dtype}


def _hits(y_true, y_pred):
    if y_pred.shape[-1] == 1:
        right = (y_true[:, 0] > 0.5) == (y_pred[:, 0] > 0.5)
    else:
        right = ops.equal(ops.argmax(y_true, -1), ops.argmax(y_pred, -1))
    return ops.cast(right, "float32")
