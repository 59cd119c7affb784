"""Fitting a model inside a run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf

from recipes._run.run import Run
from toolkit import training as toolkit_training


def fit(
    run: Run,
    model: keras.Model,
    training: Callable[[int], tf.data.Dataset],
    validation: tf.data.Dataset | None,
    *,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int,
    monitor: str = "val_loss",
    mode: str = "min",
    report_every: int = 1,
    patience: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    unit: str = "",
) -> None:
    """Trains a compiled model as `toolkit.training.fit` does, inside a run.

    At the end the model has its best weights, judged on the validation split,
    and is saved as model.keras. A resumed run goes on where it stopped; a dry
    run takes one compiled call of steps.

    Args:
        run: the run, whose `model` and `history` are set.
        model: a compiled model.
        training: takes a step, returns the batches from it on.
        validation: batches of the validation split; None to keep the last
            epoch.
        epochs: passes over the training split.
        steps_per_epoch: batches of one pass.
        batch_size: examples of one batch.
        monitor: quantity that tells the best epoch.
        mode: `max` or `min`.
        report_every: epochs between two rows of metrics.csv; a divisor of
            `epochs`.
        patience: epochs without a better one after which training stops; 0
            never stops it.
        callbacks: more callbacks, called before the run's own.
        unit: what an example is, in the plural, for the speed on show.

    Raises:
        TrainingError: the loss is not a number; the checkpoints stay.
        Interrupted: Ctrl-C; the state is saved.
    """
    if run.dry_run:
        epochs, steps_per_epoch = 1, model.steps_per_execution
        report_every, patience = 1, 0
        run.say(f"dry run: {steps_per_epoch} steps of training")
        validation = None if validation is None else validation.take(1)
    run.model = model
    run.check_directory()  # `fit` would make another one
    fitted = toolkit_training.fit(
        model,
        training,
        validation,
        directory=run.path,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        monitor=monitor,
        mode=mode,
        report_every=report_every,
        patience=patience,
        resume=run.resumed,
        callbacks=callbacks,
        say=run.say,
        how_to_resume=f"Go on with: {run.resume_command}",
        unit=unit,
    )
    run.history = fitted.rows
    run.train_seconds = fitted.seconds
    best = fitted.best
    run.say(
        f"trained in {run.train_seconds:.1f} s"
        + (
            f"; best epoch {fitted.best_epoch} ({monitor} {best[monitor]:.4f})"
            if best
            else ""
        )
    )
    run.save_model()
