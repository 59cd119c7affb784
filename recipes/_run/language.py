"""Training and evaluating language models inside a run."""

from __future__ import annotations

import math

import keras
import numpy as np

from recipes._run.evaluation import write_evaluation
from recipes._run.run import Run
from recipes._run.writing import Writer
from toolkit.data import TextData, stream_batches, windows_per_epoch
from toolkit.io import atomic_path
from toolkit.text import CharacterVocabulary
from toolkit.training import reset_carried_state, with_carried_state

STREAMS, WINDOW = 32, 128  # of the test text
LENGTH = 400  # characters of a text in the report
SHORT = 150  # of a sample during training
TEMPERATURES = (0.5, 0.8, 1.0)
SAMPLE_ROWS, SAMPLE_STEPS = 3, 40  # real inputs for comparisons


class CharacterData:
    """A text as numbers.

    Args:
        text: the text in three parts.

    Attributes:
        text: the text.
        vocabulary: of all three parts.
        train: int32 `(characters,)`.
        validation: the same.
        test: the same.
    """

    def __init__(self, text: TextData):
        self.text = text
        self.vocabulary = CharacterVocabulary.of(
            text.train + text.validation + text.test
        )
        self.train, self.validation, self.test = map(
            self.vocabulary.encode, (text.train, text.validation, text.test)
        )

    def describe(self) -> str:
        """Returns a line: how many characters, of how many kinds, sha256."""
        count = len(self.train) + len(self.validation) + len(self.test)
        return (
            f"{count:,} characters of {len(self.vocabulary)} kinds, sha256 "
            f"{self.text.sha256[:16]}"
        )


class Samples(keras.callbacks.Callback):
    """Says what the model writes, after every epoch.

    Args:
        run: says it, and keeps it.
        vocabulary: of the model.
        prompt: what the text begins with.
        seed: the same for every epoch, so that texts can be compared.

    Attributes:
        texts: by epoch.

    Raises:
        DataError: a character of the prompt that is not known.
    """

    def __init__(
        self, run: Run, vocabulary: CharacterVocabulary, prompt: str, seed: int
    ):
        super().__init__()
        vocabulary.encode(prompt)  # now, not after an epoch
        self.run = run
        self.vocabulary = vocabulary
        self.prompt = prompt
        self.seed = seed
        self.texts: list[str] = []
        self._writer: KerasWriter | None = None

    def on_epoch_end(self, epoch, logs=None):
        """Writes a text."""
        if self._writer is None:
            self._writer = KerasWriter(self.model, self.vocabulary)
        self._writer.update(self.model)
        written = self._writer.write(
            self.prompt, SHORT, temperature=0.8, seed=self.seed
        )
        text = self.prompt + "".join(written)
        self.texts.append(text)
        self.run.say("  | " + text.replace("\n", "\n  | "))

    def state(self) -> list[str]:
        """Returns what has to be remembered, as JSON."""
        return self.texts

    def restore(self, state: list[str]) -> None:
        """Takes back what `state` returned."""
        self.texts[:] = state


class KerasWriter(Writer):
    """A Keras language model that writes.

    Args:
        model: takes `tokens`, returns `logits`; its weights are copied.
        vocabulary: of the model.
    """

    def __init__(self, model: keras.Model, vocabulary: CharacterVocabulary):
        import tensorflow as tf

        self._twin = with_carried_state(model, 1)
        self._call = tf.function(
            lambda tokens: self._twin(tokens, training=False)[:, -1],
            input_signature=[tf.TensorSpec((1, None), tf.int32)],
            autograph=False,
        )
        super().__init__(
            lambda tokens: self._call(tokens[None]).numpy()[0],
            lambda: reset_carried_state(self._twin),
            vocabulary,
        )

    def update(self, model: keras.Model) -> None:
        """Takes over a model's weights."""
        self._twin.set_weights(model.get_weights())


def evaluate_language_model(
    run: Run, data: CharacterData, *, prompt: str = "", seed: int = 0
) -> dict[str, float]:
    """Evaluates a run's model on the test text and lets it write.

    The text is read in 32 streams side by side, each of which begins with no
    state. Writes evaluation.json and samples/inputs.npy, and sets
    `run.metrics`, `run.metadata`, `run.samples`.

    Args:
        run: a run with its trained model.
        data: the text.
        prompt: what the model's own texts begin with.
        seed: of these texts.

    Returns:
        Metrics by name.
    """
    text, vocabulary = data.text, data.vocabulary
    metrics, count = measure(run.model, data.test)
    run.metadata = {
        "task": "text_generation",
        "data": text.source,
        "vocabulary": list(vocabulary.characters),
        "streaming": True,  # a text is written character by character
    }
    rows = windows(data.test, SAMPLE_ROWS, SAMPLE_STEPS)
    run.samples = rows
    with atomic_path(run.path / "samples", directory=True) as folder:
        np.save(folder / "inputs.npy", rows)
    writer = KerasWriter(run.model, vocabulary)
    texts = [
        {
            "temperature": temperature,
            "prompt": prompt,
            "text": "".join(
                writer.write(prompt, LENGTH, temperature=temperature, seed=seed)
            ),
        }
        for temperature in TEMPERATURES
    ]
    write_evaluation(
        run,
        task="text-generation",
        description=(
            f"Says which of {len(vocabulary)} characters comes next, and "
            "writes text."
        ),
        headline=(
            f"{metrics['bits_per_character']:.3f} bits per character, "
            f"perplexity {metrics['perplexity']:.2f}"
        ),
        tiles={
            "bits per character": f"{metrics['bits_per_character']:.3f}",
            "perplexity": f"{metrics['perplexity']:.2f}",
            "loss, nats": f"{metrics['loss']:.3f}",
        },
        metrics=metrics,
        split="test",
        count=count,
        examples="characters",
        loss="loss, nats per character",
        data={
            "source": text.source,
            "train": len(text.train),
            "validation": len(text.validation),
            "test": len(text.test),
        },
        sha256=text.sha256,
        texts=texts,
        limits="It writes what looks like its training text; nothing in it is "
        "meant to be true.",
    )
    return metrics


def measure(
    model: keras.Model, tokens: np.ndarray
) -> tuple[dict[str, float], int]:
    """Returns the metrics of a language model, and of how many tokens.

    Args:
        model: takes `tokens`, returns `logits`.
        tokens: int32 `(length,)`.

    Returns:
        `loss` in nats per token, `bits_per_character`, `perplexity`; and how
        many tokens were predicted.
    """
    streams = max(1, min(STREAMS, (len(tokens) - 1) // WINDOW))
    window = min(WINDOW, (len(tokens) - 1) // streams)
    steps = windows_per_epoch(len(tokens), streams, window)
    twin = with_carried_state(model, streams)
    twin.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    loss = float(
        twin.evaluate(
            stream_batches(tokens, streams=streams, window=window, steps=steps),
            verbose=0,
        )
    )
    return {
        "loss": loss,
        "bits_per_character": loss / math.log(2),
        "perplexity": math.exp(loss),
    }, steps * streams * window


def windows(tokens: np.ndarray, rows: int, steps: int) -> np.ndarray:
    """Returns the first windows of a text, int32 `(rows, steps)`."""
    steps = min(steps, len(tokens) // rows)
    return np.asarray(tokens[: rows * steps], np.int32).reshape(rows, steps)
