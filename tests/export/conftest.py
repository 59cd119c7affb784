"""Word vectors, exported once for all tests."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import pytest

import export
from export.report import Report
from toolkit.text import Vocabulary, WordVectors

ROYAL = (
    "man", "woman", "king", "queen", "boy", "girl", "prince", "princess",
)  # fmt: skip
K = 5


class WordFiles(NamedTuple):
    """A model of word vectors and its files.

    Attributes:
        vectors: what they hold.
        model: the Keras model.
        done: the report.
    """

    vectors: WordVectors
    model: keras.Model
    done: Report


def word_vectors() -> WordVectors:
    """Vectors in which king - man + woman is near queen; "void" is zeros."""
    rng = np.random.default_rng(0)
    names = [*ROYAL, "void", *(f"word{n}" for n in range(80)), "größe"]
    table = rng.normal(size=(len(names), 16))
    sex, crown, youth = np.eye(16)[:3] * 4
    for row, _ in enumerate(ROYAL):
        table[row] = 0.3 * table[row] + (row & 1) * 2 * sex - sex
        table[row] += crown if row & 2 else -crown
        table[row] += youth if row & 4 else -youth
    table[ROYAL.index("princess") + 1] = 0
    table *= rng.lognormal(0, 1, size=(len(names), 1))
    return WordVectors(Vocabulary(names), table)


@pytest.fixture(scope="session")
def word_files(tmp_path_factory) -> WordFiles:
    """Small word vectors in every format."""
    from recipes._run.word_export import query_model

    vectors = word_vectors()
    model, metadata, samples = query_model(vectors, K)
    done = export.export(
        model,
        tmp_path_factory.mktemp("words"),
        signatures=metadata.pop("signatures"),
        metadata={**metadata, "data": "made up", "metrics": {"loss": 1.0}},
        samples=samples,
    )
    return WordFiles(vectors, model, done)
