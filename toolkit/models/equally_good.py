"""Which other targets are as good as those that a search has found."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

PADDING = 0


def equally_good(search, inputs, expected, actual, tolerance):
    """Returns which other answers are as good as a search's own.

    `export` asks, where rounding has decided between two. A greedy answer
    will do if each of its tokens is the most probable after those before it;
    one of a beam search, if no better one was found. Its score has to be its
    own in any case. All of that by the model, within the tolerance.

    Args:
        search: a `SequenceSearch`.
        inputs: a dict of `source`, int `(batch, time)`.
        expected: its outputs as arrays.
        actual: other outputs.
        tolerance: atol and rtol.

    Returns:
        bool `(batch,)`.
    """
    tokens, lengths = actual["tokens"], actual["lengths"]
    inside = np.arange(search.max_length) < lengths[:, None]
    good = _well_formed(search, tokens, lengths, inside)
    known = np.clip(tokens, 0, search.model.vocabulary - 1)
    written = np.where(inside, known, 0)
    found = _log_probabilities(search, inputs["source"], written)
    taken = np.take_along_axis(found, written[..., None], axis=2)[..., 0]
    total = np.where(inside, taken, 0).sum(axis=1)
    scores = total / np.maximum(lengths, 1) ** search.length_penalty
    good &= _near(actual["scores"], scores, tolerance)
    if search.beam_width > 1:
        better = scores > expected["scores"]
        return good & (better | _near(scores, expected["scores"], tolerance))
    found += search.barred()
    best = _near(taken, found.max(axis=2), tolerance)
    return good & (best | ~inside).all(axis=1)


def _near(value, other, tolerance):
    atol, rtol = tolerance
    return atol + rtol * np.abs(other) >= np.abs(value - other)


def _well_formed(search, tokens, lengths, inside):
    """Returns which rows hold tokens up to an end, and padding after it."""
    valid = inside & (tokens > PADDING) & (tokens < search.model.vocabulary)
    good = (valid == inside).all(axis=1) & (lengths > 0)
    never = np.isin(tokens, [search.start, *search.suppress_tokens])
    good &= np.where(inside, ~never, tokens == PADDING).all(1)
    ends = np.argmax(tokens == search.end, axis=1) + 1  # 1 if there is none
    ended = (tokens == search.end).any(axis=1)
    return good & (lengths == np.where(ended, ends, search.max_length))


def _log_probabilities(search, source, written):
    """Returns those of all words, after what was written before."""
    before = np.insert(written[:, :-1], 0, search.start, axis=1)
    logits = search.model(
        {
            "source": tf.constant(source, tf.int32),
            "target": tf.constant(before, tf.int32),
        },
        training=False,
    )
    return tf.nn.log_softmax(tf.cast(logits, tf.float32)).numpy()
