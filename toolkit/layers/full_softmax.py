"""Telling a word from all others."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.layers._word_losses import WordLosses


@keras.saving.register_keras_serializable("toolkit")
class FullSoftmax(WordLosses):
    """Loss of predicting a word among all of the vocabulary.

    ```
    P(w | v) = exp(u_w . v) / sum over all words x of exp(u_x . v)
    loss = -log P(t | v)             v: a vector    t: its target
    ```

    Exact, and its cost grows with the number of words: for small vocabularies,
    and what the cheaper `NegativeSampling` and `HierarchicalSoftmax` are held
    against. The mean of the losses is added to those of the model, which is
    therefore compiled without a loss.

    Args:
        vocabulary_size: number of words, at least 2.
        kernel_initializer: of the words' vectors u.
        **options: as for `keras.layers.Layer`.

    Attributes:
        kernel: u, `(vocabulary_size, size)`.

    Call arguments:
        inputs: a pair of vectors, float `(batch, ..., size)`, and targets, int
            `(batch, ...)`, below `vocabulary_size`. Targets below 0 are
            padding: they cost nothing and do not count in the mean.
        mask: masks of both, `(batch, ...)`, or None; what is masked is
            padding.

    Returns:
        Losses, float `(batch, ...)`, in nats.

    Raises:
        ConfigError: an argument outside its range, inputs that are no such
            pair.

    Masking: takes the masks of vectors and targets, passes none on.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from toolkit.layers import FullSoftmax
    >>> centre = keras.Input((), dtype="int32")
    >>> context = keras.Input((), dtype="int32")
    >>> objective = FullSoftmax(4)
    >>> losses = objective([keras.layers.Embedding(4, 8)(centre), context])
    >>> model = keras.Model([centre, context], losses)
    >>> model.compile("adam")
    >>> pairs = [np.arange(400) % 4, (np.arange(400) + 1) % 4]
    >>> f'{model.fit(pairs, verbose=0).history["loss"][0]:.1f}'  # log 4
    '1.4'
    >>> objective.probabilities(np.zeros((1, 8))).numpy()
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)

    Source: T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean:
    Distributed representations of words and phrases and their
    compositionality (2013), equation 2.
    """

    def call(self, inputs, mask=None):
        """Returns the losses."""
        vectors, targets, valid = self._split(inputs, mask)
        losses = ops.sparse_categorical_crossentropy(
            targets, self._all_products(vectors), from_logits=True
        )
        return self._finish(losses, valid)

    def scores(self, vectors):
        """Returns how well every word fits.

        Args:
            vectors: float `(batch, ..., size)`.

        Returns:
            The products u . v, float `(batch, ..., vocabulary_size)`.
        """
        return self._all_products(vectors)

    def probabilities(self, vectors):
        """Returns the probability of every word.

        Args:
            vectors: float `(batch, ..., size)`.

        Returns:
            Float `(batch, ..., vocabulary_size)`, of sum 1.
        """
        return ops.softmax(self._all_products(vectors), axis=-1)
