"""A layer that keeps the contract, and a way to run some checks."""

import keras
import numpy as np
from keras import layers

from toolkit.testing import check_layer

CHECKS = (
    "shapes config saving inference masks fit jit mixed_precision gradients "
    "fresh_process"
).split()
RNG = np.random.default_rng(0)
register = keras.saving.register_keras_serializable("tests.testing")


def check(layer, inputs, only, **options):
    """Runs some checks and no other."""
    flags = {name: name in only.split() for name in CHECKS}
    return check_layer(layer, inputs, **flags, **options)


@register
class Right(layers.Layer):
    """y = scale x + shift, of float or integer inputs, in any dtype."""

    def __init__(self, start=1.0, **options):
        super().__init__(**options)
        self.start = start
        self.supports_masking = True

    def build(self, shape):
        start = keras.initializers.Constant(self.start)
        size = shape[-1:]
        self.scale = self.add_weight(
            name="scale", shape=size, initializer=start
        )
        self.shift = self.add_weight(
            name="shift", shape=size, initializer="zeros"
        )

    def call(self, x):
        return self.scale * x + self.shift

    def get_config(self):
        return {**super().get_config(), "start": self.start}
