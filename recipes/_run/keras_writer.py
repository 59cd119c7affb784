"""A Keras language model that writes, without an export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes._run.writing import TextVocabulary, encode_prompt
from toolkit.text import generate
from toolkit.training import reset_carried_state, with_carried_state


class KerasWriter:
    """A Keras language model that writes, keeping its state from step to step.

    Args:
        model: takes `tokens`, returns `logits`; its weights are copied.
        vocabulary: of the model.
    """

    def __init__(self, model: keras.Model, vocabulary: TextVocabulary):
        self._twin = with_carried_state(model, 1)
        self._call = tf.function(
            lambda tokens: self._twin(tokens, training=False)[:, -1],
            input_signature=[tf.TensorSpec((1, None), tf.int32)],
            autograph=False,
        )
        self.vocabulary = vocabulary

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Reads tokens, int32 `(n,)`; returns the logits after the last."""
        return self._call(tokens[None]).numpy()[0]

    def write(self, prompt: str, length: int, **settings: Any) -> Iterator[str]:
        """Yields pieces of text that go on from a prompt, read anew.

        Args:
            prompt: what the text begins with; a new line if empty.
            length: characters or words to write.
            settings: as for `toolkit.text.generate`.

        Raises:
            DataError: something of the prompt that is not known.
            ConfigError: a setting out of range.
        """
        reset_carried_state(self._twin)
        start = encode_prompt(self.vocabulary, prompt)
        tokens = generate(self.step, start, length, **settings)
        return self.vocabulary.pieces(tokens, prompt)

    def update(self, model: keras.Model) -> None:
        """Takes over a model's weights."""
        self._twin.set_weights(model.get_weights())
