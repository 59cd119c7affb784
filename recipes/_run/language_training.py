"""Training a language model of words inside a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from recipes._run.fitting import fit
from recipes._run.gradients import keep_gradient_norms
from recipes._run.language import LENGTHS, Samples, WordData
from recipes._run.run import Run
from toolkit.data import stream_batches, windows_per_epoch
from toolkit.errors import ConfigError, DataError
from toolkit.layers import pretrained_embedding
from toolkit.models import next_token_losses
from toolkit.models.language_model import has_losses
from toolkit.text import RunningText, WordVectors, read_word2vec
from toolkit.training import (
    CarriedState,
    GradientNorms,
    steps_per_execution,
    with_carried_state,
)

# What suits where no learning rate is given
SGD_RATE, ADAM_RATE = 1.0, 0.002
SGD_RATES = {"elman": 0.1}  # of other cells; at 1 it diverges


def vectors_of(config: Any) -> WordVectors | None:
    """Returns the word vectors that a model starts from, if any.

    Raises:
        ConfigError: a width that is not theirs.
        DataError: a file that is missing or damaged.
    """
    if not config.embedding:
        return None
    if not Path(config.embedding).expanduser().is_file():
        raise DataError(
            f'There is no file "{config.embedding}" (--embedding). Give one '
            "of word vectors in word2vec's format, such as the vectors.bin "
            "that `toolkit train word2vec` writes."
        )
    vectors = read_word2vec(config.embedding)
    if config.embedding_size not in (0, vectors.size):
        raise ConfigError(
            f"--embedding-size must be {vectors.size}, as in "
            f'"{config.embedding}". Leave it out. Received: '
            f"{config.embedding_size}"
        )
    return vectors


def start_from(
    model: keras.Model, vectors: WordVectors, vocabulary: RunningText
) -> None:
    """Gives a model's embedding the vectors of the words that have some.

    They are scaled to the root mean square of the rows that have none.

    Raises:
        DataError: no word of the vocabulary has a vector, or only zeros.
    """
    table = model.get_layer("embedding")
    (own,) = table.get_weights()
    words = vocabulary.vocabulary.words
    given = pretrained_embedding(vectors, words)
    (rows,) = given.get_weights()
    known = np.isin(words, given.unknown_words, invert=True)
    if not rows[known].any():
        raise DataError(
            f"The vectors of all {known.sum():,} known words are zeros "
            "(--embedding). Give a file of trained vectors."
        )
    scale = np.sqrt(np.mean(own**2) / np.mean(rows[known] ** 2))
    own[known] = scale * rows[known]
    table.set_weights([own])


def train_language_model(
    config: Any, data: WordData, model: keras.Model, run: Run
) -> None:
    """Truncated backpropagation through time over contiguous streams.

    Args:
        config: of the recipe.
        data: what to learn from.
        model: from `models.language_model`; `run.model` afterwards.
        run: takes what comes out.
    """
    # Data
    sampled = has_losses(model)
    settings = {"streams": config.batch_size, "window": config.window}
    steps = windows_per_epoch(len(data.train), **settings)
    held = data.validation[: config.validation_words or None]
    if len(held) <= config.batch_size:
        raise DataError(
            f"{len(held)} words of the validation text are too few for "
            f"--batch-size {config.batch_size}. Give a longer text or "
            "a smaller batch. Received: --validation-words "
            f"{config.validation_words}"
        )
    # A short text has shorter windows, which the carried state makes up for.
    longest = (len(held) - 1) // config.batch_size
    held_settings = settings | {"window": min(config.window, longest)}
    held_steps = windows_per_epoch(len(held), **held_settings)

    def batches(tokens, count, start=0, settings=settings):
        found = stream_batches(tokens, steps=count, start=start, **settings)
        return found.map(lambda x, y: ((x, y),)) if sampled else found

    # A twin that carries its state from window to window
    trained = next_token_losses(model) if sampled else model
    twin = with_carried_state(trained, config.batch_size)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    twin.compile(
        optimizer=_optimizer(config, steps),
        loss=None if sampled else loss,
        jit_compile=False,
        steps_per_execution=steps_per_execution(steps),
    )

    def writing(twin):
        trained.set_weights(twin.get_weights())
        return model

    (probe,) = stream_batches(data.train, steps=1, **settings)
    norms = (
        GradientNorms(list(probe), probe[1], _of_last_step)
        if sampled
        else GradientNorms(*probe)
    )
    _, length = LENGTHS[data.unit]
    samples = Samples(
        run, data.vocabulary, config.prompt, config.seed, length, writing
    )

    # Fit
    if not config.learning_rate:
        run.say(f"learning rate {_rate(config):g}")
    fit(
        run,
        twin,
        lambda start: batches(data.train, steps * config.epochs - start, start),
        batches(held, held_steps, settings=held_settings),
        epochs=config.epochs,
        steps_per_epoch=steps,
        batch_size=config.batch_size * config.window,
        patience=config.patience,
        callbacks=[CarriedState(), norms, samples],
        unit="words",
    )
    keep_gradient_norms(run, norms)
    run.write_json("texts.json", samples.texts)
    run.model = writing(twin)
    run.save_model()


def _of_last_step(targets, losses):
    """Returns the mean loss of the last step."""
    del targets
    return keras.ops.mean(losses[:, -1])


def _rate(config: Any) -> float:
    """Returns the learning rate at the start."""
    if config.learning_rate:
        return config.learning_rate
    if config.optimizer == "adam":
        return ADAM_RATE
    return SGD_RATES.get(config.cell, SGD_RATE)


def _optimizer(config: Any, steps: int) -> keras.optimizers.Optimizer:
    """Returns the optimizer that a configuration asks for."""
    plain = config.optimizer == "sgd"
    # Of the sum of a window's losses, where Keras takes the mean.
    scale = config.window if plain else 1
    rate = _rate(config) * scale
    decayed = range(config.decay_after, config.epochs)
    if config.decay_after and decayed:
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            # The step at a boundary still has the rate before it.
            [steps * epoch - 1 for epoch in decayed],
            [rate * config.decay**k for k in range(len(decayed) + 1)],
        )
    elif not config.decay_after:
        rate = keras.optimizers.schedules.CosineDecay(
            rate, steps * config.epochs
        )
    kind = keras.optimizers.SGD if plain else keras.optimizers.Adam
    return kind(
        rate,
        global_clipnorm=config.clip_norm / scale or None,
        clipvalue=config.clip_value / scale or None,
    )
