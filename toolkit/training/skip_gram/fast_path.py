"""Skip-gram on blocks of raw text."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from toolkit.training.skip_gram.stretches import keep_probabilities, subsample
from toolkit.training.skip_gram.updates import capacity, update

CURVATURE = 0.25  # of a pair at a row, for vectors of length 1


class FastPath:
    """Trains the two tables of a skip-gram model.

    Each block of text is cut into as many parts as there are workers, and all
    parts are trained on at the same time.

    Args:
        counts: int `(words,)`, how often each comes in the text.
        steps: takes counts and frequencies, returns the steps of the
            objective, such as `NegativeSamplingSteps`.
        window: largest distance of a pair.
        sample: threshold of subsampling; 0 keeps every word.
        workers: how many parts are trained on at the same time.
    """

    def __init__(self, counts, steps, *, window, sample, workers):
        counts = np.asarray(counts, np.float64)
        keep = keep_probabilities(counts, sample)
        kept = counts * keep
        self.kept_share = float(kept.sum() / counts.sum())
        self.keep = tf.constant(keep)
        self.window = window
        self.workers = workers
        self.steps = steps(counts, kept / kept.sum())

    def __call__(
        self,
        tables: tuple[tf.Variable, tf.Variable],
        ids: tf.Tensor,
        seed: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Trains on a block.

        Args:
            tables: of inputs and outputs, float32 `(rows, size)`.
            ids: int32 `(words,)`; below 0 between sentences.
            seed: int `(2,)`.
            rate: learning rate.

        Returns:
            Summed loss of the pairs that were measured, and their number.
        """
        steps, block = self.steps, ids.shape[0]
        part = -(-block // self.workers)
        ids = tf.pad(
            ids, [[0, part * self.workers - block]], constant_values=-1
        )
        most = -(-part // steps.centres)
        works = []
        for k, text in enumerate(tf.split(ids, self.workers)):
            own = seed * (4 * self.workers) + 4 * k
            stretch = subsample(text, self.keep, self.window, own)
            works.append(steps.work(stretch, most, own + 2))
        words = part * self.kept_share
        return update(
            tables,
            works,
            steps.loop,
            rate,
            tuple(capacity(uses) for uses in steps.uses(words)),
            tuple(
                tf.constant(CURVATURE * pulls, tf.float32)
                for pulls in steps.pulls(words)
            ),
        )
