"""Telling a word from a few others, drawn at random."""

from __future__ import annotations

from numbers import Integral, Real

import keras
import numpy as np
from keras import ops

from toolkit.errors import ConfigError
from toolkit.layers._word_losses import WordLosses, constant, counts_config
from toolkit.layers.alias_tables import alias_tables

SEEDS = (1, 2)  # of the negatives that are drawn when nothing is trained


@keras.saving.register_keras_serializable("toolkit")
class NegativeSampling(WordLosses):
    """Loss of telling the right word from words that are drawn at random.

    ```
    loss = -log sigmoid(u_t . v) - sum over n of log sigmoid(-u_n . v)

    v: a vector    t: its target    n: `negative` drawn words, but not t
    P(n) = counts[n]^ns_exponent / sum over w of counts[w]^ns_exponent
    ```

    Its cost does not depend on the number of words, and its gradient moves
    only the rows of the words involved. A negative that is the target itself
    is skipped, as in word2vec.c and gensim. The mean of the losses is added
    to those of the model, which is therefore compiled without a loss. It is
    a mean, where word2vec.c makes a step for each pair: with plain SGD, take
    its learning rate times the size of the batch.

    In training negatives are drawn anew in every call, otherwise the same
    ones every time, so that losses of validation can be compared: between
    models with the same `negative` and the same distribution, that is.

    Args:
        vocabulary_size: number of words, at least 2.
        negative: words drawn for each target, at least 1.
        counts: `(vocabulary_size,)`, how often each word occurs; by default
            all equally often. They are kept as weights, not in the config.
            There, `"weights"` stands for them: a layer that is made from it
            must be given weights before it is trained.
        ns_exponent: 1 draws words as often as they occur, 0 all equally
            often; below 0, rare ones more often.
        kernel_initializer: of the words' vectors u.
        seed: of the draws in training; by default another one every time.
        **options: as for `keras.layers.Layer`.

    Attributes:
        kernel: u, `(vocabulary_size, size)`.
        seed_generator: the `keras.random.SeedGenerator` of the draws.

    Call arguments:
        inputs: a pair of vectors, float `(batch, ..., size)`, and targets, int
            `(batch, ...)`, below `vocabulary_size`. Targets below 0 are
            padding: they cost nothing and do not count in the mean.
        mask: masks of both, `(batch, ...)`, or None; what is masked is
            padding.
        training: whether negatives are drawn anew.

    Returns:
        Losses, float `(batch, ...)`, in nats.

    Raises:
        ConfigError: an argument outside its range, counts of other words,
            inputs that are no such pair.

    Masking: takes the masks of vectors and targets, passes none on.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from toolkit.layers import NegativeSampling
    >>> centre = keras.Input((), dtype="int32")
    >>> context = keras.Input((), dtype="int32")
    >>> vectors = keras.layers.Embedding(4, 8)(centre)
    >>> objective = NegativeSampling(4, counts=[40, 30, 20, 10], seed=1)
    >>> losses = objective([vectors, context])
    >>> model = keras.Model([centre, context], losses)
    >>> model.compile("adam")
    >>> pairs = [np.arange(400) % 4, (np.arange(400) + 1) % 4]
    >>> history = model.fit(pairs, epochs=3, verbose=0).history["loss"]
    >>> history[2] < history[0]
    True
    >>> objective.scores(np.ones((2, 8))).shape
    TensorShape([2, 4])

    Source: T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean:
    Distributed representations of words and phrases and their
    compositionality (2013), equation 4.
    """

    def __init__(
        self,
        vocabulary_size: int,
        negative: int = 5,
        counts=None,
        ns_exponent: float = 0.75,
        kernel_initializer="zeros",
        seed: int | None = None,
        **options,
    ):
        super().__init__(vocabulary_size, kernel_initializer, **options)
        whole = isinstance(negative, Integral) and not isinstance(
            negative, bool
        )
        if not whole or negative < 1:
            raise ConfigError(
                "`negative` must be a whole number of at least 1. Received: "
                f"negative={negative!r}. Without negatives, use "
                "HierarchicalSoftmax or FullSoftmax."
            )
        if not isinstance(ns_exponent, Real) or not np.isfinite(ns_exponent):
            raise ConfigError(
                "`ns_exponent` must be a finite number. Received: "
                f"ns_exponent={ns_exponent!r}."
            )
        self.negative = int(negative)
        self.counts = self._check_counts(counts)
        self.ns_exponent = float(ns_exponent)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        if isinstance(self.counts, np.ndarray):
            noise_weights(self.counts, self.ns_exponent)

    def build(self, input_shape):
        """Makes the kernel and the tables that negatives are drawn with."""
        super().build(input_shape)
        words = self.vocabulary_size
        if isinstance(self.counts, np.ndarray):
            threshold, alias = alias_tables(
                noise_weights(self.counts, self.ns_exponent)
            )
        else:
            threshold = np.full(words, self.counts is None, np.float32)
            alias = np.arange(words)
        self.threshold = self.add_weight(
            name="threshold",
            shape=(words,),
            initializer=constant(threshold),
            trainable=False,
            autocast=False,
        )
        # int64, because compiled graphs cannot read int32 weights on a GPU.
        self.alias = self.add_weight(
            name="alias",
            shape=(words,),
            dtype="int64",
            initializer=constant(alias),
            trainable=False,
        )

    def draw(self, shape, training: bool = False):
        """Returns words drawn as negatives.

        Args:
            shape: of the result.
            training: whether to draw anew, or the same ones every time.

        Returns:
            int64 `shape`.
        """
        first, second = [self.seed_generator] * 2 if training else SEEDS
        cells = keras.random.randint(
            shape, 0, self.vocabulary_size, "int64", first
        )
        chances = keras.random.uniform(shape, dtype="float32", seed=second)
        threshold = ops.cast(ops.take(self.threshold, cells), "float32")
        return ops.where(
            ops.less(chances, threshold), cells, ops.take(self.alias, cells)
        )

    def call(self, inputs, mask=None, training=False):
        """Returns the losses."""
        if training:
            self._check_loaded(self.threshold, "the distribution of words is")
        vectors, targets, valid = self._split(inputs, mask)
        targets = ops.expand_dims(ops.cast(targets, "int64"), -1)
        shape = (*ops.shape(valid), self.negative)
        negatives = self.draw(shape, training)
        scores = self._products(
            vectors, ops.concatenate([targets, negatives], axis=-1)
        )
        close = ops.softplus(-scores[..., 0])
        away = ops.softplus(scores[..., 1:])
        away = ops.where(ops.not_equal(negatives, targets), away, 0)
        return self._finish(close + ops.sum(away, axis=-1), valid)

    def scores(self, vectors):
        """Returns how well every word fits.

        Args:
            vectors: float `(batch, ..., size)`.

        Returns:
            The products u . v, float `(batch, ..., vocabulary_size)`.
        """
        return self._all_products(vectors)

    def get_config(self):
        """Returns the arguments; of counts, only whether there are some."""
        return {
            **super().get_config(),
            "negative": self.negative,
            "counts": counts_config(self.counts),
            "ns_exponent": self.ns_exponent,
            "seed": self.seed,
        }


def noise_weights(counts: np.ndarray, ns_exponent: float) -> np.ndarray:
    """Returns `counts^ns_exponent`, scaled so that the largest is 1.

    Args:
        counts: `(words,)`, not negative, not all 0.
        ns_exponent: any finite number.

    Raises:
        ConfigError: a word that never occurs, and an exponent below 0.
    """
    counts = np.asarray(counts, np.float64)
    if ns_exponent >= 0:
        return (counts / counts.max()) ** ns_exponent
    if not counts.all():
        raise ConfigError(
            "With `ns_exponent` below 0, no count may be 0: the rarer a word, "
            "the more often it is drawn. Received: "
            f"ns_exponent={ns_exponent:g} and counts[{np.argmin(counts)}]=0."
        )
    return (counts / counts.min()) ** ns_exponent
