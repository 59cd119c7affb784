"""Telling a word from a sample that stands for all others."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from toolkit.layers._word_losses import constant
from toolkit.layers._word_noise import WordNoise
from toolkit.layers.full_softmax import FullSoftmax
from toolkit.whole_numbers import check_whole

TINY = 1e-30  # a chance that is none, for its logarithm
EXCLUDED = -1e9  # the score of a word that is drawn and is the target itself


@keras.saving.register_keras_serializable("toolkit")
class SampledSoftmax(WordNoise, FullSoftmax):
    """Loss of predicting a word of a large vocabulary, cheap in training.

    ```
    s_w = u_w . v + b_w                      v: a vector    t: its target
    loss = log(exp(s_t) + sum over n of exp(s_n) / (sampled P(n))) - s_t
    n: `sampled` words, drawn once for the whole batch, but not t
    P(n) = counts[n]^ns_exponent / sum over w of counts[w]^ns_exponent
    ```

    The sum is an unbiased estimate of what all other words add to the full
    softmax, so the loss is about that of `FullSoftmax`, and its gradient
    moves few rows. As all vectors of a batch share the drawn words, their
    scores are one matrix product. In inference, and so in `evaluate`, the
    loss is the exact one, and the scores are those of all words.

    Args:
        vocabulary_size: number of words, at least 2.
        sampled: words drawn for a batch, at least 1: the more, the closer to
            the full softmax. Some thousands for a vocabulary of ten thousands.
        counts: as for `NegativeSampling`.
        ns_exponent: as for `NegativeSampling`.
        kernel_initializer: of the words' vectors u.
        use_bias: as for `FullSoftmax`.
        tied_to: as for `FullSoftmax`.
        seed: of the draws in training; by default another one every time.
        **options: as for `keras.layers.Layer`.

    Attributes:
        kernel: u, `(vocabulary_size, size)`.
        bias: b, `(vocabulary_size,)`, or None.
        seed_generator: the `keras.random.SeedGenerator` of the draws.

    Call arguments:
        inputs: a pair of vectors, float `(batch, ..., size)`, and targets, int
            `(batch, ...)`, below `vocabulary_size`. Targets below 0 are
            padding: they cost nothing and do not count in the mean. Or
            vectors alone.
        mask: masks of both, `(batch, ...)`, or None; what is masked is
            padding.
        training: whether a sample stands for all words.

    Returns:
        Losses, float `(batch, ...)`, in nats; of vectors alone, the `scores`
        of all words, float `(batch, ..., vocabulary_size)`.

    Raises:
        ConfigError: an argument outside its range, counts of other words,
            inputs that are no such pair, an embedding that is not built or
            does not fit.

    Masking: takes the masks of vectors and targets, passes none on.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from toolkit.layers import SampledSoftmax
    >>> tokens = keras.Input((None,), dtype="int32")
    >>> targets = keras.Input((None,), dtype="int32")
    >>> embedding = keras.layers.Embedding(50, 8)
    >>> x = keras.layers.GRU(8, return_sequences=True)(embedding(tokens))
    >>> output = SampledSoftmax(50, 10, use_bias=True, tied_to=embedding)
    >>> training = keras.Model([tokens, targets], output([x, targets]))
    >>> training.compile("adam")
    >>> text = np.arange(2001)[None].repeat(4, axis=0) % 50
    >>> done = training.fit([text[:, :-1], text[:, 1:]], verbose=0)
    >>> keras.Model(tokens, output(x)).output_shape
    (None, None, 50)

    Source: Y. Bengio, J.-S. Senecal: Adaptive importance sampling to
    accelerate training of a neural probabilistic language model (2008);
    S. Jean, K. Cho, R. Memisevic, Y. Bengio: On using very large target
    vocabulary for neural machine translation (2015).
    """

    def __init__(
        self,
        vocabulary_size: int,
        sampled: int = 1024,
        counts=None,
        ns_exponent: float = 0.75,
        kernel_initializer="zeros",
        use_bias: bool = False,
        tied_to: keras.layers.Embedding | None = None,
        seed: int | None = None,
        **options,
    ):
        super().__init__(
            vocabulary_size,
            counts,
            ns_exponent,
            seed,
            kernel_initializer=kernel_initializer,
            use_bias=use_bias,
            tied_to=tied_to,
            **options,
        )
        self.sampled = check_whole(
            "sampled", sampled, 1, "Without a sample, use FullSoftmax."
        )

    def build(self, input_shape):
        """Makes the kernel, b, and what words are drawn with."""
        super().build(input_shape)
        chances = self._chances
        self.log_chances = self.add_weight(
            name="log_chances",
            shape=(self.vocabulary_size,),
            initializer="zeros"
            if chances is None
            else constant(np.log(chances / chances.sum() + TINY)),
            trainable=False,
            autocast=False,
        )

    def _losses_of(self, inputs, mask, training):
        """Returns the losses."""
        if not training:
            return super()._losses_of(inputs, mask, training)
        self._check_noise()
        vectors, targets, valid = self._split(inputs, mask)
        targets = ops.expand_dims(ops.cast(targets, "int64"), -1)
        drawn = self.draw((self.sampled,), training)
        own = self._products(vectors, targets)
        rows = ops.cast(
            ops.take(self._word_vectors, drawn, 0), self.compute_dtype
        )
        others = ops.cast(ops.matmul(vectors, ops.transpose(rows)), self._exact)
        others -= ops.take(self.log_chances, drawn, 0) + ops.log(
            float(self.sampled)
        )
        if self.bias is not None:
            own += ops.cast(ops.take(self.bias, targets, 0), own.dtype)
            others += ops.cast(ops.take(self.bias, drawn, 0), own.dtype)
        others = ops.where(ops.equal(drawn, targets), EXCLUDED, others)
        scores = ops.concatenate([own, others], axis=-1)
        losses = ops.logsumexp(scores, axis=-1) - own[..., 0]
        return self._finish(losses, valid)

    def get_config(self):
        """Returns the arguments; of counts, only whether there are some."""
        return {**super().get_config(), "sampled": self.sampled}
