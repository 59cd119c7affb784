"""Training and evaluating language models inside a run."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np

from export.runtime import LANGUAGE_MODEL
from recipes._run.evaluation import write_evaluation
from recipes._run.keras_writer import KerasWriter
from recipes._run.run import Run
from recipes._run.surprise import keep_surprise
from recipes._run.writing import TextVocabulary, encode_prompt
from toolkit.data import TextData, WordText
from toolkit.evaluation import perplexity_metrics, token_losses
from toolkit.io import atomic_path
from toolkit.text import CharacterVocabulary, RunningText
from toolkit.text.running_text import UNKNOWN_WORD

STREAMS, WINDOW = 32, 128  # of the test text
# Tokens of a text in the report, and of a sample during training
LENGTHS = {"character": (400, 150), "word": (100, 40)}
TEMPERATURES = (0.5, 0.8, 1.0)
SAMPLE_ROWS, SAMPLE_STEPS = 3, 40  # real inputs for comparisons
DRY_RUN = 2_000  # tokens of the test text


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

    unit = "character"

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

    @property
    def metadata(self) -> dict:
        """What a model says of its vocabulary."""
        return {"vocabulary": list(self.vocabulary.characters)}


class WordData:
    """A text as numbers of words.

    Args:
        text: the text in three parts.
        tokens: what a word is.

    Attributes:
        text: the text.
        vocabulary: of its training part.
        train: int32 `(words,)`.
        validation: the same.
        test: the same.
    """

    unit = "word"

    def __init__(self, text: WordText, tokens: str):
        self.text, self.tokens = text, tokens
        self.vocabulary = RunningText(text.vocabulary.words, tokens)
        self.train, self.validation, self.test = (
            text.train,
            text.validation,
            text.test,
        )

    def describe(self) -> str:
        """Returns lines: how many words, how many are unknown, a note."""
        shares = ", ".join(f"{share:.1%}" for share in self.text.unknown)
        marks = np.mean(self.train == self.text.vocabulary.number(UNKNOWN_WORD))
        note = ""
        if self.tokens != "whitespace" and marks > self.text.unknown[0]:
            note = (
                f"\nnote: the text holds {UNKNOWN_WORD}. If its words were cut "
                "before, --tokens whitespace --min_count 1 takes them as they "
                "stand, as published perplexities do."
            )
        return (
            f"{len(self.train):,} words to train on, "
            f"{len(self.validation):,} to validate, {len(self.test):,} to "
            f"test; {len(self.vocabulary):,} different ones are known, "
            f"{shares} are not; sha256 {self.text.sha256[:16]}{note}"
        )

    @property
    def metadata(self) -> dict:
        """What a model says of its vocabulary."""
        return {
            "vocabulary": list(self.vocabulary.vocabulary.words),
            "tokens": self.tokens,
            "ends": self.text.ends,
        }


class Samples(keras.callbacks.Callback):
    """Says what the model writes, after every epoch.

    Args:
        run: says it, and keeps it.
        vocabulary: of the model.
        prompt: what the text begins with.
        seed: the same for every epoch, so that texts can be compared.
        length: tokens to write.
        writing: returns the model that writes, of the one that is trained;
            by default that itself.

    Attributes:
        texts: by epoch.

    Raises:
        DataError: a character of the prompt that is not known.
    """

    def __init__(
        self,
        run: Run,
        vocabulary: TextVocabulary,
        prompt: str,
        seed: int,
        length: int,
        writing: Callable[[keras.Model], keras.Model] = lambda model: model,
    ):
        super().__init__()
        encode_prompt(vocabulary, prompt)  # now, not after an epoch
        self.run = run
        self.vocabulary = vocabulary
        self.prompt = prompt
        self.seed = seed
        self.length = length
        self.writing = writing
        self.texts: list[str] = []
        self._writer: KerasWriter | None = None

    def on_epoch_end(self, epoch, logs=None):
        """Writes a text."""
        model = self.writing(self.model)
        if self._writer is None:
            self._writer = KerasWriter(model, self.vocabulary)
        self._writer.update(model)
        written = self._writer.write(
            self.prompt, self.length, temperature=0.8, seed=self.seed
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


def evaluate_language_model(
    run: Run, data: CharacterData | WordData, *, prompt: str = "", seed: int = 0
) -> dict[str, float]:
    """Evaluates a run's model on the test text and lets it write.

    The text is read in 32 streams side by side, each of which begins with no
    state. Writes evaluation.json, surprise.json and samples/inputs.npy, and
    sets `run.metrics`, `run.metadata`, `run.samples`.

    Args:
        run: a run with its trained model.
        data: the text.
        prompt: what the model's own texts begin with.
        seed: of these texts.

    Returns:
        Metrics by name.
    """
    text, vocabulary = data.text, data.vocabulary
    test = data.test[:DRY_RUN] if run.dry_run else data.test
    losses = token_losses(run.model, test, STREAMS)
    metrics, count = perplexity_metrics(losses), len(losses)
    keep_surprise(run, data)
    if data.unit == "character":
        bits = metrics["loss"] / math.log(2)
        metrics = {"bits_per_character": bits, **metrics}
    run.metadata = {
        "task": LANGUAGE_MODEL,
        "data": text.source,
        **data.metadata,
        "streaming": True,  # a text is written token by token
    }
    run.samples = windows(data.test, SAMPLE_ROWS, SAMPLE_STEPS)
    with atomic_path(run.path / "samples", directory=True) as folder:
        np.save(folder / "inputs.npy", run.samples)
    tiles = {
        "perplexity": f"{metrics['perplexity']:.2f}",
        "loss, nats": f"{metrics['loss']:.3f}",
    }
    headline = f"perplexity {tiles['perplexity']}"
    if "bits_per_character" in metrics:
        shown = f"{metrics['bits_per_character']:.3f}"
        headline = f"{shown} bits per character, {headline}"
        tiles = {"bits per character": shown, **tiles}
    write_evaluation(
        run,
        task="text-generation",
        description=(
            f"Says which of {len(vocabulary):,} {data.unit}s comes next, and "
            "writes text."
        ),
        headline=headline,
        tiles=tiles,
        metrics=metrics,
        split="test",
        count=count,
        examples=f"{data.unit}s",
        loss=f"loss, nats per {data.unit}",
        data={
            "source": text.source,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        sha256=text.sha256,
        texts=_own_texts(run, data, prompt, seed),
        limits="It writes what looks like its training text; nothing in it is "
        "meant to be true.",
    )
    return metrics


def _own_texts(run: Run, data, prompt: str, seed: int) -> list[dict]:
    """Returns what the model writes at several temperatures, as JSON."""
    writer = KerasWriter(run.model, data.vocabulary)
    length, _ = LENGTHS[data.unit]
    return [
        {
            "temperature": temperature,
            "prompt": prompt,
            "text": "".join(
                writer.write(prompt, length, temperature=temperature, seed=seed)
            ),
        }
        for temperature in TEMPERATURES
    ]


def windows(tokens: np.ndarray, rows: int, steps: int) -> np.ndarray:
    """Returns the first windows of a text, int32 `(rows, steps)`."""
    steps = min(steps, len(tokens) // rows)
    return np.asarray(tokens[: rows * steps], np.int32).reshape(rows, steps)
