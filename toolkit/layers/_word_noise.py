"""Words drawn at random, beside those that are meant."""

from __future__ import annotations

from numbers import Real

import keras
import numpy as np
from keras import ops

from toolkit.errors import ConfigError
from toolkit.layers._word_losses import WordLosses, constant, counts_config
from toolkit.layers.alias_tables import alias_tables

SEEDS = (1, 2)  # of the words that are drawn when nothing is trained


class WordNoise(WordLosses):
    """Layer of losses that draws words, `P(n) ~ counts[n]^ns_exponent`.

    Args:
        vocabulary_size: number of words, at least 2.
        counts: `(vocabulary_size,)`, how often each word occurs; None for
            equally often; "weights" where the tables come with the weights.
        ns_exponent: as for `NegativeSampling`.
        seed: of the draws in training; by default another one every time.
        **options: as for `WordLosses`.

    Attributes:
        seed_generator: the `keras.random.SeedGenerator` of the draws.

    Raises:
        ConfigError: an argument outside its range, counts of other words.
    """

    def __init__(
        self,
        vocabulary_size: int,
        counts=None,
        ns_exponent: float = 0.75,
        seed: int | None = None,
        **options,
    ):
        super().__init__(vocabulary_size, **options)
        if not isinstance(ns_exponent, Real) or not np.isfinite(ns_exponent):
            raise ConfigError(
                "`ns_exponent` must be a finite number. Received: "
                f"ns_exponent={ns_exponent!r}."
            )
        self.counts = self._check_counts(counts)
        self.ns_exponent = float(ns_exponent)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        if isinstance(self.counts, np.ndarray):
            noise_weights(self.counts, self.ns_exponent)

    @property
    def _chances(self) -> np.ndarray | None:
        """What the words' chances are in proportion to; None if not known."""
        if isinstance(self.counts, np.ndarray):
            return noise_weights(self.counts, self.ns_exponent)
        if self.counts is None:
            return np.ones(self.vocabulary_size)
        return None

    def build(self, input_shape):
        """Makes the kernel and the tables that words are drawn with."""
        super().build(input_shape)
        words = self.vocabulary_size
        chances = self._chances
        threshold, alias = (
            (np.zeros(words), np.arange(words))
            if chances is None
            else alias_tables(chances)
        )
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
        """Returns words drawn at random.

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

    def _check_noise(self) -> None:
        """Raises for a layer from a config that lacks the distribution."""
        self._check_loaded(self.threshold, "the distribution of words is")

    def get_config(self):
        """Returns the arguments; of counts, only whether there are some."""
        return {
            **super().get_config(),
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
