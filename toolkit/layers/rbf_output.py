"""The output layer of LeNet-5: distances from fixed codes."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from toolkit.errors import ConfigError


@keras.saving.register_keras_serializable("toolkit")
class RBFOutput(keras.layers.Layer):
    """Euclidean radial basis functions around fixed codes.

    ```
    y[i] = sum over j of (x[j] - codes[i, j])^2
    ```

    The penalty of a class: 0 where the input is the code of the class. The
    smallest one is the answer. `MAPLoss` trains what comes before.

    Args:
        codes: `(classes, features)`, such as `digit_codes()`; not trained.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: float `(batch, features)`.

    Returns:
        Penalties, float `(batch, classes)`, at least 0.

    Raises:
        ConfigError: codes that are not a table, or inputs that do not fit.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import RBFOutput, digit_codes
    >>> codes = digit_codes()
    >>> penalties = np.asarray(RBFOutput(codes)(codes))
    >>> penalties.shape, penalties.argmin(axis=1).tolist()
    ((10, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition (1998), equation 7 and figure 3.
    """

    def __init__(self, codes, **options):
        super().__init__(**options)
        self.codes_array = np.asarray(codes, np.float32)
        if self.codes_array.ndim != 2 or not self.codes_array.size:
            raise ConfigError(
                "`codes` must be (classes, features). Received: "
                f"{self.codes_array.shape}."
            )

    def build(self, input_shape):
        """Keeps the codes as a weight that is not trained."""
        classes, features = self.codes_array.shape
        if len(input_shape) != 2 or input_shape[-1] != features:
            raise ConfigError(
                f"The codes have {features} features, so the inputs must be "
                f"(batch, {features}). Received: {tuple(input_shape)}."
            )
        self.codes = self.add_weight(
            name="codes",
            shape=(classes, features),
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(
                self.codes_array, dtype
            ),
            trainable=False,
        )

    def call(self, inputs):
        """Returns the penalties."""
        # |x|^2 - 2 x.c + |c|^2 would be one product, but loses the small
        # distances to rounding.
        codes = ops.cast(self.codes, inputs.dtype)
        return ops.sum(
            ops.square(ops.expand_dims(inputs, 1) - codes[None]), axis=-1
        )

    def compute_output_shape(self, input_shape):
        """Returns (batch, classes)."""
        return (input_shape[0], self.codes_array.shape[0])

    def get_config(self):
        """Returns the arguments."""
        return {**super().get_config(), "codes": self.codes_array.tolist()}
