"""Decoding: what a sequence-to-sequence model writes, in one graph."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.models.seq2seq_model import Seq2Seq
from toolkit.models.sequence_search import SequenceSearch


def decoding_model(
    model: Seq2Seq,
    max_length: int = 100,
    beam_width: int = 1,
    length_penalty: float = 1.0,
    start: int = 1,
    end: int = 2,
    suppress_tokens: Sequence[int] = (),
    name: str = "decoding",
) -> keras.Model:
    """Builds the model that writes the target of a source.

    ```
    score(y) = (sum_t log P(y(t) | y(1) ... y(t-1), source)) / |y|^penalty
    ```

    With a beam of 1 the most probable token is taken at every step (greedy
    search), until it is the end. A wider beam keeps that many unfinished
    sequences, those with the highest probability, at every step; each of them
    is also tried with the end as its next token, and what has the highest
    score of all that ended is the answer. A sequence that has not ended
    within `max_length` counts as it stands. Padding, the start token and
    `suppress_tokens` are never written.

    All of it is one loop, which ends as soon as no row can find a better
    answer. A step costs the same whatever was written before: the decoder's
    states go in and out, and tokens are put into a buffer made before.

    Args:
        model: what `seq2seq` builds. Its weights are shared, not copied.
        max_length: most tokens of a target, with the end.
        beam_width: unfinished sequences kept, at most as many as the target
            has tokens.
        length_penalty: the exponent, at least 0: 0 compares probabilities,
            which favours short targets, 1 compares means over the tokens.
        start: the token that the decoder begins with.
        end: the token that ends a target.
        suppress_tokens: more tokens that are never written, such as the one
            for unknown words.
        name: the model's name.

    Returns:
        A built Functional model from `source`, int32 `(batch, time)`, to a
        dict of `tokens`, int32 `(batch, max_length)`, with 0 after the end;
        `lengths`, int32 `(batch,)`, which count the end; and `scores`,
        float32 `(batch,)`.

    Raises:
        ConfigError: a model of another kind, an argument outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import decoding_model, seq2seq
    >>> model = seq2seq(20, 30, units=16, embedding=8)
    >>> search = decoding_model(model, max_length=7, beam_width=3)
    >>> found = search(np.array([[5, 6, 7], [8, 9, 0]]))
    >>> {key: tuple(value.shape) for key, value in found.items()}
    {'tokens': (2, 7), 'lengths': (2,), 'scores': (2,)}

    Source: I. Sutskever, O. Vinyals, Q. Le: Sequence to sequence learning
    with neural networks (2014), section 3.2; division by the length as in
    K. Cho, B. van Merrienboer, D. Bahdanau, Y. Bengio: On the properties of
    neural machine translation: encoder-decoder approaches (2014), section
    4.2; its exponent as in Y. Wu et al.: Google's neural machine translation
    system (2016), section 7, without the constants of theirs.
    """
    search = SequenceSearch(
        model,
        max_length,
        beam_width,
        length_penalty,
        start,
        end,
        suppress_tokens,
        name="search",
    )
    source = keras.Input((None,), dtype="int32", name="source")
    return keras.Model(source, search(source), name=name)
