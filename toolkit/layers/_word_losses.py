"""What the output layers share that score words."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from toolkit.errors import ConfigError
from toolkit.layers.huffman_tree import check_counts
from toolkit.whole_numbers import check_whole

IN_WEIGHTS = "weights"  # instead of counts, in the config of a layer with some


class WordLosses(keras.layers.Layer):
    """Layer from pairs of a vector and a word to the loss of each pair.

    From vectors alone it makes scores of all words. A layer says what both
    are with `_losses_of` and `scores`.

    Args:
        vocabulary_size: number of words, at least 2.
        kernel_initializer: of the kernel.
        **options: as for `keras.layers.Layer`.

    Raises:
        ConfigError: a size that is none, or inputs that are no such pairs.
    """

    def __init__(
        self, vocabulary_size: int, kernel_initializer="zeros", **options
    ):
        super().__init__(**options)
        self.vocabulary_size = check_whole(
            "vocabulary_size", vocabulary_size, 2
        )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        self._loaded = False  # whether it has what a config leaves out

    def _check_counts(self, counts) -> np.ndarray | str | None:
        """Returns counts as an array, or what stands for them.

        Raises:
            ConfigError: counts that are none, or of other words.
        """
        if counts is None or (isinstance(counts, str) and counts == IN_WEIGHTS):
            return counts
        return check_counts(counts, self.vocabulary_size)

    @property
    def _rows(self) -> int:
        """Rows of the kernel."""
        return self.vocabulary_size

    def build(self, input_shape):
        """Makes the kernel."""
        vectors, _ = self._check_shapes(input_shape)
        self._build_kernel(vectors[-1])

    def _build_kernel(self, size: int) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self._rows, size),
            initializer=self.kernel_initializer,
            autocast=False,  # rows are cast after they are picked
        )

    def call(self, inputs, mask=None, training=False):
        """Returns the losses of pairs, or the scores of all words."""
        if not isinstance(inputs, (list, tuple)):
            return self.scores(inputs)
        _check_targets(inputs)
        return self._losses_of(inputs, mask, training)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the targets, or of the scores."""
        vectors, targets = self._check_shapes(input_shape)
        if targets is None:
            return (*vectors[:-1], self.vocabulary_size)
        return targets

    def compute_output_spec(self, inputs, **options):
        """Returns what `call` returns, without calling it."""
        if isinstance(inputs, (list, tuple)):
            _check_targets(inputs)
        return super().compute_output_spec(inputs, **options)

    def compute_mask(self, inputs, previous_mask=None):
        """Returns the mask of scores; None for losses, which are 0 there."""
        return None if isinstance(inputs, (list, tuple)) else previous_mask

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }

    @property
    def _word_vectors(self):
        """The kernel, wherever it is."""
        return self.kernel

    @property
    def _exact(self) -> str:
        """The dtype of sums and logarithms, at least float32."""
        return keras.backend.result_type(self.compute_dtype, "float32")

    def _split(self, inputs, mask):
        """Returns vectors, targets that are words, and which of them count.

        Args:
            inputs: of the call.
            mask: of the call.
        """
        vectors, targets = inputs
        valid = ops.greater_equal(targets, 0)
        for one in mask or ():
            if one is not None:
                valid = ops.logical_and(valid, ops.cast(one, "bool"))
        vectors = ops.cast(vectors, self.compute_dtype)
        return vectors, ops.where(valid, targets, 0), valid

    def _products(self, vectors, numbers):
        """Returns the product of each vector with some rows of the kernel.

        Args:
            vectors: float `(..., size)`.
            numbers: of the rows, int `(..., rows)`.

        Returns:
            Float `(..., rows)`. The gradient with respect to the kernel is
            sparse.
        """
        rows = ops.take(self._word_vectors, numbers, axis=0)
        rows = ops.cast(rows, self.compute_dtype)
        # As matrices: einsum takes three times as long in a graph.
        products = ops.matmul(rows, ops.expand_dims(vectors, -1))
        return ops.cast(ops.squeeze(products, -1), self._exact)

    def _all_products(self, vectors):
        """Returns the product of each vector with every row of the kernel.

        Args:
            vectors: float `(..., size)`.
        """
        vectors = ops.cast(vectors, self.compute_dtype)
        kernel = ops.cast(self._word_vectors, self.compute_dtype)
        products = ops.matmul(vectors, ops.transpose(kernel))
        return ops.cast(products, self._exact)

    def _finish(self, losses, valid):
        """Returns the losses, none of padding, and adds their mean as a loss.

        Args:
            losses: of every target.
            valid: which of them count.
        """
        losses = ops.where(valid, losses, 0)
        count = ops.sum(ops.cast(valid, losses.dtype))
        self.add_loss(ops.sum(losses) / ops.maximum(count, 1))
        return ops.cast(losses, self.compute_dtype)

    def _check_loaded(self, weight, what: str) -> None:
        """Raises for a layer from a config that lacks what counts made.

        Args:
            weight: made from counts; zeros where they are missing.
            what: it is, for the message.
        """
        if self._loaded or not isinstance(self.counts, str):
            return
        with tf.init_scope():  # reads the value, in a graph too
            self._loaded = bool(np.any(ops.convert_to_numpy(weight)))
        if not self._loaded:
            raise ConfigError(
                f'"{self.name}" was made from the config of a layer with '
                f"counts, which leaves them out: {what} in the weights, which "
                "it was not given. Use set_weights(layer.get_weights()), or "
                "make it with `counts`."
            )

    def _check_shapes(self, shapes) -> tuple[tuple, tuple | None]:
        """Returns the shapes of vectors and targets; None without targets.

        Raises:
            ConfigError: shapes that are neither vectors nor such a pair.
        """
        if not isinstance(shapes, (list, tuple)) or any(
            not isinstance(shape, (list, tuple)) for shape in shapes
        ):
            shapes = [shapes, None]
        if len(shapes) != 2:
            raise ConfigError(
                f'"{self.name}" must be called on vectors, or on a pair, '
                f"(vectors, targets). Received: {len(shapes)} input(s) of "
                f"shape {shapes}."
            )
        vectors, targets = (shape and tuple(shape) for shape in shapes)
        if not vectors or vectors[-1] is None:
            raise ConfigError(
                "The vectors must be (batch, ..., size) with a size that is "
                f"known. Received: {vectors}."
            )
        if targets is None:
            return vectors, None
        if len(targets) != len(vectors) - 1 or any(
            one is not None and two is not None and one != two
            for one, two in zip(vectors, targets, strict=False)
        ):
            raise ConfigError(
                "The targets must be one word for each vector, so of the "
                f"vectors' shape without its last axis, {vectors[:-1]}. "
                f"Received: {targets}."
            )
        return vectors, targets


def counts_config(counts) -> str | None:
    """Returns what stands for counts in a config.

    Args:
        counts: an array, what stands for one, or None.
    """
    return None if counts is None else IN_WEIGHTS


def constant(array: np.ndarray):
    """Returns the initializer of a weight that begins as an array.

    Args:
        array: of the weight's shape.
    """
    return lambda shape, dtype=None: ops.convert_to_tensor(array, dtype)


def _check_targets(inputs) -> None:
    """Raises for targets that are no whole numbers.

    Raises:
        ConfigError: floats, which could not hold large numbers.
    """
    kind = keras.backend.standardize_dtype(inputs[1].dtype)
    if "int" not in kind:
        raise ConfigError(
            "The targets must be integers, such as those of keras.Input((), "
            f'dtype="int32"). Received: {kind}.'
        )
