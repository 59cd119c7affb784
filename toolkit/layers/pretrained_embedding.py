"""An embedding that begins with vectors that are there already."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from toolkit.errors import ConfigError, DataError
from toolkit.text import Vocabulary, WordVectors


def pretrained_embedding(
    vectors: np.ndarray | WordVectors,
    vocabulary: Iterable[str] | Vocabulary | None = None,
    trainable: bool = False,
    *,
    unknown_initializer="zeros",
    mask_zero: bool = False,
    name: str | None = None,
) -> keras.layers.Embedding:
    """Returns a `keras.layers.Embedding` that holds given vectors.

    It is built and has no traits of its own, so that models with it are
    saved, loaded and exported as any other.

    Args:
        vectors: of words, or an array `(words, size)`.
        vocabulary: the words of your model in the order of its numbers, such
            as `TextVectorization.get_vocabulary()`; picks the row of each by
            its word. By default the order is that of the vectors.
        trainable: whether training changes them.
        unknown_initializer: of the rows of words without a vector, such as
            the `""` and `"[UNK]"` of `TextVectorization`; a Keras name or
            initializer. `keras.initializers.RandomNormal(stddev=0.1, seed=1)`
            gives small random rows.
        mask_zero: whether the number 0 is padding, to be masked.
        name: of the layer.

    Returns:
        The layer, from integers `(batch, ...)` to float `(batch, ..., size)`.
        Its attribute `unknown_words` is the tuple of the vocabulary's words
        that have no vector; it is not saved.

    Raises:
        ConfigError: a vocabulary beside an array, which has no words.
        DataError: an array that is no table of finite numbers, or a
            vocabulary none of whose words has a vector.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import pretrained_embedding
    >>> from toolkit.text import Vocabulary, WordVectors
    >>> words = Vocabulary(["the", "cat", "sat"])
    >>> vectors = WordVectors(words, np.array([[1, 2], [3, 4], [5, 6]]))
    >>> layer = pretrained_embedding(vectors, ["", "[UNK]", "cat", "the"])
    >>> layer(np.array([[3, 2, 0]])).numpy()
    array([[[1., 2.],
            [3., 4.],
            [0., 0.]]], dtype=float32)
    >>> layer.unknown_words
    ('', '[UNK]')

    Source: Y. Kim: Convolutional neural networks for sentence classification
    (2014), section 3.1, "CNN-static" and "CNN-non-static".
    """
    unknown: tuple[str, ...] = ()
    if vocabulary is None:
        table = _table(getattr(vectors, "vectors", vectors))
    elif isinstance(vectors, WordVectors):
        table, unknown = _rows(vectors, vocabulary, unknown_initializer)
    else:
        raise ConfigError(
            "With a `vocabulary`, `vectors` must be WordVectors: an array "
            "does not say which word a row belongs to. Use WordVectors("
            f"Vocabulary(words), array). Received: {type(vectors).__name__}."
        )
    layer = keras.layers.Embedding(
        *table.shape,
        embeddings_initializer="zeros",  # soon to be replaced
        mask_zero=mask_zero,
        weights=[table],
        trainable=bool(trainable),
        name=name,
    )
    layer.unknown_words = unknown
    return layer


def _rows(
    vectors: WordVectors, vocabulary: Iterable[str], initializer
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns a row for every word, and the words that have no vector."""
    words = _words(vocabulary)
    numbers = vectors.vocabulary.encode(words)
    found = numbers >= 0
    unknown = tuple(
        str(word) for word, known in zip(words, found, strict=True) if not known
    )
    if not found.any():
        raise DataError(
            f"None of the {len(words):,} words of `vocabulary` has a vector: "
            f"{', '.join(map(repr, words[:3]))} ... The vectors are those of "
            f"{', '.join(map(repr, vectors.vocabulary.words[:3]))} ... Do they "
            "differ in case, or in how words are cut?"
        )
    table = vectors.vectors[np.maximum(numbers, 0)]
    if unknown:
        initializer = keras.initializers.get(initializer)
        table[~found] = keras.ops.convert_to_numpy(
            initializer((len(unknown), vectors.size), dtype="float32")
        )
    return table, unknown


def _words(vocabulary: Iterable[str]) -> list[str]:
    words = [] if isinstance(vocabulary, str) else list(vocabulary)
    wrong = [word for word in words if not isinstance(word, str)]
    if not words or wrong:
        raise ConfigError(
            "`vocabulary` must be a list of words, in the order of their "
            f"numbers. Received: {wrong[:3] or vocabulary!r}."
        )
    return words


def _table(vectors) -> np.ndarray:
    table = np.asarray(vectors, np.float32)
    if table.ndim != 2 or not table.size:
        raise DataError(
            "`vectors` must be WordVectors or an array (words, size). "
            f"Received: {table.shape}."
        )
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        raise DataError(
            f"`vectors` must be finite. Row {int(np.argmin(finite))} is not."
        )
    return table
