"""The squashing function of LeNet-5."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.errors import ConfigError

AMPLITUDE = 1.7159
SLOPE = 2 / 3


@keras.saving.register_keras_serializable("toolkit")
class ScaledTanh(keras.layers.Layer):
    """Scaled hyperbolic tangent, `f(x) = amplitude tanh(slope x)`.

    With the defaults `f(1) = 1` and `f(-1) = -1`, the second derivative is
    largest there, and the gain is about 1 around 0: targets of +1 and -1 lie
    where the unit is not saturated.

    Args:
        amplitude: the largest value, above 0.
        slope: factor on the input, above 0.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: a float tensor of any shape.

    Returns:
        A tensor of the same shape, between -amplitude and amplitude.

    Raises:
        ConfigError: an argument that is not above 0.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import ScaledTanh
    >>> y = ScaledTanh()(np.array([-1.0, 0.0, 1.0], "float32"))
    >>> print(np.round(np.asarray(y), 3))
    [-1.  0.  1.]

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition (1998), equation 6 and appendix A.
    """

    def __init__(
        self, amplitude: float = AMPLITUDE, slope: float = SLOPE, **options
    ):
        for name, value in (("amplitude", amplitude), ("slope", slope)):
            if not value > 0:
                raise ConfigError(
                    f"`{name}` must be above 0. Received: {name}={value}."
                )
        super().__init__(**options)
        self.amplitude = amplitude
        self.slope = slope
        self.supports_masking = True

    def call(self, inputs):
        """Returns the squashed inputs."""
        return self.amplitude * ops.tanh(self.slope * inputs)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "amplitude": self.amplitude,
            "slope": self.slope,
        }
