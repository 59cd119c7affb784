"""Telling a word from all others."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.errors import ConfigError
from toolkit.layers._ties import Tied
from toolkit.layers._word_losses import WordLosses


@keras.saving.register_keras_serializable("toolkit")
class FullSoftmax(Tied, WordLosses):
    """Loss of predicting a word among all of the vocabulary.

    ```
    P(w | v) = exp(u_w . v + b_w) / sum over all words x of exp(u_x . v + b_x)
    loss = -log P(t | v)             v: a vector    t: its target
    ```

    Exact, and its cost grows with the number of words: for small vocabularies,
    and what the cheaper `NegativeSampling` and `HierarchicalSoftmax` are held
    against. The mean of the losses is added to those of the model, which is
    therefore compiled without a loss.

    Args:
        vocabulary_size: number of words, at least 2.
        kernel_initializer: of the words' vectors u.
        use_bias: whether words have a bias b.
        tied_to: a `keras.layers.Embedding` of the same words and the same
            size, built, whose vectors are u (Press and Wolf 2017): half the
            parameters. A model that holds both layers is saved and loaded
            with the tie.
        **options: as for `keras.layers.Layer`.

    Attributes:
        kernel: u, `(vocabulary_size, size)`.
        bias: b, `(vocabulary_size,)`, or None.

    Call arguments:
        inputs: a pair of vectors, float `(batch, ..., size)`, and targets, int
            `(batch, ...)`, below `vocabulary_size`. Targets below 0 are
            padding: they cost nothing and do not count in the mean. Or
            vectors alone.
        mask: masks of both, `(batch, ...)`, or None; what is masked is
            padding.

    Returns:
        Losses, float `(batch, ...)`, in nats; of vectors alone, the `scores`
        of all words, float `(batch, ..., vocabulary_size)`.

    Raises:
        ConfigError: an argument outside its range, inputs that are no such
            pair, an embedding that is not built or does not fit.

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
    compositionality (2013), equation 2; tied as in O. Press, L. Wolf: Using
    the output embedding to improve language models (2017).
    """

    def __init__(
        self,
        vocabulary_size: int,
        kernel_initializer="zeros",
        use_bias: bool = False,
        tied_to: keras.layers.Embedding | None = None,
        **options,
    ):
        super().__init__(vocabulary_size, kernel_initializer, **options)
        if tied_to is not None:
            _check_embedding(tied_to, self.vocabulary_size)
        self.use_bias = bool(use_bias)
        self.tied_to = tied_to
        self.bias = None

    def build(self, input_shape):
        """Makes the kernel, unless it is that of the embedding, and b."""
        super().build(input_shape)
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.vocabulary_size,),
                initializer="zeros",
                autocast=False,
            )

    def _build_kernel(self, size):
        if self.tied_to is None:
            super()._build_kernel(size)
            return
        if not self.tied_to.built:
            raise ConfigError(
                f'The embedding "{self.tied_to.name}", whose vectors '
                f'"{self.name}" uses, has no weights yet. Call or build it '
                "first."
            )
        if self.tied_to.output_dim != size:
            raise ConfigError(
                f'"{self.name}" is tied to "{self.tied_to.name}", so its '
                f"vectors must have the size {self.tied_to.output_dim}. "
                f"Received: {size}."
            )

    @property
    def _word_vectors(self):
        """The vectors u."""
        return self.kernel if self.tied_to is None else self.tied_to.embeddings

    def _losses_of(self, inputs, mask, training):
        """Returns the losses."""
        vectors, targets, valid = self._split(inputs, mask)
        losses = ops.sparse_categorical_crossentropy(
            targets, self.scores(vectors), from_logits=True
        )
        return self._finish(losses, valid)

    def scores(self, vectors):
        """Returns how well every word fits.

        Args:
            vectors: float `(batch, ..., size)`.

        Returns:
            u . v + b, float `(batch, ..., vocabulary_size)`.
        """
        scores = self._all_products(vectors)
        if self.bias is None:
            return scores
        return scores + ops.cast(self.bias, scores.dtype)

    def probabilities(self, vectors):
        """Returns the probability of every word.

        Args:
            vectors: float `(batch, ..., size)`.

        Returns:
            Float `(batch, ..., vocabulary_size)`, of sum 1.
        """
        return ops.softmax(self.scores(vectors), axis=-1)

    def get_config(self):
        """Returns the arguments."""
        return {**super().get_config(), "use_bias": self.use_bias}


def _check_embedding(layer, words: int) -> None:
    """Raises unless a layer is an embedding of so many words.

    Raises:
        ConfigError: it is another layer, or of other words.
    """
    if not isinstance(layer, keras.layers.Embedding):
        raise ConfigError(
            "`tied_to` must be a keras.layers.Embedding. Received: "
            f"{layer!r} (of type {type(layer).__name__})."
        )
    if layer.input_dim != words:
        raise ConfigError(
            f"`tied_to` must be an embedding of {words} words, as many as "
            f'`vocabulary_size`. "{layer.name}" has {layer.input_dim}.'
        )
