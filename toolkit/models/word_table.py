"""Layers of models that answer questions about words."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from toolkit.errors import ConfigError

NO_ANSWER = -2.0  # a similarity below every cosine
OUT = 4.0  # takes any cosine below NO_ANSWER
ROWS = 65_536  # normalized at once
LIMITS = np.finfo(np.float32)


@keras.saving.register_keras_serializable("toolkit")
class WordTable(keras.layers.Layer):
    """Holds word vectors: rows of length 1, and how long each of them is.

    ```
    vectors(i) = length(i) u(i);  units(i) = u(i);  cosines(q) = q U^T
    ```

    One table serves for all three, so that a file with all of them holds it
    once. Training does not change it.

    Args:
        words: how many rows.
        size: numbers in a row.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: int `(batch, ...)`, row numbers; of `cosines` float `(batch,
            size)`, of length 1 each.
        what: `vectors`, `units` or `cosines`.

    Returns:
        Float `(batch, ..., size)`; of `cosines` `(batch, words)`. The cosine
        with a row of zeros, which has no direction, is -4.
    """

    def __init__(self, words: int, size: int, **options):
        super().__init__(**{"trainable": False, **options})
        self.words = words
        self.size = size
        self.units, self.lengths = (
            keras.layers.Embedding(
                words, width, "zeros", dtype=self.dtype_policy, name=name
            )
            for name, width in (("units", size), ("lengths", 1))
        )

    def build(self, input_shape=None):
        """Makes the table, of zeros."""
        self.units.build()
        self.lengths.build()
        self.units.trainable = self.lengths.trainable = self.trainable

    def call(self, inputs, what="vectors"):
        """Returns vectors, directions or cosines."""
        if what == "vectors":
            return ops.multiply(self.units(inputs), self.lengths(inputs))
        if what == "units":
            return self.units(inputs)
        # U q^T needs no transposed copy of the table, which is constant.
        products = ops.matmul(self.units.embeddings, ops.transpose(inputs))
        return ops.add(ops.transpose(products), self.offsets())

    def fill(self, units: np.ndarray, lengths: np.ndarray) -> None:
        """Puts into the table what `polar` returned."""
        if not self.built:
            self.build()
            self.built = True
        self.units.embeddings.assign(units)
        self.lengths.embeddings.assign(lengths)

    def offsets(self):
        """Returns what is added to cosines, `(words,)`: -4 at rows of zeros."""
        lengths = ops.reshape(self.lengths.embeddings, (-1,))
        return ops.where(ops.equal(lengths, 0.0), -OUT, 0.0)

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "words": self.words,
            "size": self.size,
        }


@keras.saving.register_keras_serializable("toolkit")
class HighestCosines(keras.layers.Layer):
    """The k highest of cosines, without the words that were asked with.

    Of equal ones the word with the lower number comes first. Places for which
    there is no answer have the similarity -2: the query is zeros, or there
    are fewer than k other words with a direction.

    Args:
        k: how many.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        cosines: float `(batch, words)`, at least k words.
        words: int32 `(batch, n)`, those to leave out.
        queries: float `(batch, size)`, of length 1 or 0.

    Returns:
        Similarities, float `(batch, k)`, and numbers, int32 `(batch, k)`.
    """

    def __init__(self, k: int, **options):
        super().__init__(**options)
        self.k = k

    def call(self, cosines, words, queries):
        """Returns similarities and numbers."""
        # Of so many one drops out for each word at most, k are left.
        first = min(self.k + words.shape[1], cosines.shape[1])
        values, numbers = ops.top_k(cosines, first)
        asked = ops.equal(numbers[:, :, None], words[:, None, :])
        asked = ops.sum(ops.cast(asked, values.dtype), axis=-1)
        values, places = ops.top_k(ops.subtract(values, OUT * asked), self.k)
        chosen = ops.equal(places[:, :, None], ops.arange(first, dtype="int32"))
        numbers = ops.multiply(ops.cast(chosen, "int32"), numbers[:, None, :])
        numbers = ops.sum(numbers, axis=-1)
        squares = ops.sum(ops.square(queries), axis=-1, keepdims=True)
        highest = ops.subtract(OUT * squares, -NO_ANSWER)  # 2, or -2
        values = ops.minimum(values, highest)
        return ops.maximum(values, NO_ANSWER), numbers

    def get_config(self):
        """Returns the arguments."""
        return {**super().get_config(), "k": self.k}


def polar(vectors: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the directions of vectors, and their lengths.

    Args:
        vectors: numbers, `(words, size)`.

    Returns:
        float32 `(words, size)` at length 1, zeros where a vector is zeros;
        and float32 `(words, 1)`.

    Raises:
        ConfigError: of another shape, or what float32 cannot hold.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or not vectors.size or vectors.dtype.kind not in "fiu":
        raise ConfigError(
            "`vectors` must be numbers of shape (words, size). Received: "
            f"{vectors.dtype} of shape {vectors.shape}."
        )
    units = np.empty(vectors.shape, np.float32)
    lengths = np.empty((len(vectors), 1), np.float32)
    for start in range(0, len(vectors), ROWS):
        rows = slice(start, start + ROWS)
        # Squares of float32 neither overflow nor vanish in float64.
        block = vectors[rows].astype(np.float64)
        length = np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
        # What is smaller counts as zero where TensorFlow computes.
        fits = (length >= LIMITS.tiny) & (length <= LIMITS.max)
        fits |= length == 0
        if not fits.all():
            row = start + int(np.argmin(fits))
            raise ConfigError(
                "`vectors` must be zeros, or finite and of a length from "
                f"{LIMITS.tiny:.2g} to {LIMITS.max:.2g}, which float32 holds. "
                f"Row {row} is not: {vectors[row, :3].tolist()} ..."
            )
        units[rows] = block / np.where(length, length, 1.0)
        lengths[rows] = length
    return units, lengths
