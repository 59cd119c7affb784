"""A character model that writes text.

Task: which character comes next, from all before it.
Papers: T. Mikolov et al.: Recurrent neural network based language model (2010);
A. Karpathy: The unreasonable effectiveness of recurrent neural networks (2015).
Run: `toolkit train char_rnn --export saved_model,onnx`
     `toolkit train char_rnn --preset shakespeare`
     `toolkit train char_rnn --preset shakespeare_large`
     `toolkit generate runs/char_rnn/1 --prompt "The " --temperature 0.7`
Measured on 2 cores, seed 0, validation text in nats and test text in bits per
character: embedded text (LSTM) 1.20, 2.08 in 2.4 min; tiny Shakespeare, both
with a peephole LSTM: `shakespeare` 1.503, 2.33 in 2 min; `shakespeare_large`
1.366, 2.17 in 21 min on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from recipes._run.config import check, check_clipping
from recipes._run.run import Run
from recipes._run.types import Model

RECIPE = "char_rnn"


@dataclass(frozen=True)
class Config:
    """A recurrent language model of characters.

    Args:
        data: `embedded` (the documentation in your own installation),
            `tfds:tiny_shakespeare`, a text file (also .gz) or a folder of
            them.
        characters: how many to take of the text at most; 0 for all.
        cell: of the recurrent layers.
        units: width of each recurrent layer.
        layers: how many recurrent layers.
        embedding: width of a character's vector.
        dropout: share dropped between the layers in training, in [0, 1).
        window: characters after which backpropagation through time is cut
            off; the state is carried on.
        batch_size: parts of the text that are read side by side.
        epochs: passes over the training text, at most.
        patience: epochs without a better one after which training stops; 0
            never stops it.
        learning_rate: at the start; falls to 0 along a cosine.
        clip_norm: largest norm of all gradients together; 0 leaves them.
        clip_value: largest size of a gradient's entry; 0 leaves them.
        prompt: what the samples during training begin with; by default a
            new line.
        seed: of the weights, the dropout and the samples.
    """

    data: str = "embedded"
    characters: int = 0
    cell: Literal["elman", "gru", "lstm", "peephole_lstm"] = "lstm"
    units: int = 256
    layers: int = 1
    embedding: int = 64
    dropout: float = 0.0
    window: int = 64
    batch_size: int = 32
    epochs: int = 3
    patience: int = 0
    learning_rate: float = 4e-3
    clip_norm: float = 1.0
    clip_value: float = 0.0
    prompt: str = ""
    seed: int = 0

    def __post_init__(self):
        check(
            self,
            at_least={
                **dict.fromkeys(
                    (
                        "units", "layers", "embedding", "window",
                        "batch_size", "epochs",
                    ),
                    1,
                ),
                **dict.fromkeys(
                    (
                        "characters", "dropout", "patience", "clip_norm",
                        "clip_value",
                    ),
                    0,
                ),
            },
            above={"learning_rate": 0},
            below={"dropout": 1},
        )  # fmt: skip
        check_clipping(self)


SHAKESPEARE = {"data": "tfds:tiny_shakespeare", "cell": "peephole_lstm"}
LARGE = {"units": 512, "dropout": 0.2, "learning_rate": 3e-3}
PRESETS = {
    "default": {},
    "shakespeare": {**SHAKESPEARE, "epochs": 5},
    "shakespeare_large": {**SHAKESPEARE, **LARGE, "epochs": 12},
    "elman": {"cell": "elman", "learning_rate": 1e-3},
    "gru": {"cell": "gru"},
    "peephole_lstm": {"cell": "peephole_lstm"},
}


def build_data(config: Config) -> Any:
    """Loads the text and turns it into numbers."""
    from recipes._run.language import CharacterData
    from toolkit.data import load_text

    return CharacterData(load_text(config.data, characters=config.characters))


def build_model(config: Config, data: Any) -> Model:
    """Builds the model, which begins each sequence anew."""
    from toolkit.models import language_model

    return language_model(
        len(data.vocabulary),
        config.cell,
        units=config.units,
        layers=config.layers,
        embedding=config.embedding,
        dropout=config.dropout,
        name=RECIPE,
    )


def train(config: Config, data: Any, model: Model, run: Run) -> None:
    """Truncated backpropagation through time over contiguous streams."""
    import keras

    from recipes._run import fit, keep_gradient_norms
    from recipes._run.language import LENGTHS, Samples
    from toolkit.data import stream_batches, windows_per_epoch
    from toolkit.training import (
        CarriedState,
        GradientNorms,
        steps_per_execution,
        with_carried_state,
    )

    # Data
    settings = {"streams": config.batch_size, "window": config.window}
    steps = windows_per_epoch(len(data.train), **settings)
    validation = stream_batches(
        data.validation,
        steps=windows_per_epoch(len(data.validation), **settings),
        **settings,
    )

    # A twin that carries its state from window to window
    twin = with_carried_state(model, config.batch_size)
    twin.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                config.learning_rate, steps * config.epochs
            ),
            global_clipnorm=config.clip_norm or None,
            clipvalue=config.clip_value or None,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
        steps_per_execution=steps_per_execution(steps),
    )
    (probe,) = stream_batches(data.train, steps=1, **settings)
    norms = GradientNorms(*probe)
    _, length = LENGTHS[data.unit]
    samples = Samples(run, data.vocabulary, config.prompt, config.seed, length)

    # Fit
    fit(
        run,
        twin,
        lambda start: stream_batches(
            data.train,
            steps=steps * config.epochs - start,
            start=start,
            **settings,
        ),
        validation,
        epochs=config.epochs,
        steps_per_epoch=steps,
        batch_size=config.batch_size * config.window,
        patience=config.patience,
        callbacks=[CarriedState(), norms, samples],
    )
    keep_gradient_norms(run, norms)
    run.write_json("texts.json", samples.texts)
    model.set_weights(twin.get_weights())
    run.model = model
    run.save_model()


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
