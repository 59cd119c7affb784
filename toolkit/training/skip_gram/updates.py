"""Sparse updates of two tables by several workers at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

LOSS_EVERY = 16  # steps; measured at each, a sixth more time


class Work(NamedTuple):
    """What one worker does between two meetings.

    Attributes:
        input_rows: int32 `(rows,)`, those of the input table that it moves,
            each once.
        output_rows: the same of the output table.
        steps: int32, how many steps.
        texts: what the steps read, each tensor whole.
    """

    input_rows: tf.Tensor
    output_rows: tf.Tensor
    steps: tf.Tensor
    texts: tuple[tf.Tensor, ...]


def compiled(step: Callable, size: int) -> Callable:
    """Returns a compiled loop over steps.

    Args:
        step: takes its number, input rows, output rows, the rate and the
            texts; returns both tables as they are after it, the summed loss
            of its pairs and their number (both 0 if it does not measure
            them).
        size: of a vector.

    Returns:
        A function of input rows and output rows, float32 `(rows, size)`,
        `steps`, `rate` and the texts. It returns by how much it moves both
        tables, the summed loss and the number of pairs.
    """

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def loop(inputs, outputs, steps, rate, *texts):
        inputs = tf.ensure_shape(inputs, (None, size))
        outputs = tf.ensure_shape(outputs, (None, size))

        def body(i, new_inputs, new_outputs, loss, pairs):
            new_inputs, new_outputs, more, met = step(
                i, new_inputs, new_outputs, rate, *texts
            )
            return i + 1, new_inputs, new_outputs, loss + more, pairs + met

        _, new_inputs, new_outputs, loss, pairs = tf.while_loop(
            lambda i, *_: i < steps, body, (0, inputs, outputs, 0.0, 0.0)
        )
        return new_inputs - inputs, new_outputs - outputs, loss, pairs

    return loop


def update(
    tables: tuple[tf.Variable, tf.Variable],
    works: list[Work],
    loop: Callable,
    rate: tf.Tensor,
    capacities: tuple[int, int],
    pulls: tuple[tf.Tensor, tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Lets every worker train on its own copies of rows, and adds up.

    Workers run side by side, one thread each. What they get does not depend
    on which of them is faster: all read before any writes. The tables are
    touched only where a row is used.

    Args:
        tables: of inputs and outputs, float32 `(rows, size)`.
        works: one for each worker.
        loop: from `compiled`.
        rate: learning rate.
        capacities: rows of the copies; a worker with more takes a multiple.
        pulls: for each row of the two tables, the sum of the curvatures of a
            worker's pairs at it.

    Returns:
        Summed loss of the pairs that were measured, and their number.
    """
    rows = [(work.input_rows, work.output_rows) for work in works]
    copies = [
        [
            tf.gather(table, _padded(which, unit))
            for table, which, unit in zip(tables, both, capacities, strict=True)
        ]
        for both in rows
    ]
    results = [
        loop(*both, work.steps, rate, *work.texts)
        for work, both in zip(works, copies, strict=True)
    ]
    for both, result in zip(rows, results, strict=True):
        for which, table, moves, pull in zip(
            both, tables, result[:2], pulls, strict=True
        ):
            moves = moves[: tf.size(which)]
            if len(works) > 1:
                amount = tf.gather(pull, which) * rate
                moves *= joint_share(amount, len(works))[:, None]
            table.scatter_add(tf.IndexedSlices(moves, which))
    return (
        tf.add_n([result[2] for result in results]),
        tf.add_n([result[3] for result in results]),
    )


def joint_share(amount: tf.Tensor, workers: int) -> tf.Tensor:
    """Returns what share of the workers' summed moves is taken.

    A worker goes `p = 1 - exp(-a)` of the way to a row's optimum; one after
    another, `n` of them would go `q = 1 - exp(-n a)`, and not `n p`, which
    runs past it. So rare words get the sum (share 1), frequent ones not much
    more than the mean: `share = min(1, (1 + 1 / n) q / (n p))`. The factor in
    front lets two workers learn faster; 2, 4 and 8 of them still settle.

    Args:
        amount: `a`, float, not negative.
        workers: `n`.
    """
    amount = tf.maximum(amount, 1e-6)
    together = (1 + 1 / workers) * tf.math.expm1(-workers * amount)
    return tf.minimum(1.0, together / (workers * tf.math.expm1(-amount)))


def capacity(uses: np.ndarray) -> int:
    """Returns how many rows a worker's copy of a table should hold.

    Args:
        uses: for each row, how often a worker is expected to use it; float
            `(rows,)`.
    """
    different = float(-np.expm1(-np.asarray(uses, np.float64)).sum())
    return min(len(uses), int(different * 1.1) + 64)


def _padded(rows: tf.Tensor, unit: int) -> tf.Tensor:
    """Repeats row 0 up to a multiple of a size, so that few are compiled."""
    count = tf.size(rows)
    units = tf.maximum(-(-count // unit), 1)
    return tf.pad(rows, [[0, units * unit - count]])
