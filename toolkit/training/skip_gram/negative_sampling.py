"""Negative sampling: hundreds of steps in one compiled loop."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from toolkit.layers.alias_tables import alias_tables, draw
from toolkit.training.skip_gram.guard import shortened, squares
from toolkit.training.skip_gram.sizes import CHUNK, step_sizes
from toolkit.training.skip_gram.stretches import Stretch, laid_out
from toolkit.training.skip_gram.updates import LOSS_EVERY, Work, compiled

FAR = 0.1  # curvature at a negative, as a share of that at a pair


class NegativeSamplingSteps:
    """Steps of gradient descent on the loss of negative sampling.

    A step takes 64 neighbouring words. Chunks of 16 centres are scored
    against the words around them in one matrix product, and a mask leaves the
    pairs inside the window and the sentence. Negatives are shared by the
    step, each weighted so that gradients are right on average:

    ```
    loss = sum over pairs (c, o):  -log sigmoid(u_o . v_c)
           - negative * pairs / shared
             * sum over shared n:  log sigmoid(-u_n . v_c)
    ```

    Args:
        counts: how often each word comes in the text, `(words,)`.
        frequency: of each word in the subsampled text, sum 1.
        size: of a vector.
        window: largest distance of a pair.
        negative: negatives of a pair.
        ns_exponent: of the counts, for the distribution of negatives.

    Attributes:
        centres: words of a step.
        loop: the compiled loop, see `updates`.
    """

    def __init__(
        self,
        counts: np.ndarray,
        frequency: np.ndarray,
        *,
        size: int,
        window: int,
        negative: int,
        ns_exponent: float,
    ):
        noise = np.maximum(counts, 1e-9) ** ns_exponent * (counts > 0)
        self.noise = noise / noise.sum()
        self.frequency = frequency
        self.size, self.window, self.negative = size, window, negative
        sizes = step_sizes(
            frequency, self.noise, window=window, negative=negative
        )
        self.centres, self.shared = sizes.centres, sizes.shared
        self.tables = [tf.constant(t) for t in alias_tables(self.noise)]
        self.loop = compiled(self._step, size)

    def uses(self, words: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns how often a stretch uses each row of the two tables.

        Args:
            words: of the stretch, after subsampling.
        """
        draws = words * self.shared / self.centres
        tokens = words * self.frequency
        return tokens, tokens + draws * self.noise

    def pulls(self, words: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many pairs of a stretch pull at each row."""
        pairs = words * (self.window + 1)
        far = FAR * self.negative * self.noise
        return pairs * self.frequency, pairs * (self.frequency + far)

    def work(self, stretch: Stretch, most: int, seed: tf.Tensor) -> Work:
        """Returns what the loop reads.

        Args:
            stretch: of text.
            most: steps that the longest stretch takes.
            seed: int `(2,)`.
        """
        words = tf.size(stretch.tokens)
        steps = -(-words // self.centres)
        noise = draw((steps * self.shared,), *self.tables, seed)
        rows, places = tf.unique(tf.concat([stretch.tokens, noise], 0))
        tokens, noise = places[:words], places[words:]
        own = tf.reduce_max(tf.pad(tokens + 1, [[0, 1]]))  # they come first
        noise = tf.pad(
            tf.reshape(noise, (steps, self.shared)),
            [[0, most - steps], [0, 0]],
        )
        return Work(
            rows[:own],
            rows,
            steps,
            (
                *laid_out(
                    stretch._replace(tokens=tokens),
                    most * self.centres,
                    self.window,
                ),
                tf.ensure_shape(noise, (most, self.shared)),
            ),
        )

    def _step(self, i, inputs, outputs, rate, tokens, sentences, radius, noise):
        size, window, centres = self.size, self.window, self.centres
        chunks, width = centres // CHUNK, CHUNK + 2 * window

        # Which words meet: (chunks, CHUNK, width)
        stretch = tf.slice(tokens, [i * centres], [centres + 2 * window])
        where = tf.slice(sentences, [i * centres], [centres + 2 * window])
        middle = stretch[window : window + centres]
        contexts = around(stretch, width, centres)
        mask = pair_mask(
            around(where, width, centres),
            tf.slice(radius, [i * centres], [centres]),
            window,
        )
        pairs = tf.reshape(tf.reduce_sum(mask, -1), (centres, 1))
        weights = pairs * (self.negative / self.shared)
        noise = tf.slice(noise, [i, 0], [1, self.shared])[0]

        # Scores and gradients
        v = tf.gather(inputs, middle)
        v_chunks = tf.reshape(v, (chunks, CHUNK, size))
        u = tf.gather(outputs, contexts)
        u_noise = tf.gather(outputs, noise)
        scores = tf.matmul(v_chunks, u, transpose_b=True)
        noise_scores = tf.matmul(v, u_noise, transpose_b=True)
        pull = (1.0 - tf.sigmoid(scores)) * mask * rate
        push = tf.sigmoid(noise_scores) * weights * rate
        move_v = tf.reshape(tf.matmul(pull, u), (centres, size)) - tf.matmul(
            push, u_noise
        )
        move_u = tf.matmul(pull, v_chunks, transpose_a=True)
        move_noise = -tf.matmul(push, v, transpose_a=True)

        # How far that changes the scores; words that come again count again
        times = tf.cast(stretch[:, None] == stretch[None, :], tf.float32)
        times = tf.reduce_sum(times, 0)
        lengths_v = squares(v)
        lengths_u = squares(tf.reshape(u, (-1, size)))
        change_v = tf.reshape(
            tf.matmul(pull, tf.reshape(lengths_u, (chunks, width, 1))),
            (centres, 1),
        ) + tf.matmul(push, squares(u_noise))
        change_v *= times[window : window + centres, None]
        change_u = tf.matmul(
            pull, tf.reshape(lengths_v, (chunks, CHUNK, 1)), transpose_a=True
        )
        change_u *= around(times, width, centres)[..., None]
        change_noise = tf.matmul(push, lengths_v, transpose_a=True)

        inputs = tf.tensor_scatter_nd_add(
            inputs, middle[:, None], move_v * shortened(change_v)
        )
        moves = [
            tf.reshape(move_u * shortened(change_u), (-1, size)),
            move_noise * shortened(change_noise),
        ]
        outputs = tf.tensor_scatter_nd_add(
            outputs,
            tf.concat([tf.reshape(contexts, (-1,)), noise], 0)[:, None],
            tf.concat(moves, 0),
        )

        def measured():
            near = tf.reduce_sum(mask * tf.nn.softplus(-scores))
            far = tf.reduce_sum(weights * tf.nn.softplus(noise_scores))
            return near + far, tf.reduce_sum(pairs)

        loss, count = tf.cond(i % LOSS_EVERY == 0, measured, lambda: (0.0, 0.0))
        return inputs, outputs, loss, count


def around(values: tf.Tensor, width: int, centres: int) -> tf.Tensor:
    """Cuts overlapping stretches, one around each chunk of centres.

    Args:
        values: `(centres + 2 * window,)`.
        width: of a stretch, `CHUNK + 2 * window`.
        centres: words of a step.

    Returns:
        `(centres / CHUNK, width)`.
    """
    return tf.stack([values[k : k + width] for k in range(0, centres, CHUNK)])


def pair_mask(
    sentences: tf.Tensor, radius: tf.Tensor, window: int
) -> tf.Tensor:
    """Returns 1 where a centre meets a word around it, else 0.

    Args:
        sentences: int `(chunks, width)`, of the centres and `window` words
            at either end.
        radius: int `(chunks * centres,)`, of the centres.
        window: largest distance.

    Returns:
        float32 `(chunks, centres, width)`.
    """
    width = sentences.shape[1]
    centres = width - 2 * window
    distance = np.arange(width)[None, :] - np.arange(centres)[:, None] - window
    distance = np.abs(distance).astype(np.int32)
    inside = (
        (distance <= tf.reshape(radius, (-1, centres, 1)))
        & (distance > 0)
        & (sentences[:, window : window + centres, None] == sentences[:, None])
    )
    return tf.cast(inside, tf.float32)
