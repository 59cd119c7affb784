"""The subsampling of LeNet-5: a sum with a weight and a bias per map."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.errors import ConfigError
from toolkit.whole_numbers import check_whole


@keras.saving.register_keras_serializable("toolkit")
class TrainableSubsampling2D(keras.layers.Layer):
    """Sums non-overlapping squares of each map, scales and shifts the sum.

    ```
    y[i, j, c] = coefficient[c] * sum of the square (i, j) of x[c] + bias[c]
    ```

    One trainable coefficient and one bias per map. Rows and columns that do
    not fill a square are left out. Follow it with `ScaledTanh`, as LeNet-5
    does.

    Args:
        size: side of a square, at least 1.
        coefficient_initializer: by default 1 / size^2, the mean.
        bias_initializer: by default zeros.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: float `(batch, height, width, channels)`.

    Returns:
        Float `(batch, height // size, width // size, channels)`.

    Raises:
        ConfigError: a size below 1, or inputs of another rank.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import TrainableSubsampling2D
    >>> layer = TrainableSubsampling2D(2)
    >>> layer(np.ones((1, 28, 28, 6), "float32")).shape, layer.count_params()
    (TensorShape([1, 14, 14, 6]), 12)

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition (1998), section II.B, layers S2 and S4.
    """

    def __init__(
        self,
        size: int = 2,
        coefficient_initializer=None,
        bias_initializer="zeros",
        **options,
    ):
        super().__init__(**options)
        self.size = check_whole("size", size, 1)
        self.coefficient_initializer = keras.initializers.get(
            coefficient_initializer
        )
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape):
        """Makes a coefficient and a bias per map."""
        if len(input_shape) != 4:
            raise ConfigError(
                "The inputs must be (batch, height, width, channels). "
                f"Received: {tuple(input_shape)}."
            )
        channels = input_shape[-1]
        self.coefficient = self.add_weight(
            name="coefficient",
            shape=(channels,),
            initializer=self.coefficient_initializer
            or keras.initializers.Constant(1 / self.size**2),
        )
        self.bias = self.add_weight(
            name="bias", shape=(channels,), initializer=self.bias_initializer
        )

    def call(self, inputs):
        """Returns the weighted sums."""
        means = ops.average_pool(inputs, self.size, self.size, "valid")
        weight = self.coefficient * float(self.size**2)
        return means * ops.cast(weight, means.dtype) + ops.cast(
            self.bias, means.dtype
        )

    def compute_output_shape(self, input_shape):
        """Returns (batch, height // size, width // size, channels)."""
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else height // self.size,
            None if width is None else width // self.size,
            channels,
        )

    def get_config(self):
        """Returns the arguments."""
        serialize = keras.initializers.serialize
        given = self.coefficient_initializer
        return {
            **super().get_config(),
            "size": self.size,
            "coefficient_initializer": given and serialize(given),
            "bias_initializer": serialize(self.bias_initializer),
        }
