"""The loss of LeNet-5: maximum a posteriori over penalties."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.errors import ConfigError


@keras.saving.register_keras_serializable("toolkit")
class MAPLoss(keras.losses.Loss):
    """Discriminative loss on the penalties of `RBFOutput`.

    ```
    E = mean over examples of  y[D] + log(exp(-j) + sum over i of exp(-y[i]))
    ```

    with the penalties `y` and the right class `D`. The first term pulls down
    the penalty of the right class; the second pushes up the others, the more
    the smaller they are. `j` is the penalty of an imagined class of rubbish:
    what lies above it is left alone. `exp(-E)` is the posterior of the class.

    Args:
        j: penalty of the rubbish class, above 0.
        **options: as for `keras.losses.Loss`.

    Call arguments:
        y_true: integers `(batch,)` or `(batch, 1)`.
        y_pred: penalties, float `(batch, classes)`.

    Raises:
        ConfigError: a `j` that is not above 0.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import MAPLoss
    >>> loss = MAPLoss(j=10.0)(np.array([0]), np.array([[0.0, 20.0]]))
    >>> print(f"{float(loss):.6f}")
    0.000045

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition (1998), equation 9.
    """

    def __init__(self, j: float = 10.0, name: str = "map_loss", **options):
        if not j > 0:
            raise ConfigError(f"`j` must be above 0. Received: j={j}.")
        super().__init__(name=name, **options)
        self.j = j

    def call(self, y_true, y_pred):
        """Returns the loss per example, `(batch,)`."""
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        right = ops.take_along_axis(y_pred, labels[:, None], axis=1)[:, 0]
        rubbish = ops.full_like(y_pred[:, :1], -self.j)
        return right + ops.logsumexp(
            ops.concatenate([rubbish, -y_pred], axis=1), axis=1
        )

    def get_config(self):
        """Returns the arguments."""
        return {**super().get_config(), "j": self.j}


@keras.saving.register_keras_serializable("toolkit")
class SmallestPenaltyAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of examples whose right class has the smallest penalty.

    Args:
        name: the metric's name.
        **options: as for `keras.metrics.Metric`.
    """

    def __init__(self, name: str = "accuracy", **options):
        options.pop("fn", None)
        super().__init__(_smallest_is_right, name=name, **options)

    def get_config(self):
        """Returns the arguments."""
        return {"name": self.name, "dtype": self.dtype}


def _smallest_is_right(y_true, y_pred):
    labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
    smallest = ops.cast(ops.argmin(y_pred, axis=-1), "int32")
    return ops.cast(ops.equal(labels, smallest), "float32")
