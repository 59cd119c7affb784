"""The recipes: what they are for and what to expect; imports nothing heavy."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from toolkit.errors import ConfigError, unknown


@dataclass(frozen=True)
class Entry:
    """One recipe.

    Attributes:
        name: what a user writes.
        title: what a page shows.
        task: one line.
        data: the sources it takes.
        metric: the measured result on the embedded data.
        minutes: of the run on the embedded data, on 2 cores.
    """

    name: str
    title: str
    task: str
    data: str
    metric: str
    minutes: float


CATALOG: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "lenet5",
            "LeNet-5",
            "convolutional net for small images",
            "images",
            "98.9 % test accuracy",
            0.5,
        ),
        Entry(
            "autoencoder",
            "Autoencoder",
            "images through a narrow code and back; unusual images",
            "images",
            "squared error 0.70 per image, PCA 1.60",
            0.3,
        ),
        Entry(
            "encoder_8_3_8",
            "8-3-8 encoder",
            "eight patterns through three hidden units",
            "generated",
            "8 of 8 patterns right",
            0.2,
        ),
        Entry(
            "face_recognition",
            "Face recognition",
            "pose, person or sunglasses of a head picture; few hidden units",
            "faces",
            "92.6 % of poses right",
            0.3,
        ),
        Entry(
            "char_rnn",
            "Character model",
            "which character comes next; writes text",
            "text",
            "2.08 bits per character",
            3,
        ),
        Entry(
            "language_model",
            "Language model",
            "which word comes next; perplexity, writes text",
            "text",
            "perplexity 199.6",
            3,
        ),
        Entry(
            "seq2seq",
            "Sequence to sequence",
            "encoder-decoder with attention; dates, translation",
            "pairs of texts",
            "99.9 % of dates right",
            2,
        ),
        Entry(
            "sequence_classifier",
            "Sequence classifier",
            "recurrent net that reads images row by row; gradients in time",
            "images",
            "98.9 % test accuracy",
            0.3,
        ),
        Entry(
            "softmax_regression",
            "Softmax regression",
            "linear classifier; logistic regression for two classes",
            "images",
            "96.4 % test accuracy",
            0.2,
        ),
        Entry(
            "word2vec",
            "word2vec",
            "skip-gram vectors of words; neighbours and analogies",
            "text",
            "smoke test: an expected word near 19 of 20",
            1,
        ),
    )
}


def get(name: str) -> ModuleType:
    """Imports a recipe by name; its file imports no TensorFlow by itself.

    Raises:
        ConfigError: there is no such recipe.
    """
    if name not in CATALOG:
        raise ConfigError(
            f"{unknown('recipe', name, CATALOG)} `toolkit list` describes them."
        )
    return importlib.import_module(f"recipes.{name}")
