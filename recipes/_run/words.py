"""What comes out of a run that learned vectors of words."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np

from recipes._run.evaluation import count_parameters, write_evaluation
from recipes._run.projector import write_projector
from recipes._run.run import Run
from recipes._run.word_export import query_model
from recipes._run.word_files import VECTORS, VOCABULARY
from toolkit.data import Corpus
from toolkit.data.texts import EMBEDDED
from toolkit.io import atomic_path
from toolkit.text import WordVectors, write_word2vec

QUERIES = "word_queries.txt"
NEAREST = 10  # words looked at
FREQUENT = 20  # words whose neighbours are shown
FUNCTION_WORDS = 100  # that come before them
MODEL = "skip_gram.keras"


class Query(NamedTuple):
    """A word and what is expected near it.

    Attributes:
        word: whose neighbours are looked at.
        expected: words, one of which should be among them.
        found: the neighbours, nearest first; empty if the word is not known.
    """

    word: str
    expected: tuple[str, ...]
    found: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether an expected word was found."""
        return bool(set(self.expected) & set(self.found))


def announce(run: Run) -> None:
    """Says what takes a while before a corpus is there."""
    run.say(
        "gathering the documentation of the installed packages, half a minute"
        if run.config.data == EMBEDDED
        else f"reading {run.config.data}"
    )


def describe(corpus: Corpus) -> str:
    """Returns lines on a corpus: words, sentences, sha256, notes."""
    lines = [
        f"{corpus.raw_words:,} words in {corpus.sentences:,} sentences, "
        f"{corpus.distinct_words:,} different; {len(corpus.vocabulary):,} "
        f"are kept, {corpus.kept_words / corpus.raw_words:.1%} of the text; "
        f"sha256 {corpus.sha256[:16]}"
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in corpus.notes)])


def evaluate_words(run: Run, corpus: Corpus) -> dict[str, float]:
    """Asks for the neighbours of some words, and keeps the vectors.

    Writes vectors.bin, vocabulary.txt, skip_gram.keras (both tables), the
    files of TensorBoard's Projector and evaluation.json. The run's model
    becomes the one that answers queries.

    Args:
        run: a run with its trained skip-gram model.
        corpus: what it learned from.

    Returns:
        Metrics by name.
    """
    vectors = WordVectors(
        corpus.vocabulary, run.model.embedding.embeddings.numpy()
    )
    write_word2vec(
        run.path / VECTORS, vectors, vocabulary_path=run.path / VOCABULARY
    )
    write_projector(run.path / "tensorboard" / "train", vectors)
    with atomic_path(run.path / MODEL) as temporary:
        run.model.save(temporary)
    parameters = count_parameters(run.model)
    run.model, about, run.samples = query_model(vectors)
    run.metadata = {**about, "data": corpus.source}
    # The fixed queries are about the documentation.
    embedded = corpus.source == EMBEDDED
    answers = ask(vectors, queries() if embedded else frequent(vectors))
    known = [answer for answer in answers if answer.found and answer.expected]
    right = sum(answer.right for answer in known)
    metrics = {"loss": float(run.history[-1]["loss"])}
    tiles = {"words": f"{len(vectors):,}", "numbers each": str(vectors.size)}
    headline = f"{len(vectors):,} words, loss {metrics['loss']:.4f}"
    if known:
        metrics = {"queries_right": right / len(known), **metrics}
        tiles["queries"] = f"{right} of {len(known)}"
        headline += (
            f", an expected word among the {NEAREST} nearest in {right} of "
            f"{len(known)} queries"
        )
    write_evaluation(
        run,
        task="feature-extraction",
        description="Turns words into vectors; words used alike get similar "
        "ones.",
        headline=headline,
        tiles=tiles | {"loss, nats a pair": f"{metrics['loss']:.4f}"},
        metrics=metrics,
        split="training",
        count=corpus.kept_words,
        examples="words",
        loss="loss, nats per pair of words",
        data={
            "source": corpus.source,
            "train": corpus.kept_words,
            "validation": 0,
            "test": 0,
        },
        sha256=corpus.sha256,
        queries=[answer._asdict() for answer in answers],
        parameters=parameters,
        limits="It knows the words of its corpus only, and gives each a single "
        "vector, whatever it means in a sentence.",
    )
    run.save_model()
    with atomic_path(run.path / "samples", directory=True) as folder:
        np.save(folder / "inputs.npy", run.samples)
    return metrics


def queries() -> list[Query]:
    """Returns the fixed queries."""
    text = resources.files("recipes._run").joinpath(QUERIES).read_text("utf-8")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, expected = line.partition(":")
            found.append(Query(word.strip(), tuple(expected.split())))
    return found


def frequent(vectors: WordVectors) -> list[Query]:
    """Returns queries of frequent words, nothing expected.

    The most frequent ones are passed over: "the" and "of" stand anywhere.
    """
    skipped = min(FUNCTION_WORDS, len(vectors) // 10)
    words = vectors.vocabulary.words[skipped:]
    return [Query(word, ()) for word in words if len(word) > 2][:FREQUENT]


def ask(vectors: WordVectors, questions: list[Query]) -> list[Query]:
    """Returns the questions with the nearest words of those that are known."""
    return [
        query._replace(
            found=tuple(word for word, _ in vectors.neighbours(query.word))
        )
        if query.word in vectors
        else query
        for query in questions
    ]
