"""The sum of squared errors of an example."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("toolkit")
class SumSquaredError(keras.losses.Loss):
    """Squared error summed over everything but the batch.

    ```
    loss = factor * mean over examples of sum_k (target_k - output_k)^2
    ```

    Keras' mean squared error divides by the number of outputs as well, so
    published learning rates and errors do not carry over to it.

    Args:
        factor: 0.5 for the error whose gradient is `output - target`, as in
            Mitchell (1997), equation 4.13.
        name: the loss' name.

    Call arguments:
        y_true: targets `(batch, ...)`.
        y_pred: outputs of the same shape.

    Returns:
        The loss, a scalar.

    Example:
    >>> import numpy as np
    >>> from toolkit.training import SumSquaredError
    >>> outputs = np.array([[1, 1, 0], [0, 0, 2]], "float32")
    >>> float(SumSquaredError()(np.zeros((2, 3)), outputs))
    3.0

    Source: T. Mitchell: Machine learning (1997), section 4.5.
    """

    def __init__(
        self, factor: float = 1.0, name: str = "sum_squared_error", **options
    ):
        super().__init__(name=name, **options)
        self.factor = factor

    def call(self, y_true, y_pred):
        """Returns the error of each example, `(batch,)`."""
        squares = ops.square(y_pred - ops.cast(y_true, y_pred.dtype))
        axes = tuple(range(1, len(squares.shape)))
        return self.factor * ops.sum(squares, axis=axes)

    def get_config(self):
        """Returns the arguments."""
        return {**super().get_config(), "factor": self.factor}
