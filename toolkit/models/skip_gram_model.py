"""The Keras model behind `skip_gram`."""

from __future__ import annotations

from numbers import Real

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import ConfigError, unknown
from toolkit.layers import FullSoftmax, HierarchicalSoftmax, NegativeSampling
from toolkit.models.sizes import check_sizes
from toolkit.training.skip_gram.fast_path import FastPath
from toolkit.training.skip_gram.full_softmax import FullSoftmaxSteps
from toolkit.training.skip_gram.hierarchical_softmax import (
    HierarchicalSoftmaxSteps,
)
from toolkit.training.skip_gram.negative_sampling import NegativeSamplingSteps
from toolkit.training.skip_gram.stretches import (
    keep_probabilities,
    pairs_of,
    subsample,
)
from toolkit.whole_numbers import check_whole

OBJECTIVES = ("negative_sampling", "hierarchical_softmax", "softmax")
LEARNING_RATE = 0.025  # gensim's
BLOCK = 65_536  # words
# Every pair moves the nodes near the root of the tree, so workers have to
# meet more often.
BLOCK_OF_TREE = 8_192
PIECE = 1024  # words whose pairs are held at the same time in evaluation


@keras.saving.register_keras_serializable("toolkit")
class SkipGram(keras.Model):
    """What `skip_gram` builds; see there.

    Args:
        vocabulary_size: number of words.
        vector_size: as for `skip_gram`.
        objective: as for `skip_gram`.
        window: as for `skip_gram`.
        negative: as for `skip_gram`.
        ns_exponent: as for `skip_gram`.
        sample: as for `skip_gram`.
        workers: as for `skip_gram`.
        seed: as for `skip_gram`.
        counts: as for `skip_gram`; kept as a weight. A model that is loaded
            has them from its file.
        tree_depth: of the hierarchical softmax, where there are no counts.
        **options: as for `keras.Model`.

    Attributes:
        embedding: the `keras.layers.Embedding` of the vectors v.
        objective_layer: the layer that holds u.
        counts: int64 `(words,)`.
        block_words: the largest blocks that the fast path should be given.
    """

    def __init__(
        self,
        vocabulary_size: int,
        vector_size: int = 100,
        objective: str = "negative_sampling",
        *,
        window: int = 5,
        negative: int = 5,
        ns_exponent: float = 0.75,
        sample: float = 1e-3,
        workers: int = 2,
        seed: int = 0,
        counts=None,
        tree_depth: int | None = None,
        **options,
    ):
        super().__init__(**options)
        if objective not in OBJECTIVES:
            raise ConfigError(unknown("objective", objective, OBJECTIVES))
        if objective == "negative_sampling":
            check_whole(
                "negative",
                negative,
                1,
                "Without negatives, take another `objective`: "
                "hierarchical_softmax, or softmax.",
            )
        for key, value in (("ns_exponent", ns_exponent), ("sample", sample)):
            number = isinstance(value, Real) and np.isfinite(value)
            if not number or (key == "sample" and value < 0):
                raise ConfigError(
                    f"`{key}` must be a finite number"
                    f"{', at least 0' * (key == 'sample')}. Received: "
                    f"{key}={value!r}."
                )
        sizes = check_sizes(
            numbers={
                "vocabulary_size": vocabulary_size,
                "vector_size": vector_size,
                "window": window,
                "workers": workers,
            }
        )
        self.vocabulary_size, self.vector_size, self.window, self.workers = (
            sizes
        )
        self.objective = objective
        self.negative = negative
        self.ns_exponent = ns_exponent
        self.sample = sample
        self.seed = seed
        given = counts if counts is not None else "weights"
        half = 0.5 / self.vector_size
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size,
            self.vector_size,
            embeddings_initializer=keras.initializers.RandomUniform(
                -half, half, seed=seed
            ),
            name="embedding",
        )
        self.objective_layer = self._layer(given, tree_depth)
        self._counts = counts
        self._shortcut: FastPath | None = None
        self._fast = True
        self._mean_loss = keras.metrics.Mean(name="loss")

    def _layer(self, counts, depth) -> keras.layers.Layer:
        size = self.vocabulary_size
        if self.objective == "negative_sampling":
            return NegativeSampling(
                size,
                self.negative,
                counts,
                self.ns_exponent,
                seed=self.seed,
                name="negative_sampling",
            )
        if self.objective == "hierarchical_softmax":
            return HierarchicalSoftmax(
                size, counts, depth=depth, name="hierarchical_softmax"
            )
        return FullSoftmax(size, name="softmax")

    def build(self, input_shape=None):
        """Makes both tables."""
        if self.built:
            return
        self.embedding.build((None,))
        self.objective_layer.build([(None, self.vector_size), (None,)])
        counts = self._counts
        self.counts = self.add_weight(
            name="counts",
            shape=(self.vocabulary_size,),
            dtype="int64",
            initializer="zeros"
            if counts is None
            else lambda shape, dtype=None: tf.constant(counts, dtype),
            trainable=False,
        )
        self.built = True

    def call(self, inputs):
        """Returns vectors of word numbers."""
        return self.embedding(inputs)

    @property
    def metrics(self):
        """The mean loss of a pair, in nats."""
        return [self._mean_loss]

    @property
    def block_words(self) -> int:
        """The largest blocks that the fast path should be given, in words."""
        tree = self.objective == "hierarchical_softmax"
        return BLOCK_OF_TREE if tree else BLOCK

    def compile(self, optimizer=None, fast: bool | None = None, **options):
        """Chooses how the model is trained.

        Args:
            optimizer: by default plain SGD with learning rate 0.025.
            fast: whether to take the fast path, which only plain SGD has; by
                default where it can.
            **options: as for `keras.Model.compile`; no loss, no metrics.

        Raises:
            ConfigError: the fast path with another optimizer, or a loss.
        """
        for name in ("loss", "metrics", "loss_weights", "weighted_metrics"):
            if options.get(name) is not None:
                raise ConfigError(
                    f"A skip-gram model has its own loss and takes no "
                    f"`{name}`. Choose `objective` when building it."
                )
        if options.get("jit_compile") is True:
            raise ConfigError(
                "`jit_compile=True` cannot be used with a skip-gram model: "
                "blocks have different numbers of pairs. The fast path "
                "compiles what it can by itself."
            )
        if optimizer is None:
            optimizer = keras.optimizers.SGD(LEARNING_RATE)
        optimizer = keras.optimizers.get(optimizer)
        plain = is_plain_sgd(optimizer)
        if fast and not plain:
            raise ConfigError(
                "The fast path knows plain SGD only: no momentum, weight "
                "decay, clipping, averaging. Received: "
                f"{type(optimizer).__name__}. Leave out `fast`."
            )
        self._fast = plain if fast is None else bool(fast)
        super().compile(optimizer=optimizer, **options, jit_compile=False)

    def get_compile_config(self):
        """Returns optimizer and path, to be kept in a file."""
        if not self.compiled:
            return None
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "fast": self._fast,
        }

    def compile_from_config(self, config):
        """Compiles a model that was loaded from a file."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def train_step(self, data):
        """Trains on a block of text.

        Args:
            data: word numbers, int `(block,)`; below 0 between sentences.
        """
        ids = _block(data)
        seed = self._seed(self.optimizer.iterations)
        if self._fast:
            loss, pairs = self._fast_path()(
                (self.embedding.embeddings.value, self._kernel.value),
                ids,
                seed,
                tf.cast(self.optimizer.learning_rate, tf.float32),
            )
            self.optimizer.iterations.assign_add(1)
        else:
            with tf.GradientTape() as tape:
                loss, pairs = self._measure(ids, seed, training=True)
            variables = self.trainable_variables
            gradients = tape.gradient(loss, variables)
            self.optimizer.apply(gradients, variables)
        self._mean_loss.update_state(
            tf.math.divide_no_nan(loss, pairs), sample_weight=pairs
        )
        return {"loss": self._mean_loss.result()}

    def test_step(self, data):
        """Measures the loss on a block of text, with draws of its own."""
        ids = _block(data)
        rest = -ids.shape[0] % PIECE
        ids = tf.pad(ids, [[0, rest]], constant_values=-1)
        losses, counts = tf.map_fn(
            lambda k: self._measure(
                ids[k * PIECE : (k + 1) * PIECE], self._seed(-1 - k)
            ),
            tf.range(ids.shape[0] // PIECE),
            fn_output_signature=(tf.float32, tf.float32),
            parallel_iterations=1,
        )
        loss, pairs = tf.reduce_sum(losses), tf.reduce_sum(counts)
        self._mean_loss.update_state(
            tf.math.divide_no_nan(loss, pairs), sample_weight=pairs
        )
        return {"loss": self._mean_loss.result()}

    @property
    def _kernel(self):
        return self.objective_layer.kernel

    def _seed(self, step) -> tf.Tensor:
        return tf.stack(
            [tf.constant(self.seed, tf.int64), tf.cast(step, tf.int64)]
        )

    def _measure(self, ids, seed, training=False):
        """Returns the summed loss of a block and its number of pairs."""
        with tf.init_scope():
            keep = keep_probabilities(self.counts.numpy(), self.sample)
        stretch = subsample(ids, tf.constant(keep), self.window, seed)
        centres, contexts = pairs_of(stretch, self.window)
        losses = self.objective_layer(
            (self.embedding(centres), contexts), training=training
        )
        return tf.reduce_sum(losses), tf.cast(tf.size(losses), tf.float32)

    def _fast_path(self) -> FastPath:
        if self._shortcut is None:
            options = {"size": self.vector_size, "window": self.window}
            if self.objective == "negative_sampling":
                kind = NegativeSamplingSteps
                options |= {
                    "negative": self.negative,
                    "ns_exponent": self.ns_exponent,
                }
            elif self.objective == "hierarchical_softmax":
                kind = HierarchicalSoftmaxSteps
            else:
                kind = FullSoftmaxSteps
            with tf.init_scope():
                self._shortcut = FastPath(
                    self.counts.numpy(),
                    lambda counts, frequency: kind(
                        counts, frequency, **options
                    ),
                    window=self.window,
                    sample=self.sample,
                    workers=self.workers,
                )
        return self._shortcut

    def get_config(self):
        """Returns the arguments, without the counts."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "vector_size": self.vector_size,
            "objective": self.objective,
            "window": self.window,
            "negative": self.negative,
            "ns_exponent": self.ns_exponent,
            "sample": self.sample,
            "workers": self.workers,
            "seed": self.seed,
            "tree_depth": getattr(self.objective_layer, "depth", None),
        }


def is_plain_sgd(optimizer: keras.optimizers.Optimizer) -> bool:
    """Returns whether an optimizer does nothing but `w -= rate * gradient`."""
    return type(optimizer) is keras.optimizers.SGD and not (
        optimizer.momentum
        or optimizer.weight_decay
        or optimizer.clipnorm
        or optimizer.clipvalue
        or optimizer.global_clipnorm
        or optimizer.use_ema
        or optimizer.loss_scale_factor
        or (optimizer.gradient_accumulation_steps or 1) > 1
    )


def _block(data) -> tf.Tensor:
    """Returns the only tensor of what `fit` hands over."""
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    blocks = x.shape.rank == 1 and x.shape[0] is not None
    if y is not None or weights is not None or not blocks:
        shapes = keras.tree.map_structure(
            lambda part: getattr(part, "shape", part), data
        )
        raise ConfigError(
            "A skip-gram model is trained on blocks of word numbers, int "
            "(block,), all of one size, without targets or weights; "
            "`data.text_block_batches` makes them of a text. Received: "
            f"{shapes}."
        )
    return tf.cast(x, tf.int32)
