"""Fitting a model inside a run: callbacks, checkpoints, timing."""

from __future__ import annotations

import time

import keras
import tensorflow as tf

from recipes._run.run import Run
from toolkit.training import (
    Checkpoints,
    MetricsFile,
    NaNGuard,
    Progress,
    TensorBoardScalars,
)


def fit(
    run: Run,
    model: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    *,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int,
    monitor: str = "val_accuracy",
    mode: str = "max",
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> None:
    """Trains a compiled model and leaves everything in the run directory.

    metrics.csv, TensorBoard files, the last and the best checkpoint; at the
    end the model has its best weights, judged on the validation split, and is
    saved as model.keras.

    Args:
        run: the run, whose `model` and `history` are set.
        model: a compiled model.
        training: batches, `epochs * steps_per_epoch` of them.
        validation: batches of the validation split.
        epochs: passes over the training split.
        steps_per_epoch: batches of one pass.
        batch_size: examples of one batch.
        monitor: quantity that tells the best epoch.
        mode: `max` or `min`.
        callbacks: more callbacks, called before the run's own.

    Raises:
        TrainingError: the loss is not a number; the checkpoints stay.
    """
    if run.dry_run:
        epochs, steps_per_epoch = 1, model.steps_per_execution
        run.say(f"dry run: {steps_per_epoch} steps of training")
        training = training.take(steps_per_epoch)
        validation = validation.take(1)
    checkpoints = Checkpoints(run.path / "checkpoints", monitor, mode)
    metrics = MetricsFile(
        run.path / "metrics.csv", steps_per_epoch * batch_size
    )
    progress = Progress(epochs, steps_per_epoch, batch_size, run.say)
    run.model = model
    run.history = metrics.rows
    started = time.perf_counter()
    try:
        model.fit(
            training,
            validation_data=validation,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            shuffle=False,
            verbose=0,
            callbacks=[
                NaNGuard(steps_per_epoch, str(checkpoints.last)),
                *callbacks,
                metrics,
                TensorBoardScalars(run.path / "tensorboard"),
                checkpoints,
                progress,
            ],
        )
    finally:
        progress.close()
    run.train_seconds = time.perf_counter() - started
    best = metrics.rows[checkpoints.best_epoch - 1]
    run.say(
        f"trained in {run.train_seconds:.1f} s; best epoch "
        f"{checkpoints.best_epoch} ({monitor} {best[monitor]:.4f})"
    )
    run.save_model()
