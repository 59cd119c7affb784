"""Attention of a decoder to all that an encoder has read."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

from toolkit.errors import ConfigError, unknown

SCORES = ("dot", "additive")


@keras.saving.register_keras_serializable("toolkit")
class GlobalAttention(keras.layers.Layer):
    """Looks back, at every step of a decoder, at every step of an encoder.

    ```
    dot       score(t, i) = s(t) m(i)
    additive  score(t, i) = v tanh(W s(t) + m(i))
    weights(t) = softmax over i of score(t, i);  c(t) = sum_i weights(t, i) m(i)
    ```

    with the state s of the decoder and the memory m. A memory that a dense
    layer has made of the encoder's outputs h, m = U h, gives the scores
    `general` of Luong and that of Bahdanau, with one product for a sequence
    instead of one for every step. Places without content have the weight 0.

    Args:
        score: `dot` or `additive`.
        kernel_initializer: of W `(width, units)`, with the memory's units.
        vector_initializer: of v `(units, 1)`.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: a list of s, float `(batch, time, width)`; m, float `(batch,
            source_time, units)`; and what was read, `(batch, source_time)`,
            0 (or False) at places without content. `dot` wants width = units.

    Returns:
        c, float `(batch, time, units)`, and the weights, float `(batch, time,
        source_time)`. They sum to 1, or are all 0 where nothing was read.

    Raises:
        ConfigError: an unknown score, or widths that do not fit.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import GlobalAttention
    >>> states, memory = np.zeros((1, 2, 4)), np.ones((1, 3, 4))
    >>> tokens = np.array([[5, 7, 0]])  # the last is padding
    >>> context, weights = GlobalAttention()([states, memory, tokens])
    >>> weights.numpy()[0]
    array([[0.5, 0.5, 0. ],
           [0.5, 0.5, 0. ]], dtype=float32)

    Source: M. Luong, H. Pham, C. Manning: Effective approaches to
    attention-based neural machine translation (2015), section 3.1;
    D. Bahdanau, K. Cho, Y. Bengio: Neural machine translation by jointly
    learning to align and translate (2015), section 3.1 and appendix A.1.2.
    """

    def __init__(
        self,
        score: str = "dot",
        kernel_initializer="glorot_uniform",
        vector_initializer="glorot_uniform",
        **options,
    ):
        super().__init__(**options)
        if score not in SCORES:
            raise ConfigError(unknown("score", score, SCORES))
        self.score = score
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.vector_initializer = keras.initializers.get(vector_initializer)
        self.supports_masking = True  # what was read tells; masks end here

    def build(self, input_shape):
        """Makes W and v."""
        width, units = (shape[-1] for shape in input_shape[:2])
        if self.score == "dot":
            if width != units:
                raise ConfigError(
                    'The score "dot" wants states as wide as the memory. '
                    f"Received: {width} and {units}. Make the memory of a "
                    f'Dense({width}), or take the score "additive".'
                )
            return
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, units),
            initializer=self.kernel_initializer,
        )
        self.vector = self.add_weight(
            name="vector",
            shape=(units, 1),
            initializer=self.vector_initializer,
        )

    def call(self, inputs):
        """Returns contexts and weights."""
        states, memory, source = inputs
        if self.score == "dot":
            # The memory is not the one to be transposed: it is larger.
            scores = ops.matmul(memory, ops.transpose(states, (0, 2, 1)))
            scores = ops.transpose(scores, (0, 2, 1))
        else:
            queries = ops.matmul(states, self.kernel)
            both = ops.add(queries[:, :, None], memory[:, None])
            scores = ops.squeeze(ops.matmul(ops.tanh(both), self.vector), -1)
        # Added, not chosen: a score of any size is lost in it.
        dtype = keras.backend.standardize_dtype(scores.dtype)
        lowest = -3e4 if dtype == "float16" else -1e9
        read = ops.cast(ops.not_equal(source, 0), dtype)[:, None]
        scores = ops.add(ops.multiply(scores, read), lowest * (1 - read))
        # Keras' softmax warns of a source of one step.
        weights = ops.multiply(tf.nn.softmax(scores), read)
        return ops.matmul(weights, memory), weights

    def compute_mask(self, inputs, previous_mask):
        """Returns None: the outputs have no mask."""
        return None

    def compute_output_shape(self, input_shape):
        """Returns the shapes of contexts and weights."""
        states, memory, _ = input_shape
        return (*states[:2], memory[2]), (*states[:2], memory[1])

    def compute_output_spec(self, inputs):
        """Returns contexts and weights without values."""
        return tuple(
            keras.KerasTensor(shape, self.compute_dtype)
            for shape in self.compute_output_shape([x.shape for x in inputs])
        )

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "score": self.score,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "vector_initializer": keras.initializers.serialize(
                self.vector_initializer
            ),
        }
