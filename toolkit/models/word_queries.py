"""Word vectors as models: the vector of a word, neighbours, analogies."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from toolkit.errors import ConfigError
from toolkit.models.sizes import check_sizes
from toolkit.models.word_table import HighestCosines, WordTable, polar

NEIGHBOURS, ANALOGY = "neighbours", "analogy"
WORDS = ("word1", "word2", "word3")  # what an analogy is asked with
SHORTEST = 1e-12  # a sum of unit vectors below it is zeros but for rounding


@keras.saving.register_keras_serializable("toolkit")
class WordQueries(keras.Model):
    """Functional model of `word_queries`, which loads with one table.

    Keras would load a table for each of the models inside.

    Args:
        words: how many.
        size: numbers in a vector.
        k: answers to a question.
        name: as for `keras.Model`.
    """

    def __init__(
        self, words: int, size: int, k: int = 10, name: str = "word2vec"
    ):
        table = WordTable(words, size, dtype="float32", name="vectors")
        inputs, outputs = _lookup(table)
        super().__init__(inputs, outputs, name=name)
        self.words = words
        self.size = size
        self.k = k
        self.neighbours = nearest_words(table, k)
        self.analogy = analogy_words(table, k)

    def get_config(self):
        """Returns the arguments."""
        return {
            "words": self.words,
            "size": self.size,
            "k": self.k,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the model from the arguments."""
        return cls(**config)


def word_queries(
    vectors: np.ndarray, k: int = 10, name: str = "word2vec"
) -> keras.Model:
    """Builds a model of word vectors with all questions inside.

    The model itself is that of `word_lookup`; inside are the models
    `neighbours`, of `nearest_words`, and `analogy`, of `analogy_words`. They
    share one table, also in the files of an export with
    `signatures=["neighbours", "analogy"]`.

    Args:
        vectors: float `(words, size)`.
        k: answers to a question, at most as many as there are words.
        name: the model's name.

    Returns:
        A built Functional model from `words`, int32 `(batch,)`, to `vectors`,
        float32 `(batch, size)`. Its attributes `neighbours` and `analogy` are
        the other two.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import word_queries
    >>> points = np.array([[2, 1], [2, -1], [0, 1], [0, -1], [1, 0]])
    >>> model = word_queries(points, k=2)  # king, queen, man, woman, crown
    >>> model(np.array([0])).numpy()
    array([[2., 1.]], dtype=float32)
    >>> asked = [np.array([n], "int32") for n in (2, 0, 3)]  # man, king, woman
    >>> model.analogy(asked)["neighbours"].numpy()
    array([[1, 4]], dtype=int32)

    Source: T. Mikolov, K. Chen, G. Corrado, J. Dean: Efficient estimation of
    word representations in vector space (2013), section 4.
    """
    units, lengths = polar(vectors)
    _check_answers(k, len(units))
    model = WordQueries(*units.shape, k=k, name=name)
    model.get_layer("vectors").fill(units, lengths)
    return model


def word_lookup(
    vectors: np.ndarray | WordTable, name: str = "word2vec"
) -> keras.Model:
    """Builds a model that returns the vectors of words.

    Args:
        vectors: float `(words, size)`; or the layer `vectors` of another of
            these models, whose table this one then shares.
        name: the model's name.

    Returns:
        A built Functional model from `words`, int32 `(batch,)`, to `vectors`,
        float32 `(batch, size)`. As everywhere in Keras, -1 is the last word,
        not an unknown one; what is out of range is an error, but zeros where
        TensorFlow computes on a GPU.

    Raises:
        ConfigError: vectors that are no table of finite numbers.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import word_lookup
    >>> model = word_lookup(np.array([[2, 1], [0, 1]]))
    >>> model(np.array([1, 0])).numpy()
    array([[0., 1.],
           [2., 1.]], dtype=float32)

    Source: T. Mikolov, K. Chen, G. Corrado, J. Dean: Efficient estimation of
    word representations in vector space (2013).
    """
    return keras.Model(*_lookup(_table(vectors)), name=name)


def nearest_words(
    vectors: np.ndarray | WordTable, k: int = 10, name: str = NEIGHBOURS
) -> keras.Model:
    """Builds a model that returns the words whose vectors point the most alike.

    ```
    similarity(i) = u(i) u(word);  u(i) = v(i) / |v(i)|
    ```

    The word itself is left out, and so are words with a vector of zeros.

    Args:
        vectors: as for `word_lookup`.
        k: how many, at most as many as there are words.
        name: the model's name.

    Returns:
        A built Functional model from `words`, int32 `(batch,)` from 0, to a
        dict: `neighbours`, int32 `(batch, k)`, the most similar first, of equal
        ones the lower number; `similarities`, float32 `(batch, k)`. A place
        with no answer has the similarity -2: there are fewer than k others,
        or the word's vector is zeros.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import nearest_words
    >>> model = nearest_words(np.array([[1, 0], [3, 4], [0, 2]]), k=2)
    >>> found = model(np.array([0]))
    >>> found["neighbours"].numpy(), found["similarities"].numpy()
    (array([[1, 2]], dtype=int32), array([[0.6, 0. ]], dtype=float32))

    Source: T. Mikolov, K. Chen, G. Corrado, J. Dean: Efficient estimation of
    word representations in vector space (2013), section 4.
    """
    table = _table(vectors)
    words = keras.Input((), dtype="int32", name="words")
    return keras.Model(
        words,
        _answers(table, table(words, what="units"), [words], k),
        name=name,
    )


def analogy_words(
    vectors: np.ndarray | WordTable, k: int = 10, name: str = ANALOGY
) -> keras.Model:
    """Builds a model that returns what is to word3 as word2 is to word1.

    ```
    similarity(i) = cos(u(i), u(word2) - u(word1) + u(word3))
    ```

    with vectors at length 1 (3CosAdd). The three words are left out, and so
    are words with a vector of zeros.

    Args:
        vectors: as for `word_lookup`.
        k: as for `nearest_words`.
        name: the model's name.

    Returns:
        A built Functional model from a list of `word1`, `word2` and `word3`,
        int32 `(batch,)` each, to a dict as that of `nearest_words`.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import analogy_words
    >>> points = np.array([[2, 1], [2, -1], [0, 1], [0, -1]])
    >>> model = analogy_words(points, k=1)  # of king, queen, man, woman
    >>> model([np.array([n]) for n in (2, 0, 3)])["neighbours"].numpy()
    array([[1]], dtype=int32)

    Source: T. Mikolov, W. Yih, G. Zweig: Linguistic regularities in
    continuous space word representations (2013), section 4; the name 3CosAdd
    is of O. Levy, Y. Goldberg: Linguistic regularities in sparse and explicit
    word representations (2014).
    """
    table = _table(vectors)
    words = [keras.Input((), dtype="int32", name=word) for word in WORDS]
    first, second, third = (table(word, what="units") for word in words)
    query = ops.add(ops.subtract(second, first), third)
    squares = ops.sum(ops.square(query), axis=-1, keepdims=True)
    query = ops.divide(query, ops.maximum(ops.sqrt(squares), SHORTEST))
    return keras.Model(words, _answers(table, query, words, k), name=name)


def _lookup(table: WordTable) -> tuple[Any, Any]:
    words = keras.Input((), dtype="int32", name="words")
    return words, table(words)


def _answers(table: WordTable, query: Any, words: list, k: int) -> dict:
    """Returns outputs: the words nearest a query of length 1, but for some."""
    _check_answers(k, table.words)
    highest = HighestCosines(int(k), dtype="float32", name="highest")
    similarities, numbers = highest(
        table(query, what="cosines"), ops.stack(words, axis=1), query
    )
    return {"neighbours": numbers, "similarities": similarities}


def _check_answers(k: int, words: int) -> None:
    (k,) = check_sizes(numbers={"k": k})
    if k > words:
        raise ConfigError(
            f"`k` must be at most the number of words, {words}. Received: "
            f"k={k}."
        )


def _table(vectors: Any) -> WordTable:
    if isinstance(vectors, WordTable):
        return vectors
    units, lengths = polar(vectors)
    table = WordTable(*units.shape, dtype="float32", name="vectors")
    table.fill(units, lengths)
    return table
