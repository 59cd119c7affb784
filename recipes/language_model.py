"""A language model of words.

Task: which word comes next, from all before it: P(w1 ... wn) is the product of
P(wi | w1 ... wi-1).
Papers: T. Mikolov et al.: Recurrent neural network based language model (2010);
W. Zaremba, I. Sutskever, O. Vinyals: Recurrent neural network regularization
(2014).
Run: `toolkit train language_model --export saved_model,onnx`
     `toolkit train language_model --data FOLDER --preset zaremba_small`
     `toolkit evaluate runs/language_model/1 --data FILE`
     `toolkit generate runs/language_model/1 --prompt "the " --length 50`
Measured on 2 cores: embedded text (sha256 f4a4163b, Python 3.11 and packages
of requirements.lock), 300,000 words of 4,756 kinds, test perplexity 199.6
(199.7, 196.3, 202.8; other processors act as other seeds) after 41 s;
WikiText-2 (preset wikitext2) exact 99.1 after 94 min on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from recipes._run.config import check, check_clipping
from recipes._run.run import Run
from recipes._run.types import Model
from toolkit.errors import ConfigError

RECIPE = "language_model"


@dataclass(frozen=True)
class Config:
    """A recurrent language model of words.

    Args:
        data: `embedded` (the documentation in your own installation), a text
            file (also .gz), a folder of them, which may be called after
            train, valid and test, or `tfds:NAME` of a set with texts.
        tokens: what a word is: `words` (lower-cased), `whitespace` (as it
            stands, such as WikiText) or `text8`.
        ends: where <eos> stands: `lines`, `paragraphs`; `auto` takes what fits
            the data.
        min_count: rarer words become <unk>.
        max_vocabulary: how many words to know at most; 0 for all.
        max_words: how many to read of the embedded text; 0 for 300,000.
        cell: of the recurrent layers.
        units: width of each recurrent layer.
        layers: how many recurrent layers.
        embedding: file of word vectors to start from, in word2vec's format.
        embedding_size: width of a word's vector; 0 for that of the file, or
            `units`.
        tied: whether the output has the vectors of the embedding; not with
            the hierarchical softmax.
        objective: `softmax`; for large vocabularies `sampled_softmax` or
            `hierarchical_softmax`. Perplexities are exact with all of them.
        sampled: words in a sample; of the sampled softmax.
        dropout: share dropped between the layers in training, in [0, 1).
        window: words after which backpropagation through time is cut off; the
            state is carried on.
        batch_size: parts of the text that are read side by side.
        epochs: passes over the training text, at most.
        patience: epochs without a better one after which training stops; 0
            never stops it.
        validation_words: how many words of the validation text judge an
            epoch; 0 for all.
        optimizer: `sgd` on the sum of a window's losses, or `adam`.
        learning_rate: at the start; falls to 0 along a cosine, unless
            `decay_after` is set. 0 for what suits: 1 with SGD, 0.1 for an
            Elman net; 0.002 with Adam.
        decay_after: epochs after which the learning rate is multiplied with
            `decay` at every epoch; 0 for the cosine.
        decay: see there.
        clip_norm: largest norm of all gradients together; 0 leaves them.
        clip_value: largest size of a gradient's entry; 0 leaves them.
        prompt: what the samples during training begin with.
        seed: of the weights, the dropout and all that is drawn.
    """

    data: str = "embedded"
    tokens: Literal["words", "whitespace", "text8"] = "words"
    ends: Literal["auto", "lines", "paragraphs"] = "auto"
    min_count: int = 3
    max_vocabulary: int = 0
    max_words: int = 0
    cell: Literal["elman", "gru", "lstm", "peephole_lstm"] = "lstm"
    units: int = 200
    layers: int = 1
    embedding: str = ""
    embedding_size: int = 0
    tied: bool = True
    objective: Literal["softmax", "sampled_softmax", "hierarchical_softmax"] = (
        "sampled_softmax"
    )
    sampled: int = 1024
    dropout: float = 0.4
    window: int = 35
    batch_size: int = 32
    epochs: int = 6
    patience: int = 0
    validation_words: int = 0
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 0.0
    decay_after: int = 0
    decay: float = 0.5
    clip_norm: float = 5.0
    clip_value: float = 0.0
    prompt: str = ""
    seed: int = 0

    def __post_init__(self):
        check(
            self,
            at_least={
                **dict.fromkeys(
                    (
                        "min_count", "units", "layers", "sampled", "window",
                        "batch_size", "epochs",
                    ),
                    1,
                ),
                **dict.fromkeys(
                    (
                        "max_vocabulary", "max_words", "embedding_size",
                        "dropout", "patience", "validation_words",
                        "learning_rate", "decay_after", "clip_norm",
                        "clip_value",
                    ),
                    0,
                ),
            },
            above={"decay": 0},
            below={"dropout": 1},
        )  # fmt: skip
        if self.tied and self.objective == "hierarchical_softmax":
            raise ConfigError(
                "The hierarchical softmax has a vector for every node of its "
                "tree, none for every word, so its output cannot be tied. Add "
                "--tied false, or take --objective sampled_softmax."
            )
        check_clipping(self)


ZAREMBA = {
    "tied": False, "objective": "softmax", "optimizer": "sgd",
    "clip_norm": 5.0, "batch_size": 20, "layers": 2,
}  # fmt: skip
PRESETS = {
    "default": {},
    "quick": {"max_words": 100_000, "units": 100, "epochs": 2},
    "wikitext2": {
        "tokens": "whitespace", "min_count": 1, "units": 512,
        "epochs": 10, "validation_words": 20_000,
    },
    "mikolov2010": {
        "cell": "elman", "units": 100, "tied": False, "objective": "softmax",
        "optimizer": "sgd", "dropout": 0.0, "window": 5,
        "epochs": 10, "decay_after": 6, "clip_norm": 0.0, "clip_value": 15.0,
    },
    "zaremba_small": {
        **ZAREMBA, "units": 200, "dropout": 0.0, "window": 20, "epochs": 13,
        "decay_after": 4, "decay": 0.5,
    },
    "zaremba_medium": {
        **ZAREMBA, "units": 650, "dropout": 0.5, "window": 35, "epochs": 39,
        "decay_after": 6, "decay": 1 / 1.2,
    },
}  # fmt: skip


def build_data(config: Config) -> Any:
    """Loads the text and turns it into numbers of words."""
    from recipes._run.language import WordData
    from toolkit.data import load_words

    text = load_words(
        config.data,
        tokens=config.tokens,
        ends=config.ends,
        min_count=config.min_count,
        max_vocabulary=config.max_vocabulary,
        max_words=config.max_words,
    )
    return WordData(text, config.tokens)


def build_model(config: Config, data: Any) -> Model:
    """Builds the model, which begins each sequence anew."""
    from recipes._run.language_training import start_from, vectors_of
    from toolkit.models import language_model

    vectors = vectors_of(config)
    model = language_model(
        len(data.vocabulary),
        config.cell,
        config.units,
        config.layers,
        vectors.size if vectors else config.embedding_size or config.units,
        config.dropout,
        RECIPE,
        tied=config.tied,
        objective=config.objective,
        counts=data.text.vocabulary.counts,
        sampled=config.sampled,
        seed=config.seed,
    )
    if vectors:
        start_from(model, vectors, data.vocabulary)
    return model


def train(config: Config, data: Any, model: Model, run: Run) -> None:
    """Truncated backpropagation through time over contiguous streams."""
    from recipes._run.language_training import train_language_model

    train_language_model(config, data, model, run)


def evaluate(config: Config, data: Any, run: Run) -> dict[str, float]:
    """Evaluates on the test text; writes some of its own."""
    from recipes._run.language import evaluate_language_model

    return evaluate_language_model(
        run, data, prompt=config.prompt, seed=config.seed
    )


def main(config: Config | None = None, run: Run | None = None) -> Run:
    """Trains and evaluates.

    Args:
        config: the settings; all defaults if None.
        run: where the results go; a new directory under `runs` if None.

    Returns:
        The run: `.model`, `.history`, `.metrics`, `.export([...])`.
    """
    from recipes._run.start import prepare

    config = config or Config()
    run = run or Run(RECIPE, config)
    with run:
        prepare(config.seed)
        data = build_data(config)
        run.say(data.describe())
        run.check_data(data.text.sha256)
        model = build_model(config, data)
        train(config, data, model, run)
        evaluate(config, data, run)
    return run
