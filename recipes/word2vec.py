"""Vectors of words, learned from the words around them.

Task: which words stand around a word; its vector is what tells.
Papers: T. Mikolov, K. Chen, G. Corrado, J. Dean: Efficient estimation of word
representations in vector space (2013a); T. Mikolov, I. Sutskever, K. Chen,
G. Corrado, J. Dean: Distributed representations of words and phrases and their
compositionality (2013b).
Run: `toolkit train word2vec --export onnx,litert`
     `toolkit train word2vec --data corpus.txt.gz --tokens whitespace`
     `toolkit evaluate runs/word2vec/1 --analogies questions-words.txt`
     `toolkit predict runs/word2vec/1/export/word2vec.onnx --neighbours array`
Measured on 2 cores, seed 0: embedded text, 9 s of training after half a minute
of gathering it; as a smoke test, an expected word is among the ten nearest in
19 of 20 queries of our own list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from recipes._run.config import check
from recipes._run.run import Run
from recipes._run.types import Model
from toolkit.errors import ConfigError

RECIPE = "word2vec"


@dataclass(frozen=True)
class Config:
    """Skip-gram word vectors; the names are gensim's where it has them.

    Args:
        data: `embedded` (the documentation in your own installation),
            `tfds:NAME` of a set with texts, a text file (also .gz) or a folder
            of them.
        tokens: what a word is: `words` (lower-cased), `whitespace` (as it
            stands) or `text8` (a to z only, digits spelled out).
        sentences: what windows do not cross: `lines`, `paragraphs`,
            `document`; `auto` takes what fits the data.
        max_words: how many to read of the corpus at most; 0 for all.
        min_count: rarer words are left out.
        max_vocabulary: how many of the most frequent words to keep; 0 for
            all.
        objective: `negative_sampling`, `hierarchical_softmax`, or `softmax`
            for small vocabularies.
        vector_size: length of a vector.
        window: largest distance between two words that meet.
        negative: words drawn against each pair.
        ns_exponent: words are drawn as often as they occur, to this power.
        sample: share of the text above which a word is dropped at times; 0
            drops none.
        alpha: learning rate at the start; falls along a line.
        min_alpha: learning rate at the end.
        epochs: passes over the corpus.
        workers: parts of a block trained on at the same time, one core each;
            another number gives other vectors.
        batch_words: words of a block; a small corpus takes smaller ones. 0
            for what suits the objective.
        seed: of everything that is drawn.
    """

    data: str = "embedded"
    tokens: Literal["words", "whitespace", "text8"] = "words"
    sentences: Literal["auto", "lines", "paragraphs", "document"] = "auto"
    max_words: int = 0
    min_count: int = 5
    max_vocabulary: int = 0
    objective: Literal[
        "negative_sampling", "hierarchical_softmax", "softmax"
    ] = "negative_sampling"
    vector_size: int = 100
    window: int = 5
    negative: int = 5
    ns_exponent: float = 0.75
    sample: float = 1e-3
    alpha: float = 0.025
    min_alpha: float = 1e-4
    epochs: int = 5
    workers: int = 2
    batch_words: int = 0
    seed: int = 0

    def __post_init__(self):
        check(
            self,
            at_least={
                **dict.fromkeys(
                    (
                        "min_count", "vector_size", "window", "epochs",
                        "workers",
                    ),
                    1,
                ),
                **dict.fromkeys(
                    (
                        "max_words", "max_vocabulary", "negative", "sample",
                        "min_alpha", "batch_words",
                    ),
                    0,
                ),
            },
            above={"alpha": 0},
        )  # fmt: skip
        if self.batch_words and self.batch_words < 1024:
            raise ConfigError(
                "--batch-words must be at least 1024, or 0 for what suits the "
                f"objective. Received: {self.batch_words}"
            )
        if self.objective == "negative_sampling" and not self.negative:
            raise ConfigError(
                "--negative must be at least 1. Received: 0. Without "
                "negatives, add --objective hierarchical_softmax (or softmax)."
            )
        if self.min_alpha > self.alpha:
            raise ConfigError(
                "--min-alpha must be at most --alpha. Received: "
                f"{self.min_alpha:g} and {self.alpha:g}"
            )


PRESETS = {
    "default": {},
    "hierarchical_softmax": {"objective": "hierarchical_softmax"},
}


def build_data(config: Config) -> Any:
    """Reads the corpus and builds the vocabulary."""
    from toolkit.data import read_corpus

    return read_corpus(
        config.data,
        tokens=config.tokens,
        sentences=config.sentences,
        min_count=config.min_count,
        max_vocabulary=config.max_vocabulary,
        max_words=config.max_words,
    )


def build_model(config: Config, data: Any) -> Model:
    """Builds the skip-gram model."""
    from toolkit.models import skip_gram

    return skip_gram(
        data.vocabulary.counts,
        config.vector_size,
        config.objective,
        window=config.window,
        negative=config.negative,
        ns_exponent=config.ns_exponent,
        sample=config.sample,
        workers=config.workers,
        seed=config.seed,
    )


def train(config: Config, data: Any, model: Model, run: Run) -> None:
    """Plain stochastic gradient descent on blocks of the corpus."""
    import keras

    from recipes._run import fit
    from toolkit.data import block_size, text_block_batches

    block = block_size(
        len(data.ids), most=config.batch_words or model.block_words
    )
    steps = -(-len(data.ids) // block)
    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.PolynomialDecay(
                config.alpha, steps * config.epochs, config.min_alpha
            )
        )
    )
    fit(
        run,
        model,
        lambda start: text_block_batches(
            data.ids,
            block=block,
            steps=steps * config.epochs - start,
            seed=config.seed,
            start=start,
        ),
        None,
        epochs=config.epochs,
        steps_per_epoch=steps,
        batch_size=block,
        unit="words",
    )


def evaluate(config: Config, data: Any, run: Run) -> dict[str, float]:
    """Asks for the neighbours of some words; keeps the vectors."""
    from recipes._run.words import evaluate_words

    return evaluate_words(run, data)


def main(config: Config | None = None, run: Run | None = None) -> Run:
    """Trains and evaluates.

    Args:
        config: the settings; all defaults if None.
        run: where the results go; a new directory under `runs` if None.

    Returns:
        The run: `.model`, `.history`, `.metrics`, `.export([...])`.
    """
    from recipes._run.start import prepare
    from recipes._run.words import announce, describe

    config = config or Config()
    run = run or Run(RECIPE, config)
    with run:
        prepare(config.seed)
        announce(run)
        data = build_data(config)
        run.say(describe(data))
        run.check_data(data.sha256)
        model = build_model(config, data)
        train(config, data, model, run)
        evaluate(config, data, run)
    return run
