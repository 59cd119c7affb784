"""The layer behind `decoding_model`: greedy search and beam search."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.models.equally_good import PADDING, equally_good
from toolkit.models.seq2seq_model import NEXT, Seq2Seq
from toolkit.models.sizes import check_sizes
from toolkit.whole_numbers import is_whole

NEVER = -1e9  # a log probability below all others
LOWEST = np.finfo(np.float32).min


@keras.saving.register_keras_serializable("toolkit")
class SequenceSearch(keras.layers.Layer):
    """The layer of `decoding_model`; see there.

    Args:
        model: as for `decoding_model`.
        max_length: as for `decoding_model`.
        beam_width: as for `decoding_model`.
        length_penalty: as for `decoding_model`.
        start: as for `decoding_model`.
        end: as for `decoding_model`.
        suppress_tokens: as for `decoding_model`.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        source: int32 `(batch, time)`.

    Returns:
        A dict of `tokens`, `lengths` and `scores`.
    """

    def __init__(
        self,
        model: Seq2Seq,
        max_length: int,
        beam_width: int = 1,
        length_penalty: float = 1.0,
        start: int = 1,
        end: int = 2,
        suppress_tokens: Sequence[int] = (),
        **options,
    ):
        super().__init__(**options)
        if not isinstance(model, Seq2Seq):
            raise ConfigError(
                "`model` must be what `toolkit.models.seq2seq` builds. "
                f"Received: {model!r} (of type {type(model).__name__})."
            )
        self.max_length, self.beam_width = check_sizes(
            numbers={"max_length": max_length, "beam_width": beam_width}
        )
        if beam_width > model.vocabulary:
            raise ConfigError(
                "`beam_width` must be at most the number of target tokens, "
                f"{model.vocabulary}. Received: beam_width={beam_width}."
            )
        number = isinstance(length_penalty, Real)
        if not number or not 0.0 <= length_penalty < np.inf:
            raise ConfigError(
                "`length_penalty` must be a finite number, at least 0. "
                f"Received: length_penalty={length_penalty!r}."
            )
        self.start = _token("start", start, model)
        self.end = _token("end", end, model)
        if start == end:
            raise ConfigError(
                f"`start` and `end` must differ. Received: {start} for both."
            )
        self.suppress_tokens = tuple(
            _token("suppress_tokens", token, model) for token in suppress_tokens
        )
        if self.end in self.suppress_tokens:
            raise ConfigError(
                f"`suppress_tokens` must not have the end, {self.end}: no "
                "target would end."
            )
        self.length_penalty = float(length_penalty)
        self.model = model
        self.supports_masking = True  # the tokens tell; masks end here

    def call(self, source):
        """Searches."""
        source = tf.cast(source, tf.int32)
        batch = tf.shape(source)[0]
        encoded = dict(self.model.encoder(source, training=False))
        states = [encoded.pop(key) for key in self.model.states]
        given = {**encoded, "source": source} if encoded else {}
        search = self._greedy if self.beam_width == 1 else self._beam
        tokens, lengths, scores = search(batch, given, states)
        rows = source.shape[0]
        return {
            "tokens": tf.ensure_shape(tokens, (rows, self.max_length)),
            "lengths": tf.ensure_shape(lengths, (rows,)),
            "scores": tf.ensure_shape(scores, (rows,)),
        }

    def _greedy(self, batch, given, states):
        """Returns tokens, lengths and scores."""
        barred = self.barred()

        def condition(t, token, states, tokens, lengths, total, running):
            return (t < self.max_length) & tf.reduce_any(running)

        def body(t, token, states, tokens, lengths, total, running):
            found, states = self._step(token, states, given)
            found += barred
            best = tf.argmax(found, axis=1, output_type=tf.int32)
            token = tf.where(running, best, PADDING)
            total += tf.where(running, tf.reduce_max(found, axis=1), 0.0)
            tokens = tf.where(self._place(t), token[:, None], tokens)
            lengths += tf.cast(running, tf.int32)
            running &= tf.not_equal(token, self.end)
            return t + 1, token, states, tokens, lengths, total, running

        nothing = tf.zeros([batch], tf.int32)
        _, _, _, tokens, lengths, total, _ = tf.while_loop(
            condition,
            body,
            (
                tf.constant(0),
                nothing + self.start,
                states,
                tf.zeros([batch, self.max_length], tf.int32),
                nothing,
                tf.zeros([batch]),
                tf.equal(nothing, 0),
            ),
        )
        return tokens, lengths, total / tf.gather(self._penalties(), lengths)

    def _beam(self, batch, given, states):
        """Returns tokens, lengths and scores.

        The sequences of a row lie one after the other, the most probable
        first; `rows` are the places of the first.
        """
        width, words = self.beam_width, self.model.vocabulary
        barred = self.barred(self.end)
        penalties = self._penalties()
        rows = tf.range(batch) * width
        repeated = tf.reshape(
            tf.tile(tf.range(batch)[:, None], [1, width]), [-1]
        )
        given = {key: tf.gather(x, repeated) for key, x in given.items()}
        states = [tf.gather(state, repeated) for state in states]

        def condition(t, token, states, written, total, best, running):
            return (t < self.max_length) & tf.reduce_any(running)

        def body(t, token, states, written, total, best, running):
            found, states = self._step(token, states, given)
            place = self._place(t)
            # All that end here, and the best of what has ended
            ended = tf.reshape(found[:, self.end], [-1, width]) + total
            ended /= tf.gather(penalties, t + 1)
            source = rows + tf.argmax(ended, axis=1, output_type=tf.int32)
            tokens = tf.where(place, self.end, tf.gather(written, source))
            best = _better(
                (tokens, tf.zeros_like(rows) + t + 1),
                tf.reduce_max(ended, axis=1),
                best,
                running,
            )
            # All that go on
            found = tf.reshape(found + barred, [-1, width, words])
            found = tf.reshape(found + total[:, :, None], [-1, width * words])
            total, order = tf.math.top_k(found, width)
            parent = order // words
            token = tf.reshape(order - parent * words, [-1])
            source = tf.reshape(rows[:, None] + parent, [-1])
            states = [tf.gather(state, source) for state in states]
            written = tf.gather(written, source)
            written = tf.where(place, token[:, None], written)
            # No sequence becomes more probable, or longer than this.
            running &= best[2] < total[:, 0] / penalties[-1]
            return t + 1, token, states, written, total, best, running

        written = tf.zeros([batch * width, self.max_length], tf.int32)
        first = tf.constant([0.0] + [NEVER] * (width - 1))
        none = tf.zeros([batch], tf.int32)
        best = (
            tf.zeros([batch, self.max_length], tf.int32),
            none,
            tf.fill([batch], LOWEST),
        )
        _, _, _, written, total, best, running = tf.while_loop(
            condition,
            body,
            (
                tf.constant(0),
                tf.zeros([batch * width], tf.int32) + self.start,
                states,
                written,
                tf.zeros([batch, 1]) + first,
                best,
                tf.equal(none, 0),
            ),
        )
        return _better(
            (tf.gather(written, rows), none + self.max_length),
            total[:, 0] / penalties[-1],
            best,
            running,
        )

    def equally_good(self, inputs, expected, actual, tolerance):
        """Returns which other answers are as good; see `equally_good`."""
        return equally_good(self, inputs, expected, actual, tolerance)

    def _step(self, token, states, given):
        """Returns log probabilities `(n, words)` and the new states."""
        names = self.model.states
        found = self.model.decoder(
            {
                "target": token[:, None],
                **dict(zip(names, states, strict=True)),
                **given,
            },
            training=False,
        )
        logits = tf.cast(found["logits"][:, 0], tf.float32)
        return tf.nn.log_softmax(logits), [found[key + NEXT] for key in names]

    def _place(self, t):
        """Returns where in a buffer the token of a step goes."""
        return tf.equal(tf.range(self.max_length), t)[None]

    def barred(self, *tokens: int) -> np.ndarray:
        """Returns what is added to the log probabilities.

        Args:
            *tokens: those that are not to be taken, beside those that never
                are.
        """
        barred = np.zeros(self.model.vocabulary, np.float32)
        barred[[PADDING, self.start, *self.suppress_tokens, *tokens]] = NEVER
        return barred

    def _penalties(self):
        """Returns what the log probability is divided by, for each length."""
        lengths = np.maximum(np.arange(self.max_length + 1.0), 1.0)
        return tf.constant(lengths**self.length_penalty, tf.float32)

    def compute_mask(self, inputs, previous_mask):
        """Returns None: the outputs have no mask."""
        return None

    def compute_output_spec(self, source):
        """Returns the outputs without values."""
        batch = source.shape[0]
        return {
            "tokens": keras.KerasTensor((batch, self.max_length), "int32"),
            "lengths": keras.KerasTensor((batch,), "int32"),
            "scores": keras.KerasTensor((batch,), "float32"),
        }

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "max_length": self.max_length,
            "beam_width": self.beam_width,
            "length_penalty": self.length_penalty,
            "start": self.start,
            "end": self.end,
            "suppress_tokens": list(self.suppress_tokens),
        }

    @classmethod
    def from_config(cls, config):
        """Makes the layer, and the model in it, from the arguments."""
        model = config["model"]
        if isinstance(model, dict):
            model = keras.saving.deserialize_keras_object(model)
        return cls(**{**config, "model": model})


def _better(sequences, scores, best, running):
    """Returns tokens, lengths and scores, the better of two for each row."""
    better = running & (scores > best[2])
    tokens, lengths = sequences
    return (
        tf.where(better[:, None], tokens, best[0]),
        tf.where(better, lengths, best[1]),
        tf.where(better, scores, best[2]),
    )


def _token(name: str, value, model: Seq2Seq) -> int:
    if not is_whole(value, PADDING + 1) or value >= model.vocabulary:
        raise ConfigError(
            f"`{name}` must be a target token from 1 to "
            f"{model.vocabulary - 1}; {PADDING} is padding. Received: "
            f"{name}={value!r} (of type {type(value).__name__})."
        )
    return int(value)
