"""Hierarchical softmax: hundreds of steps in one compiled loop."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from toolkit.layers.huffman_tree import huffman_tree
from toolkit.training.skip_gram.guard import shortened, squares
from toolkit.training.skip_gram.negative_sampling import pair_mask
from toolkit.training.skip_gram.stretches import Stretch, laid_out
from toolkit.training.skip_gram.updates import LOSS_EVERY, Work, compiled

CENTRES = 8  # of a step
NODES = 96  # of a step
# A word has a score at each of the nodes above it, so its row may go further
# than in negative sampling.
REACH = 6.0
# How far a step looks ahead: words for the moves of nodes, nodes for the moves
# of words. 0.5 each would be the mean of before and after.
WORDS_AHEAD, NODES_AHEAD = 0.75, 0.5
DAMPING = 0.25  # of the way ahead, for a change of the scores by 1


class HierarchicalSoftmaxSteps:
    """Steps of gradient descent on the loss of the hierarchical softmax.

    A step takes 8 neighbouring words. The paths from the root of the tree to
    these words share many nodes, so all words around are scored against up to
    96 different nodes in one matrix product; where there are more, another
    step takes the rest. How often a word meets a node, and
    how often the path turns left there, are two more products:

    ```
    loss = sum over words v, nodes n:  left * -log sigmoid(n . v)
                                     + right * -log sigmoid(-n . v)
    ```

    Were the pairs to come one after another, a word would meet nodes that
    earlier pairs had moved already, and a node such words. A step would lose
    what they gain from that, which is most of its handicap against single
    pairs. So each table is moved along the other one as it is some way into
    the step; rows that the step moves far stay nearer to where they were.

    Args:
        counts: how often each word comes in the text, `(words,)`.
        frequency: of each word in the subsampled text, sum 1.
        size: of a vector.
        window: largest distance of a pair.

    Attributes:
        centres: words of a step.
        loop: the compiled loop, see `updates`.
    """

    centres = CENTRES

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
        tree = huffman_tree(counts)
        inside = np.arange(tree.points.shape[1])[None] < tree.lengths[:, None]
        signs = np.where(inside, 1.0 - 2.0 * tree.codes, 0.0)
        words = np.repeat(np.arange(len(counts)), tree.lengths)
        self.passing = np.bincount(
            tree.points[inside], frequency[words], len(counts) - 1
        )
        # Words in the order of the leaves, from left to right
        leaves = np.lexsort(signs.T[::-1])
        self.rank = tf.constant(np.argsort(leaves), tf.int32)
        self.points = tf.constant(tree.points, tf.int32)
        self.signs = tf.constant(signs, tf.float32)
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

        # Paths of the words of each chunk, which come from left to right in
        # the tree: a node is new unless the word before has it.
        whole = tf.pad(
            stretch.tokens, [[0, most * CENTRES - words]], constant_values=-1
        )
        whole = tf.reshape(whole, (most, CENTRES))
        paths, turns = self._paths(whole)
        rank = tf.gather(self.rank, tf.maximum(whole, 0))
        order = tf.argsort(tf.where(whole >= 0, rank, len(self.frequency)))
        points, signs = self._paths(tf.gather(whole, order, batch_dims=1))
        inside = signs != 0
        shared = inside[:, 1:] & inside[:, :-1]
        shared &= points[:, 1:] == points[:, :-1]
        new = inside & ~tf.pad(shared, [[0, 0], [1, 0], [0, 0]])
        found = tf.where(new)
        nodes = tf.gather_nd(points, found)
        used = tf.scatter_nd(
            nodes[:, None], tf.ones_like(nodes), [len(self.passing)]
        )
        node_rows = tf.cast(tf.where(used)[:, 0], tf.int32)
        local = tf.gather(tf.cumsum(tf.minimum(used, 1)) - 1, nodes)

        # A chunk with more nodes than fit takes several steps.
        count = tf.reduce_sum(tf.cast(new, tf.int32), (1, 2))
        parts = -(-count // NODES)
        steps = tf.reduce_sum(parts)
        unit = -(-most // 4)
        room = unit * tf.maximum(-(-steps // unit), 1)
        chunk_at = tf.repeat(tf.range(most), parts)
        part = tf.range(steps) - tf.gather(
            tf.cumsum(parts, exclusive=True), chunk_at
        )
        slots = part[:, None] * NODES + tf.range(NODES)
        taken = slots < tf.gather(count, chunk_at)[:, None]
        slots += tf.gather(tf.cumsum(count, exclusive=True), chunk_at)[:, None]
        slots = tf.where(taken, slots, 0)

        def laid(values, empty):
            values = tf.pad(
                values, [[0, tf.cast(tf.equal(words, 0), tf.int32)]]
            )
            values = tf.where(taken, tf.gather(values, slots), empty)
            return tf.pad(values, [[0, room - steps], [0, 0]])

        return Work(
            rows,
            node_rows,
            steps,
            (
                *laid_out(
                    stretch._replace(tokens=tokens),
                    most * CENTRES,
                    self.window,
                ),
                tf.cast(paths, tf.float32),
                turns,
                tf.pad(chunk_at, [[0, room - steps]]),
                laid(local, 0),
                tf.cast(laid(nodes, -1), tf.float32),
                laid(tf.cast(found[:, 2], tf.int32), 0),
            ),
        )

    def _paths(self, words):
        """Returns the nodes above some words and where the paths turn.

        Args:
            words: int `(..., words)`; below 0 where there is none.

        Returns:
            int32 and float32 `(..., words, depth)`: nodes, and 1 for left,
            -1 for right and 0 behind the end.
        """
        there = tf.cast(words >= 0, tf.float32)[..., None]
        words = tf.maximum(words, 0)
        return (
            tf.gather(self.points, words),
            tf.gather(self.signs, words) * there,
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
        paths,
        turns,
        chunk_at,
        table,
        nodes,
        depths,
    ):
        # Slices whose places come from an argument would be compiled anew
        # for every value of it; gathers are not.
        chunk = tf.gather(chunk_at, i)
        start, width = chunk * CENTRES, CENTRES + 2 * self.window
        reach = start + tf.range(width)
        around = tf.gather(tokens, reach)
        mask = pair_mask(
            tf.gather(sentences, reach)[None],
            tf.gather(radius, reach[:CENTRES]),
            self.window,
        )[0]
        paths, turns = tf.gather(paths, chunk), tf.gather(turns, chunk)

        # Which centre turns where: its path at the depth of each node
        depth = tf.range(paths.shape[-1])[:, None]
        level = tf.cast(depth == depths[i][None], tf.float32)
        here = tf.matmul(paths, level) == nodes[i][None]
        signs = tf.matmul(turns, level) * tf.cast(here, tf.float32)
        meets = tf.matmul(mask, tf.abs(signs), transpose_a=True)
        left = (meets + tf.matmul(mask, signs, transpose_a=True)) / 2.0

        v = tf.gather(inputs, around)
        rows = table[i]
        u = tf.gather(outputs, rows)
        scores = tf.matmul(v, u, transpose_b=True)
        pull = (left - meets * tf.sigmoid(scores)) * rate
        times = tf.cast(around[:, None] == around[None, :], tf.float32)
        times = tf.reduce_sum(times, 0)[:, None]
        size = tf.abs(pull)
        change_v = tf.matmul(size, squares(u)) * times
        change_u = tf.matmul(size, squares(v), transpose_a=True)
        v_ahead = ahead(v, tf.matmul(pull, u), change_v, WORDS_AHEAD)
        move_u = tf.matmul(pull, v, transpose_a=True)
        u_ahead = ahead(u, move_u, change_u, NODES_AHEAD)
        move_v = tf.matmul(pull, u_ahead)
        move_u = tf.matmul(pull, v_ahead, transpose_a=True)

        inputs = tf.tensor_scatter_nd_add(
            inputs, around[:, None], move_v * shortened(change_v, REACH)
        )
        outputs = tf.tensor_scatter_nd_add(
            outputs, rows[:, None], move_u * shortened(change_u, REACH)
        )

        # All steps of a chunk are measured, its pairs counted once.
        begins = (i == 0) | (tf.gather(chunk_at, tf.maximum(i - 1, 0)) != chunk)

        def measured():
            right = meets - left
            loss = left * tf.nn.softplus(-scores)
            loss += right * tf.nn.softplus(scores)
            pairs = tf.cast(begins, tf.float32) * tf.reduce_sum(mask)
            return tf.reduce_sum(loss), pairs

        loss, count = tf.cond(i % LOSS_EVERY == 0, measured, lambda: (0.0, 0.0))
        return inputs, outputs, loss, count


def ahead(
    rows: tf.Tensor, moves: tf.Tensor, change: tf.Tensor, share: float
) -> tf.Tensor:
    """Returns where rows are some way into a step.

    The way falls off with the change: the two tables push each other on, and
    rows that a step moves far, such as the root, would run off to infinity.

    Args:
        rows: `(rows, size)`.
        moves: of the whole step, `(rows, size)`.
        change: of the rows' scores, not negative, `(rows, 1)`.
        share: of the moves, where the change is small.
    """
    return rows + share * moves / tf.square(1.0 + DAMPING * change)
