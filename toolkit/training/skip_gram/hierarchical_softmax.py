"""Hierarchical softmax: hundreds of steps in one compiled loop."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from toolkit.layers.huffman_tree import huffman_tree
from toolkit.training.skip_gram.guard import shortened, squares
from toolkit.training.skip_gram.negative_sampling import pair_mask
from toolkit.training.skip_gram.sizes import CHUNK
from toolkit.training.skip_gram.stretches import Stretch, laid_out
from toolkit.training.skip_gram.updates import LOSS_EVERY, Work, compiled

GRID = 64  # nodes of a step are compiled for multiples of this


class HierarchicalSoftmaxSteps:
    """Steps of gradient descent on the loss of the hierarchical softmax.

    A step takes 16 neighbouring words. The paths from the root of the tree to
    these words share many nodes, so all words around are scored against the
    different nodes in one matrix product. How often a word meets a node, and
    how often the path turns left there, are two more products:

    ```
    loss = sum over words v, nodes n:  left * -log sigmoid(n . v)
                                     + right * -log sigmoid(-n . v)
    ```

    Args:
        counts: how often each word comes in the text, `(words,)`.
        frequency: of each word in the subsampled text, sum 1.
        size: of a vector.
        window: largest distance of a pair.

    Attributes:
        centres: words of a step.
        loop: the compiled loop, see `updates`.
    """

    centres = CHUNK

    def __init__(
        self,
        counts: np.ndarray,
        frequency: np.ndarray,
        *,
        size: int,
        window: int,
    ):
        self.frequency = frequency
        self.size, self.window = size, window
        points, codes, lengths = huffman_tree(counts)
        inside = np.arange(points.shape[1])[None] < lengths[:, None]
        words = np.repeat(np.arange(len(lengths)), lengths)
        nodes, signs = points[inside], 1.0 - 2.0 * codes[inside]
        self.passing = np.bincount(nodes, frequency[words], len(lengths) - 1)
        self.nodes = tf.constant(nodes, tf.int32)
        self.signs = tf.constant(signs, tf.float32)
        self.lengths = tf.constant(lengths, tf.int32)
        self.starts = tf.constant(np.cumsum(lengths) - lengths, tf.int32)
        self.loop = compiled(self._step, size)

    def uses(self, words: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns how often a stretch uses each row of the two tables.

        Args:
            words: of the stretch, after subsampling.
        """
        return words * self.frequency, words * self.passing

    def pulls(self, words: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many pairs of a stretch pull at each row."""
        pairs = words * (self.window + 1)
        return pairs * self.frequency, pairs * self.passing

    def work(self, stretch: Stretch, most: int, seed: tf.Tensor) -> Work:
        """Returns what the loop reads.

        Args:
            stretch: of text.
            most: steps that the longest stretch takes.
            seed: not used; nothing is drawn.
        """
        del seed
        words = tf.size(stretch.tokens)
        rows, tokens = tf.unique(stretch.tokens)

        # Every word with every node on its path
        lengths = tf.gather(self.lengths, stretch.tokens)
        places = tf.repeat(tf.range(words), lengths)
        along = tf.range(tf.size(places)) - tf.gather(
            tf.cumsum(lengths, exclusive=True), places
        )
        along += tf.gather(self.starts, tf.gather(stretch.tokens, places))
        steps = tf.cast(places // CHUNK, tf.int64)
        nodes = tf.cast(tf.gather(self.nodes, along), tf.int64)

        # Each node once a step; they come step by step
        different = tf.cast(tf.size(self.lengths), tf.int64)
        keys, which = tf.unique(steps * different + nodes)
        step_of = tf.cast(keys // different, tf.int32)
        count = tf.math.bincount(step_of, minlength=most, maxlength=most)
        slots = tf.range(tf.size(keys)) - tf.gather(
            tf.cumsum(count, exclusive=True), step_of
        )
        width = GRID * -(-tf.maximum(tf.reduce_max(count), 1) // GRID)
        node_rows, local = tf.unique(tf.cast(keys % different, tf.int32))
        table = tf.scatter_nd(
            tf.stack([step_of, slots], 1), local, (most, width)
        )
        signs = tf.scatter_nd(
            tf.stack(
                [
                    tf.cast(steps, tf.int32),
                    places % CHUNK,
                    tf.gather(slots, which),
                ],
                1,
            ),
            tf.gather(self.signs, along),
            tf.stack([most, CHUNK, width]),
        )
        return Work(
            rows,
            node_rows,
            -(-words // CHUNK),
            (
                *laid_out(
                    stretch._replace(tokens=tokens),
                    most * CHUNK,
                    self.window,
                ),
                table,
                signs,
            ),
        )

    def _step(
        self,
        i,
        inputs,
        outputs,
        rate,
        tokens,
        sentences,
        radius,
        table,
        signs,
    ):
        start, width = i * CHUNK, CHUNK + 2 * self.window
        around = tf.slice(tokens, [start], [width])
        mask = pair_mask(
            tf.slice(sentences, [start], [width])[None],
            tf.slice(radius, [start], [CHUNK]),
            self.window,
        )[0]
        nodes, signs = table[i], signs[i]
        meets = tf.matmul(mask, tf.abs(signs), transpose_a=True)
        turns = tf.matmul(mask, signs, transpose_a=True)
        left = (meets + turns) / 2.0

        v = tf.gather(inputs, around)
        u = tf.gather(outputs, nodes)
        scores = tf.matmul(v, u, transpose_b=True)
        pull = (left - meets * tf.sigmoid(scores)) * rate
        move_v = tf.matmul(pull, u)
        move_u = tf.matmul(pull, v, transpose_a=True)

        times = tf.cast(around[:, None] == around[None, :], tf.float32)
        times = tf.reduce_sum(times, 0)[:, None]
        size = tf.abs(pull)
        change_v = tf.matmul(size, squares(u)) * times
        change_u = tf.matmul(size, squares(v), transpose_a=True)
        inputs = tf.tensor_scatter_nd_add(
            inputs, around[:, None], move_v * shortened(change_v)
        )
        outputs = tf.tensor_scatter_nd_add(
            outputs, nodes[:, None], move_u * shortened(change_u)
        )

        def measured():
            right = meets - left
            loss = left * tf.nn.softplus(-scores)
            loss += right * tf.nn.softplus(scores)
            return tf.reduce_sum(loss), tf.reduce_sum(mask)

        loss, count = tf.cond(i % LOSS_EVERY == 0, measured, lambda: (0.0, 0.0))
        return inputs, outputs, loss, count
