"""Blocks of a corpus, in another order every epoch."""

from __future__ import annotations

import numpy as np

from toolkit._backend import load_tensorflow
from toolkit.data.ordering import order
from toolkit.data.pipeline import deterministic
from toolkit.errors import ConfigError, DataError


def block_size(
    words: int, most: int = 65_536, blocks: int = 32, least: int = 1024
) -> int:
    """Returns a size of blocks that gives a small corpus several of them.

    Args:
        words: of the corpus.
        most: the size for a large corpus.
        blocks: how many a small one should have.
        least: the smallest size.

    Example:
    >>> from toolkit.data import block_size
    >>> block_size(10_000_000), block_size(100_000), block_size(500)
    (65536, 3125, 1024)
    """
    return int(min(most, max(-(-words // blocks), least)))


def text_block_batches(
    ids: np.ndarray,
    *,
    block: int,
    steps: int,
    seed: int = 0,
    start: int = 0,
):
    """Returns blocks of consecutive words of a corpus.

    Every epoch has each block once, in an order of its own; the last block is
    filled up with -1. A block is a pure function of seed and step.

    Args:
        ids: int32 `(words,)`, with -1 between sentences, as of `read_corpus`.
        block: words of a block, separators counted.
        steps: how many blocks.
        seed: of the order.
        start: the first step.

    Returns:
        Dataset of int32 `(block,)`.

    Raises:
        ConfigError: a number below its least.
        DataError: no words.

    Example:
    >>> import numpy as np
    >>> from toolkit.data import text_block_batches
    >>> ids = np.arange(10, dtype=np.int32)
    >>> batches = text_block_batches(ids, block=4, steps=3)
    >>> sorted(block.numpy().tolist() for block in batches)
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]
    """
    tf = load_tensorflow()
    for name, value, least in (
        ("block", block, 1), ("steps", steps, 0), ("start", start, 0),
    ):  # fmt: skip
        if value < least:
            raise ConfigError(
                f"`{name}` must be at least {least}. Received: {name}={value}."
            )
    ids = np.asarray(ids, np.int32)
    if not len(ids):
        raise DataError("The corpus has no words.")
    count = -(-len(ids) // block)
    with tf.device("CPU"):
        held = tf.constant(ids)

    def one(step):
        (which,) = tf.unstack(
            order(step, count=count, batch_size=1, seed=seed), 1
        )
        part = held[which * block : (which + 1) * block]
        rest = block - tf.size(part)
        return tf.ensure_shape(
            tf.pad(part, [[0, rest]], constant_values=-1), (block,)
        )

    return deterministic(
        tf.data.Dataset.range(start, start + steps).map(one)
    ).prefetch(2)
