"""A layer of `seq2seq` alone."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("toolkit")
class TargetMask(keras.layers.Layer):
    """Hands logits on, with a mask that passes over the target's padding.

    Losses and metrics find it there. The layers before do not need it: a
    decoder's step depends on no later one.

    Args:
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: a list of logits `(batch, time, vocabulary)` and the tokens
            that went in, int `(batch, time)`, 0 for padding.

    Returns:
        The logits.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.supports_masking = True

    def call(self, inputs):
        """Returns the logits."""
        return ops.convert_to_tensor(inputs[0])

    def compute_mask(self, inputs, previous_mask):
        """Returns where the tokens are no padding."""
        return ops.not_equal(inputs[1], 0)

    def compute_output_shape(self, input_shape):
        """Returns the logits' shape."""
        return input_shape[0]
