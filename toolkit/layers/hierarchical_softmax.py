"""Finding a word by a few decisions, fewer for frequent ones."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from toolkit.errors import ConfigError
from toolkit.layers._word_losses import WordLosses, constant, counts_config
from toolkit.layers.huffman_tree import huffman_tree
from toolkit.whole_numbers import is_whole


@keras.saving.register_keras_serializable("toolkit")
class HierarchicalSoftmax(WordLosses):
    """Loss of finding a word by the decisions on its path through a tree.

    ```
    P(w | v) = product over the path of w of sigmoid(s_j u_j . v)
    loss = -log P(t | v)             v: a vector    t: its target
                                     j: an inner node
                                     s_j: 1 where the code is 0, otherwise -1
    ```

    The probabilities of all words sum to 1 without being computed. Frequent
    words have the shortest paths: the tree is Huffman's. The mean of the
    losses is added to those of the model, which is therefore compiled without
    a loss.

    Args:
        vocabulary_size: number of words, at least 2.
        counts: `(vocabulary_size,)`, how often each word occurs; by default
            all equally often. The tree is kept as a weight, and counts are
            not in the config. There, `"weights"` stands for them: a layer
            that is made from it must be given weights before it is used.
        kernel_initializer: of the vectors u of the tree's inner nodes.
        depth: length of the longest path, needed with `counts="weights"`
            only; otherwise the tree's.
        **options: as for `keras.layers.Layer`.

    Attributes:
        kernel: u, `(vocabulary_size - 1, size)`.
        paths: int64 `(vocabulary_size, depth)`, `s_j (j + 1)` from the root to
            each word, then zeros.

    Call arguments:
        inputs: a pair of vectors, float `(batch, ..., size)`, and targets, int
            `(batch, ...)`, below `vocabulary_size`. Targets below 0 are
            padding: they cost nothing and do not count in the mean. Or
            vectors alone.
        mask: masks of both, `(batch, ...)`, or None; what is masked is
            padding.
        training: whether the layer is trained, and so must have a tree.

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
    >>> from toolkit.layers import HierarchicalSoftmax
    >>> centre = keras.Input((), dtype="int32")
    >>> context = keras.Input((), dtype="int32")
    >>> objective = HierarchicalSoftmax(4, counts=[8, 3, 2, 1])
    >>> losses = objective([keras.layers.Embedding(4, 8)(centre), context])
    >>> model = keras.Model([centre, context], losses)
    >>> model.compile("adam")
    >>> pairs = [np.arange(400) % 4, (np.arange(400) + 1) % 4]
    >>> history = model.fit(pairs, epochs=3, verbose=0).history["loss"]
    >>> history[2] < history[0]
    True
    >>> objective.probabilities(np.zeros((1, 8))).numpy()
    array([[0.5  , 0.25 , 0.125, 0.125]], dtype=float32)

    Source: F. Morin, Y. Bengio: Hierarchical probabilistic neural network
    language model (2005), section 3; T. Mikolov, I. Sutskever, K. Chen, G.
    Corrado, J. Dean: Distributed representations of words and phrases and
    their compositionality (2013), equation 3, for the tree of Huffman.
    """

    def __init__(
        self,
        vocabulary_size: int,
        counts=None,
        kernel_initializer="zeros",
        depth: int | None = None,
        **options,
    ):
        super().__init__(vocabulary_size, kernel_initializer, **options)
        self.counts = self._check_counts(counts)
        if isinstance(self.counts, str):
            if not is_whole(depth, 1):
                raise ConfigError(
                    '`counts="weights"` stands for counts in a config, where '
                    "`depth` goes with it. Give the counts themselves. "
                    f"Received: depth={depth!r}."
                )
            self._paths = np.zeros((self.vocabulary_size, depth), np.int8)
        elif depth is not None:
            raise ConfigError(
                "`depth` is that of the tree of the counts. Leave it out. "
                f"Received: depth={depth!r}."
            )
        else:
            self._paths = _signed_paths(
                np.ones(self.vocabulary_size, np.int64)
                if self.counts is None
                else self.counts
            )
        self.depth = self._paths.shape[1]

    @property
    def _rows(self) -> int:
        return self.vocabulary_size - 1

    def build(self, input_shape):
        """Makes the kernel and the tree."""
        super().build(input_shape)
        # int64, because compiled graphs cannot read int32 weights on a GPU.
        self.paths = self.add_weight(
            name="paths",
            shape=self._paths.shape,
            dtype="int64",
            initializer=constant(self._paths),
            trainable=False,
        )
        self._paths = None

    def _losses_of(self, inputs, mask, training):
        """Returns the losses."""
        if training:
            self._check_loaded(self.paths, "the tree is")
        vectors, targets, valid = self._split(inputs, mask)
        paths = ops.take(self.paths, targets, axis=0)
        scores = self._products(vectors, _nodes(paths))
        return self._finish(ops.sum(_costs(paths, scores), axis=-1), valid)

    def probabilities(self, vectors):
        """Returns the probability of every word.

        Args:
            vectors: float `(batch, ..., size)`.

        Returns:
            Float `(batch, ..., vocabulary_size)`, of sum 1.
        """
        return ops.exp(self.scores(vectors))

    def scores(self, vectors):
        """Returns the logarithm of the probability of every word.

        Args:
            vectors: float `(batch, ..., size)`.

        Returns:
            Float `(batch, ..., vocabulary_size)`, in nats.
        """
        self._check_loaded(self.paths, "the tree is")
        scores = self._all_products(vectors)
        costs = 0.0
        for place in range(self.depth):
            paths = self.paths[:, place]
            at_node = ops.take(scores, _nodes(paths), axis=-1)
            costs = costs + _costs(paths, at_node)
        return -costs

    def get_config(self):
        """Returns the arguments; of counts, only whether there are some."""
        return {
            **super().get_config(),
            "counts": counts_config(self.counts),
            "depth": None if self.counts is None else self.depth,
        }


def _signed_paths(counts: np.ndarray) -> np.ndarray:
    tree = huffman_tree(counts)
    signs = 1 - 2 * tree.codes
    signs[np.arange(signs.shape[1]) >= tree.lengths[:, None]] = 0
    return (tree.points + 1) * signs


def _nodes(paths):
    """Returns the inner nodes of signed paths; behind their ends, node 0."""
    return ops.maximum(ops.abs(paths) - 1, 0)


def _costs(paths, scores):
    """Returns the cost of every decision; behind the ends of paths, 0."""
    signs = ops.cast(ops.sign(paths), scores.dtype)
    return ops.abs(signs) * ops.softplus(-signs * scores)
