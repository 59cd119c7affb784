"""Full softmax: hundreds of steps in one compiled loop."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from toolkit.training.skip_gram.guard import shortened, squares
from toolkit.training.skip_gram.negative_sampling import around, pair_mask
from toolkit.training.skip_gram.sizes import CHUNK
from toolkit.training.skip_gram.stretches import Stretch, laid_out
from toolkit.training.skip_gram.updates import LOSS_EVERY, Work, compiled


class FullSoftmaxSteps:
    """Steps of gradient descent on the loss of the softmax over all words.

    ```
    loss = sum over pairs (c, o):  log(sum over words w: exp(u_w . v_c))
                                   - u_o . v_c
    ```

    The time of a step grows with the vocabulary; it is meant for small ones.

    Args:
        counts: how often each word comes in the text, `(words,)`.
        frequency: of each word in the subsampled text, sum 1.
        size: of a vector.
        window: largest distance of a pair.

    Attributes:
        centres: words of a step.
        loop: the compiled loop, see `updates`.
    """

    centres = 2 * CHUNK

    def __init__(
        self,
        counts: np.ndarray,
        frequency: np.ndarray,
        *,
        size: int,
        window: int,
    ):
        del counts
        self.frequency = frequency
        self.size, self.window = size, window
        self.loop = compiled(self._step, size)

    def uses(self, words: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns how often a stretch uses each row of the two tables.

        Args:
            words: of the stretch, after subsampling.
        """
        return words * self.frequency, np.full(len(self.frequency), np.inf)

    def pulls(self, words: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many pairs of a stretch pull at each row."""
        pairs = words * (self.window + 1) * self.frequency
        return pairs, pairs

    def work(self, stretch: Stretch, most: int, seed: tf.Tensor) -> Work:
        """Returns what the loop reads.

        Args:
            stretch: of text.
            most: steps that the longest stretch takes.
            seed: not used; nothing is drawn.
        """
        del seed
        rows, places = tf.unique(stretch.tokens)
        own, sentences, radius = laid_out(
            stretch._replace(tokens=places), most * self.centres, self.window
        )
        tokens, _, _ = laid_out(stretch, most * self.centres, self.window)
        return Work(
            rows,
            tf.range(len(self.frequency)),
            -(-tf.size(stretch.tokens) // self.centres),
            (own, tokens, sentences, radius),
        )

    def _step(self, i, inputs, outputs, rate, own, tokens, sentences, radius):
        size, window, centres = self.size, self.window, self.centres
        chunks, width = centres // CHUNK, CHUNK + 2 * window

        def part(values):
            return tf.slice(values, [i * centres], [centres + 2 * window])

        middle = part(own)[window : window + centres]
        contexts = around(part(tokens), width, centres)
        mask = pair_mask(
            around(part(sentences), width, centres),
            tf.slice(radius, [i * centres], [centres]),
            window,
        )
        pairs = tf.reshape(tf.reduce_sum(mask, -1), (centres, 1))

        v = tf.gather(inputs, middle)
        v_chunks = tf.reshape(v, (chunks, CHUNK, size))
        u = tf.gather(outputs, contexts)
        scores = tf.matmul(v, outputs, transpose_b=True)
        push = tf.nn.softmax(scores) * pairs * rate
        pull = mask * rate
        move_v = tf.reshape(tf.matmul(pull, u), (centres, size)) - tf.matmul(
            push, outputs
        )
        move_all = -tf.matmul(push, v, transpose_a=True)
        move_u = tf.matmul(pull, v_chunks, transpose_a=True)
        moves = tf.tensor_scatter_nd_add(
            move_all,
            tf.reshape(contexts, (-1, 1)),
            tf.reshape(move_u, (-1, size)),
        )

        # Twice the larger half bounds a gradient whose parts are 1 - p and p
        lengths_v, lengths_u = squares(v), squares(outputs)
        times = tf.cast(middle[:, None] == middle[None, :], tf.float32)
        times = tf.reduce_sum(times, 0)[:, None]
        change_v = 2.0 * tf.matmul(push, lengths_u) * times
        change_u = 2.0 * tf.matmul(push, lengths_v, transpose_a=True)
        change_u = tf.tensor_scatter_nd_add(
            change_u,
            tf.reshape(contexts, (-1, 1)),
            tf.reshape(
                tf.matmul(
                    pull,
                    tf.reshape(lengths_v, (chunks, CHUNK, 1)),
                    transpose_a=True,
                ),
                (-1, 1),
            ),
        )
        inputs = tf.tensor_scatter_nd_add(
            inputs, middle[:, None], move_v * shortened(change_v)
        )
        outputs += moves * shortened(change_u)

        def measured():
            wanted = tf.matmul(v_chunks, u, transpose_b=True)
            total = tf.reduce_logsumexp(scores, -1, keepdims=True)
            loss = tf.reduce_sum(pairs * total) - tf.reduce_sum(mask * wanted)
            return loss, tf.reduce_sum(pairs)

        loss, count = tf.cond(i % LOSS_EVERY == 0, measured, lambda: (0.0, 0.0))
        return inputs, outputs, loss, count
