"""Reading what a run left behind; what is not there is None."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recipes._run import config
from recipes._run.word_files import VECTORS, VOCABULARY
from recipes.catalog import CATALOG
from toolkit.errors import DataError, RunError
from toolkit.text import WordVectors, read_word2vec

MOST_WORDS = 200_000  # of a page; more would take long to read and to search


@dataclass(frozen=True)
class RunFiles:
    """The contents of a run directory.

    Attributes:
        path: the directory.
        config: settings, and `recipe`.
        environment: what it ran on.
        metrics: a dict of numbers per epoch.
        timing: seconds and examples per second, per epoch.
        evaluation: metrics and confusion matrix on the test split.
        predictions: labels, probabilities and the worst mistakes.
        inside: kernels and feature maps of a convolutional net.
        robustness: accuracy against strength, by distortion.
        trace: what was noted epoch by epoch.
        hidden_units: weights of hidden units before and after training.
        texts: what a language model wrote after each epoch.
        surprise: how it takes the first tokens of the test text.
        codes: patterns, hidden values and outputs of an encoder.
        autoencoding: codes, errors and reconstructions of an autoencoder.
        gradient_norms: of each layer, and step by step of recurrent ones.
        lengths: accuracy against how much of a sequence was read.
        vectors: of the most frequent words, with their counts if known.
        export: export/report.json.
    """

    path: Path
    config: dict[str, Any]
    environment: dict[str, Any] | None
    metrics: list[dict[str, float]] | None
    timing: list[dict[str, float]] | None
    evaluation: dict[str, Any] | None
    predictions: dict[str, np.ndarray] | None
    inside: dict[str, np.ndarray] | None
    robustness: dict[str, Any] | None
    trace: dict[str, np.ndarray] | None
    hidden_units: dict[str, np.ndarray] | None
    texts: list[str] | None
    surprise: dict[str, Any] | None
    codes: dict[str, np.ndarray] | None
    autoencoding: dict[str, np.ndarray] | None
    gradient_norms: dict[str, np.ndarray] | None
    lengths: dict[str, Any] | None
    vectors: WordVectors | None
    export: dict[str, Any] | None

    @property
    def title(self) -> str:
        """The recipe as a page names it."""
        name = self.config["recipe"]
        return CATALOG[name].title if name in CATALOG else name


def read(path: Path) -> RunFiles:
    """Reads a run directory.

    Raises:
        RunError: a file that is there but damaged; the message names it.
    """
    path = Path(path)
    return RunFiles(
        path=path,
        config=config.read(path / "config.yaml"),
        environment=_json(path / "environment.json"),
        metrics=_csv(path / "metrics.csv"),
        timing=_csv(path / "timing.csv"),
        evaluation=_json(path / "evaluation.json"),
        predictions=_npz(path / "predictions.npz"),
        inside=_npz(path / "inside.npz"),
        robustness=_json(path / "robustness.json"),
        trace=_npz(path / "trace.npz"),
        hidden_units=_npz(path / "hidden_units.npz"),
        texts=_json(path / "texts.json"),
        surprise=_json(path / "surprise.json"),
        codes=_npz(path / "codes.npz"),
        autoencoding=_npz(path / "autoencoding.npz"),
        gradient_norms=_npz(path / "gradient_norms.npz"),
        lengths=_json(path / "lengths.json"),
        vectors=_vectors(path / VECTORS, path / VOCABULARY),
        export=_json(path / "export" / "report.json"),
    )


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(f'"{path}" is damaged: {error}. Train the run again.')


def _json(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(path, error) from error


def _csv(path: Path) -> list[dict[str, float]] | None:
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        return [{k: float(v) for k, v in row.items()} for row in rows]
    except FileNotFoundError:
        return None
    except (TypeError, ValueError, csv.Error) as error:
        raise _damaged(path, error) from error


def _npz(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _vectors(path: Path, counts: Path) -> WordVectors | None:
    if not path.exists():
        return None
    known = counts if counts.exists() else None
    try:
        return read_word2vec(path, True, MOST_WORDS, vocabulary_path=known)
    except DataError as error:
        raise _damaged(path, error) from error
