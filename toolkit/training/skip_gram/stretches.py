"""From raw word numbers to what the steps read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Stretch(NamedTuple):
    """A subsampled stretch of text.

    Attributes:
        tokens: int32 `(words,)`, only words that were kept.
        sentences: int32 `(words,)`; equal within a sentence.
        radius: int32 `(words,)`, how far the window of each reaches.
    """

    tokens: tf.Tensor
    sentences: tf.Tensor
    radius: tf.Tensor


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """Returns how likely each word is to survive subsampling.

    `p = sqrt(t / f) + t / f`, at most 1, with the share `f` of the word in
    the text and the threshold `t`.

    Args:
        counts: int `(words,)`.
        sample: the threshold; 0 keeps every word.

    Returns:
        float32 `(words,)`.

    Source: T. Mikolov's word2vec.c, which differs from the formula in the
    paper (2013b, section 2.3) and is what gensim does as well.
    """
    counts = np.asarray(counts, np.float64)
    if not sample:
        return np.ones(len(counts), np.float32)
    ratio = sample * counts.sum() / np.maximum(counts, 1)
    return np.minimum(np.sqrt(ratio) + ratio, 1.0).astype(np.float32)


def subsample(ids: tf.Tensor, keep, window: int, seed: tf.Tensor) -> Stretch:
    """Drops separators and frequent words, and draws the windows.

    Args:
        ids: int32 `(raw words,)`; below 0 where a sentence ends.
        keep: float32 `(vocabulary,)`, from `keep_probabilities`.
        window: largest radius; each is drawn uniformly from 1 to it.
        seed: int `(2,)`.
    """
    word = ids >= 0
    chance = tf.random.stateless_uniform(tf.shape(ids), seed)
    kept = word & (chance < tf.gather(keep, tf.maximum(ids, 0)))
    places = tf.where(kept)[:, 0]
    sentences = tf.cumsum(tf.cast(~word, tf.int32))
    return Stretch(
        tf.gather(ids, places),
        tf.gather(sentences, places),
        tf.random.stateless_uniform(
            tf.shape(places),
            seed + 1,
            minval=1,
            maxval=window + 1,
            dtype=tf.int32,
        ),
    )


def laid_out(
    stretch: Stretch, words: int, window: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Pads a stretch to a fixed length; what is added meets nobody.

    Args:
        stretch: of text.
        words: the fixed length.
        window: how many words are added at either end.

    Returns:
        Tokens and sentences, `(window + words + window,)`, and the radius,
        `(words,)`.
    """
    rest = words - tf.size(stretch.tokens)
    ends = [[window, window + rest]]
    whole = (words + 2 * window,)
    return (
        tf.ensure_shape(tf.pad(stretch.tokens, ends), whole),
        tf.ensure_shape(
            tf.pad(stretch.sentences, ends, constant_values=-1), whole
        ),
        tf.ensure_shape(tf.pad(stretch.radius, [[0, rest]]), (words,)),
    )


def pairs_of(stretch: Stretch, window: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns all pairs of a centre and a word in its window.

    Args:
        stretch: of text.
        window: largest radius.

    Returns:
        The centres' tokens and the other words', int32 `(pairs,)`.
    """
    words = tf.size(stretch.tokens)
    offsets = tf.constant(
        [k for k in range(-window, window + 1) if k], tf.int32
    )
    places = tf.range(words)[:, None] + offsets
    within = tf.clip_by_value(places, 0, tf.maximum(words - 1, 0))
    inside = (
        (places == within)
        & (tf.abs(offsets) <= stretch.radius[:, None])
        & (stretch.sentences[:, None] == tf.gather(stretch.sentences, within))
    )
    found = tf.where(inside)
    return (
        tf.gather(stretch.tokens, found[:, 0]),
        tf.gather(stretch.tokens, tf.gather_nd(within, found)),
    )
