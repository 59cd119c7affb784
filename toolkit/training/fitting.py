"""`fit` that can be killed at any moment and continued exactly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from toolkit.errors import ConfigError, RunError
from toolkit.training.checkpoints import Checkpoints, Remembered
from toolkit.training.clock import Clock
from toolkit.training.directory_guard import DirectoryGuard
from toolkit.training.interruption import Interruption
from toolkit.training.metrics_file import MetricsFile
from toolkit.training.nan_guard import NaNGuard
from toolkit.training.progress import Progress
from toolkit.training.tensorboard import TensorBoardScalars
from toolkit.whole_numbers import check_whole


@dataclass(frozen=True)
class Fitted:
    """What `fit` did.

    Attributes:
        rows: a dict per epoch: loss, metrics, learning rate.
        best_epoch: the epoch whose weights the model has now, from 1.
        best: the row of that epoch.
        seconds: of training and validation, all parts of the run together.
    """

    rows: list[dict]
    best_epoch: int | None
    best: dict | None
    seconds: float


def fit(
    model: keras.Model,
    training: Callable[[int], tf.data.Dataset],
    validation: tf.data.Dataset | None,
    *,
    directory: str | Path,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int,
    monitor: str = "val_loss",
    mode: str = "min",
    report_every: int = 1,
    patience: int = 0,
    resume: bool = False,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    say: Callable[[str], None] = print,
    how_to_resume: str = "",
    unit: str = "",
) -> Fitted:
    """Trains a compiled model; killed and resumed, it ends in the same bits.

    Leaves metrics.csv, timing.csv, TensorBoard files and checkpoints in a
    directory. At the end the model has the weights of its best epoch, judged
    on the validation batches, or of the last one if there are none.

    Exactness needs a pipeline that is a function of the step, as
    `toolkit.data.training_batches` is, the same kind of processor, the same
    number of cores and threads, and the same versions.

    Args:
        model: a compiled model, built the same way in every part of the run.
        training: takes a step, returns the batches from it on.
        validation: batches to judge an epoch by; None where the last epoch is
            the best by definition.
        directory: where the files go.
        epochs: how many in all.
        steps_per_epoch: batches of one epoch; a multiple of the model's
            `steps_per_execution`.
        batch_size: examples of one batch.
        monitor: quantity that tells the best epoch.
        mode: `max` or `min`.
        report_every: epochs between two rows, validations and checkpoints; a
            divisor of `epochs`. For data sets so small that these would take
            longer than the training.
        patience: epochs without a better one after which training stops; 0
            never stops it. A multiple of `report_every`.
        resume: whether to go on from the last checkpoint in the directory.
        callbacks: more callbacks. One with `state()` and `restore(state)` is
            remembered in the checkpoints, by its place and class.
        say: prints a line.
        how_to_resume: what to tell a user who interrupts.
        unit: what an example is, in the plural, for the speed on show.

    Raises:
        TrainingError: the loss is not a number; the checkpoints stay.
        Interrupted: Ctrl-C; the state is saved.
        ConfigError: If a number is not positive, or numbers of epochs or
            steps do not go together.
        RunError: nothing to go on from, a checkpoint that does not fit, or a
            directory that was removed in the meantime.

    Example:
    >>> import tempfile
    >>> import keras
    >>> from toolkit.data import (
    ...     evaluation_batches, load_images, training_batches)
    >>> from toolkit.models import softmax_regression
    >>> from toolkit.training import fit
    >>> data = load_images("embedded")
    >>> model = softmax_regression(data.image_shape, classes=10)
    >>> model.compile("adam", "sparse_categorical_crossentropy")
    >>> done = fit(
    ...     model,
    ...     lambda start: training_batches(
    ...         data.train, batch_size=32, seed=0, steps=80, start=start),
    ...     evaluation_batches(data.validation, batch_size=256),
    ...     directory=tempfile.mkdtemp(),
    ...     epochs=2, steps_per_epoch=40, batch_size=32,
    ...     say=lambda line: None)
    >>> len(done.rows), done.best_epoch
    (2, 2)
    """
    clock = _clock(epochs, steps_per_epoch, report_every, patience)
    check_whole("batch_size", batch_size, 1)
    if validation is None and patience:
        raise ConfigError(
            "`patience` needs validation batches to judge an epoch by. "
            f"Received: validation=None, patience={patience}."
        )
    if steps_per_epoch % model.steps_per_execution:
        raise RunError(
            f"`steps_per_epoch` must be a multiple of the model's "
            f"steps_per_execution ({model.steps_per_execution}). Received: "
            f"steps_per_epoch={steps_per_epoch}."
        )
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    callbacks = list(callbacks)
    metrics = MetricsFile(directory / "metrics.csv", clock, batch_size)
    checkpoints = Checkpoints(
        directory / "checkpoints",
        monitor,
        mode,
        [metrics, *(c for c in callbacks if isinstance(c, Remembered))],
        patience // report_every,
    )
    progress = Progress(clock, batch_size, say, unit=unit)
    interruption = Interruption(checkpoints, clock, how_to_resume)
    done, step, restore = 0, 0, []
    if resume:
        probe = training(0) if validation is None else validation
        done, step, restore = _resume(model, checkpoints, probe, say)
        if done > clock.rounds:
            raise RunError(
                f"The checkpoint in {checkpoints.last.parent} is at epoch "
                f"{done * report_every} of a training of {epochs}. Resume "
                "with the `epochs` the run was started with."
            )
        if step >= clock.steps:
            raise RunError(
                f"The checkpoint in {checkpoints.last.parent} is at step "
                f"{step} of an epoch, which has {clock.steps} steps now. "
                "Resume with the `steps_per_epoch` the run was started with."
            )
        if done or step:
            epoch, rest = clock.epoch_at(done, step)
            say(
                f"resuming after epoch {epoch}"
                + (f", step {rest}" if rest else "")
            )
    # A part of a round first, if the run was stopped in the middle of one.
    parts = [(done, done + 1, step)] if step else []
    parts += [(done + bool(step), clock.rounds, 0)]
    started = time.perf_counter()
    try:
        with interruption:
            for first, last, offset in parts:
                if first >= last or checkpoints.exhausted(first):
                    continue
                clock.first_step = offset
                model.fit(
                    training(first * clock.steps + offset),
                    validation_data=validation,
                    initial_epoch=first,
                    epochs=last,
                    steps_per_epoch=clock.steps - offset,
                    shuffle=False,
                    verbose=0,
                    callbacks=[
                        *([_Totals(restore)] if offset else []),
                        NaNGuard(clock, str(checkpoints.last)),
                        DirectoryGuard(directory),
                        *callbacks,
                        metrics,
                        TensorBoardScalars(directory / "tensorboard", clock),
                        checkpoints,
                        progress,
                        interruption,
                    ],
                )
    finally:
        progress.close()
    checkpoints.restore_best(model)
    best = checkpoints.best_epoch
    return Fitted(
        metrics.rows,
        best and best * report_every,
        best and metrics.rows[best - 1],
        sum(row["seconds"] for row in metrics.timing)
        or time.perf_counter() - started,
    )


def _clock(
    epochs: int, steps_per_epoch: int, report_every: int, patience: int
) -> Clock:
    """Returns the clock; raises for numbers that do not go together."""
    clock = Clock(epochs, steps_per_epoch, report_every)
    check_whole("patience", patience, 0)
    if epochs % report_every or patience % report_every:
        raise ConfigError(
            "`epochs` and `patience` must be multiples of `report_every`. "
            f"Received: epochs={epochs}, patience={patience}, "
            f"report_every={report_every}."
        )
    return clock


def _resume(model, checkpoints, batches, say) -> tuple[int, int, list]:
    """Loads the newest checkpoint; returns epoch, step and metric totals."""
    found = checkpoints.newest()
    if found is None:
        say("no checkpoint yet: starting from the first step")
        return 0, 0, []
    path, problem = found
    if problem:
        say(f"{problem} Going on from {path}, the one before it.")
    # Makes the metrics, whose totals are part of the state.
    model.evaluate(batches.take(1), verbose=0)
    position = checkpoints.resume(path, model)
    totals = [v.numpy() for v in model.metrics_variables]
    return position["epoch"], position["step"], totals


class _Totals(keras.callbacks.Callback):
    """Puts metric totals back after `fit` has set them to 0."""

    def __init__(self, totals: list):
        super().__init__()
        self.totals = totals

    def on_epoch_begin(self, epoch, logs=None):
        for variable, value in zip(
            self.model.metrics_variables, self.totals, strict=True
        ):
            variable.assign(value)
