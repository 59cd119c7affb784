"""Sequence to sequence: an encoder reads, a decoder writes."""

from __future__ import annotations

from toolkit.models.frequencies import start_at_frequencies
from toolkit.models.seq2seq_model import Seq2Seq


def seq2seq(
    source_vocabulary: int,
    target_vocabulary: int,
    cell: str = "gru",
    units: int = 256,
    layers: int = 1,
    embedding: int = 128,
    *,
    bidirectional: bool = True,
    attention: str | None = "dot",
    dropout: float = 0.0,
    tied: bool = False,
    counts=None,
    name: str = "seq2seq",
) -> Seq2Seq:
    """Builds an encoder-decoder: one sequence in, another one out.

    ```
    encoder  h(i) = recurrent layers(E source(i), h(i-1));  m(i) = U h(i)
    decoder  s(t) = recurrent layers(F target(t), s(t-1)),  s(0) of the encoder
             c(t) = sum_i weight(t, i) m(i)         (see `GlobalAttention`)
             a(t) = tanh(W [c(t); s(t)])
             logits(t) = V a(t) + b, for target(t+1)
    ```

    Without attention, a(t) is s(t), and all that the decoder knows of the
    source is s(0). With a bidirectional encoder, s(0) is made of the last
    states of both directions of the same layer: tanh(S [forward; backward] +
    d), without the tanh for the cells of an LSTM, which have no bounds
    (Bahdanau takes the backward state alone). Otherwise s(0) is the
    encoder's last state. The memory m is h itself with the score `dot` and
    an encoder that reads forwards only; else U h is both what is compared
    and what is looked at, so that no step has to project it again.

    Token 0 is padding. In the source it is passed over by the recurrence and
    has no attention; in the target it masks the loss and the metrics of its
    step.

    Encoder and decoder are models inside the model, called `encoder` and
    `decoder`, and `export.export(model, ..., signatures=["encoder",
    "decoder"])` lets both leave beside the whole:

    - `encoder`: from `source` to a dict of `memory` (with attention) and the
      decoder's first states: `hidden_1`, `hidden_2`, ..., and of LSTMs
      `cell_1`, ...
    - `decoder`: from a dict of `target`, the states, and with attention
      `memory` and `source`, to a dict of `logits`, the states after the last
      step (`hidden_1_next`, ...), and `attention`, float `(batch, time,
      source_time)`. One step of decoding is the decoder with one target.

    Args:
        source_vocabulary: how many tokens the source has.
        target_vocabulary: how many tokens the target has.
        cell: `elman`, `gru`, `lstm` or `peephole_lstm`.
        units: width of each recurrent layer.
        layers: how many recurrent layers encoder and decoder have each.
        embedding: width of the token vectors E and F.
        bidirectional: whether the encoder reads in both directions.
        attention: the score, `dot` or `additive`; None for no attention.
        dropout: share of the inputs of each recurrent layer and of the output
            layer dropped in training, in [0, 1).
        tied: whether V is F; a(t) is made as wide as the token vectors.
        counts: `(target_vocabulary,)`, how often each target token is to be
            written. b begins with the logarithms of the shares; without
            that, training on many words can get stuck at their frequencies.
        name: the model's name.

    Returns:
        A built model from a dict of `source`, int32 `(batch, source_time)`,
        and `target`, int32 `(batch, time)`, which begins with the start
        token, to `logits`, float32 `(batch, time, target_vocabulary)`. Its
        method `attention_weights(source, target)` is for heat maps;
        `decoding_model` writes targets.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import seq2seq
    >>> model = seq2seq(20, 30, units=16, embedding=8)
    >>> source, target = np.array([[5, 6, 7]]), np.array([[1, 8]])
    >>> model({"source": source, "target": target}).shape
    TensorShape([1, 2, 30])
    >>> model.attention_weights(source, target).shape
    TensorShape([1, 2, 3])

    Source: I. Sutskever, O. Vinyals, Q. Le: Sequence to sequence learning
    with neural networks (2014); K. Cho et al.: Learning phrase
    representations using RNN encoder-decoder for statistical machine
    translation (2014); D. Bahdanau, K. Cho, Y. Bengio: Neural machine
    translation by jointly learning to align and translate (2015); M. Luong,
    H. Pham, C. Manning: Effective approaches to attention-based neural
    machine translation (2015), section 3.1; O. Press, L. Wolf: Using the
    output embedding to improve language models (2017).
    """
    model = Seq2Seq(
        source_vocabulary,
        target_vocabulary,
        cell,
        units,
        layers,
        embedding,
        bidirectional=bidirectional,
        attention=attention,
        dropout=dropout,
        tied=tied,
        name=name,
    )
    if counts is not None:
        start_at_frequencies(model.decoder.get_layer("logits"), counts)
    return model
