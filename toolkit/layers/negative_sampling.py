"""Telling a word from a few others, drawn at random."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.layers._word_noise import WordNoise
from toolkit.whole_numbers import check_whole


@keras.saving.register_keras_serializable("toolkit")
class NegativeSampling(WordNoise):
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
            padding: they cost nothing and do not count in the mean. Or
            vectors alone.
        mask: masks of both, `(batch, ...)`, or None; what is masked is
            padding.
        training: whether negatives are drawn anew.

    Returns:
        Losses, float `(batch, ...)`, in nats; of vectors alone, the `scores`
        of all words, float `(batch, ..., vocabulary_size)`.

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
        super().__init__(
            vocabulary_size,
            counts,
            ns_exponent,
            seed,
            kernel_initializer=kernel_initializer,
            **options,
        )
        self.negative = check_whole(
            "negative",
            negative,
            1,
            "Without negatives, use HierarchicalSoftmax or FullSoftmax.",
        )

    def _losses_of(self, inputs, mask, training):
        """Returns the losses."""
        if training:
            self._check_noise()
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
        return {**super().get_config(), "negative": self.negative}
