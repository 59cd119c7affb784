import csv
import hashlib
import io
import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import training
from toolkit.errors import ConfigError, RunError, TrainingError
from toolkit.training import (
    Checkpoints,
    Clock,
    Interrupted,
    MetricsFile,
    NaNGuard,
    Progress,
    TensorBoardScalars,
    load_state,
    save_state,
    steps_per_execution,
)

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("float32")


def make(units=4, steps=1):
    keras.utils.set_random_seed(0)
    x = keras.Input((3,))
    h = keras.layers.Dropout(0.5)(keras.layers.Dense(units)(x))
    model = keras.Model(x, keras.layers.Dense(1, activation="sigmoid")(h))
    model.compile(
        "adam",
        "binary_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps,
    )
    return model


def fit(model, epochs=1, callbacks=(), **options):
    return model.fit(
        X,
        Y,
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        validation_data=(X, Y),
        **options,
    )


# NaNGuard


class Spoil(keras.callbacks.Callback):
    """Makes the weights NaN after a step."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            kernel = self.model.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.nan))


def test_nan_guard_names_the_step_and_the_checkpoint(tmp_path):
    model = make()
    saved = Checkpoints(tmp_path)
    with pytest.raises(TrainingError, match=r"nan at step 7 \(epoch 2\).*last"):
        fit(
            model,
            3,
            [NaNGuard(Clock(3, 4), str(saved.last)), Spoil(1, 1), saved],
        )
    position = load_state(saved.last, model)
    assert position["epoch"] == 1
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_nan_guard_names_a_range_when_steps_share_a_call():
    with pytest.raises(TrainingError, match=r"at step 5 to 6 \(epoch 2\)"):
        fit(make(steps=2), 3, [NaNGuard(Clock(3, 4)), Spoil(0, 3)])


def test_nan_guard_lets_good_training_pass():
    fit(make(), 2, [NaNGuard(Clock(3, 4))])


# State


def test_state_holds_weights_optimizer_seeds_and_position(tmp_path):
    model = make()
    fit(model, 2)
    save_state(tmp_path / "s.npz", model, {"epoch": 2})
    expected = [np.asarray(w) for w in model.get_weights()]
    slots = [np.asarray(v) for v in model.optimizer.variables]
    fit(model, 1)
    after = model.get_weights()

    other = make()
    other.set_weights([w + 1 for w in other.get_weights()])
    assert load_state(tmp_path / "s.npz", other) == {"epoch": 2}
    for a, b in zip(expected, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(slots, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    fit(other, 1)  # dropout's seed goes on where it was, too
    for a, b in zip(after, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_of_another_model_is_refused_and_nothing_is_changed(tmp_path):
    model = make()
    fit(model, 1)
    save_state(tmp_path / "s.npz", model, {})
    other = make(units=5)
    fit(other, 1)
    before = other.get_weights()
    with pytest.raises(
        RunError, match=r"another model.*kernel.*\[3, 4\].*\[3, 5\]"
    ):
        load_state(tmp_path / "s.npz", other)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_missing_damaged_and_foreign_states_are_named(tmp_path):
    model = make()
    fit(model, 1)
    path = tmp_path / "s.npz"
    with pytest.raises(RunError, match="There is no checkpoint"):
        load_state(path, model)
    save_state(path, model, {})
    whole = path.read_bytes()
    for place in (10, len(whole) // 2, len(whole) - 5):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(RunError, match=r"s\.npz.*damaged"):
            load_state(path, model)
    path.write_bytes(whole[:-200])
    with pytest.raises(RunError, match=r"s\.npz.*damaged"):
        load_state(path, model)
    buffer = io.BytesIO()
    header = json.dumps({"version": 99, "paths": []})
    np.savez(buffer, header=np.array(header))
    content = buffer.getvalue()
    path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(RunError, match="version 99.*reads version"):
        load_state(path, model)


# Checkpoints


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [("max", [0.1, 0.9, 0.5], 2), ("min", [0.5, 0.9, 0.1], 3)],
)
def test_best_epoch_is_kept_and_restored(tmp_path, mode, values, best):
    model = make()
    fit(model, 1)
    saved = Checkpoints(tmp_path, "val_it", mode)
    saved.set_model(model)
    kernels = []
    for epoch, value in enumerate(values):
        model.trainable_variables[0].assign(np.full((3, 4), float(epoch + 1)))
        kernels.append(model.get_weights()[0])
        saved.on_epoch_end(epoch, {"val_it": value})
    saved.restore_best(model)
    assert saved.best_epoch == best
    np.testing.assert_array_equal(model.get_weights()[0], kernels[best - 1])


# Metrics, TensorBoard, progress


def test_metrics_file_has_a_row_per_epoch(tmp_path):
    metrics = MetricsFile(tmp_path / "m.csv", Clock(3, 4), 8)
    history = fit(make(), 3, [metrics]).history
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text())))
    timing = list(
        csv.DictReader(io.StringIO((tmp_path / "timing.csv").read_text()))
    )
    assert [r["epoch"] for r in rows] == ["1", "2", "3"]
    for name, values in history.items():
        assert [float(r[name]) for r in rows] == values
    assert float(rows[0]["learning_rate"]) == pytest.approx(1e-3)
    assert all(float(r["examples_per_second"]) > 0 for r in timing)
    assert "seconds" not in rows[0]


def test_tensorboard_has_two_runs_with_one_chart(tmp_path):
    fit(make(), 1, [TensorBoardScalars(tmp_path, Clock(1, 4))])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["train", "validation"]


def test_progress_prints_a_line_per_epoch_in_a_file(capsys):
    lines = []
    fit(make(), 2, [Progress(Clock(2, 4), 8, lines.append, bar=False)])
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "val_loss" in lines[0] and lines[0].endswith(" s")
    assert "\r" not in "".join(lines) and not capsys.readouterr().err


def test_progress_shows_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    progress = Progress(Clock(2, 4), 8, lambda line: None, bar=True)
    fit(make(), 2, [progress])
    assert "epoch 2/2" in capsys.readouterr().err
    assert progress._progress is None


def test_steps_per_execution_divides_and_refuses_nothing():
    for steps in range(1, 300):
        found = steps_per_execution(steps)
        assert steps % found == 0 and 1 <= found <= 64
    with pytest.raises(ConfigError, match="steps=0"):
        steps_per_execution(0)


# fit


class CtrlC(keras.callbacks.Callback):
    """A signal after the third step."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            signal.raise_signal(signal.SIGINT)


def test_resuming_with_fewer_steps_than_the_checkpoint_is_refused(tmp_path):
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    settings = {"directory": tmp_path, "epochs": 1, "batch_size": 8}
    data = (lambda start: batches.skip(start), batches)
    with pytest.raises(Interrupted, match="epoch 1, step 3"):
        training.fit(
            make(), *data, steps_per_epoch=4, callbacks=[CtrlC()], **settings
        )
    with pytest.raises(RunError, match="at step 3 of an epoch, which has 2"):
        training.fit(make(), *data, steps_per_epoch=2, resume=True, **settings)


def settings_of(tmp_path, **more):
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    return dict(
        training=lambda start: batches.repeat().skip(start % 4),
        validation=batches,
        directory=tmp_path,
        steps_per_epoch=4,
        batch_size=8,
        say=lambda line: None,
        **more,
    )


class Worse(keras.callbacks.Callback):
    """Lets validation get worse after the second epoch."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = abs(epoch - 1.0)


def test_training_stops_when_the_best_epoch_is_too_long_ago(tmp_path):
    options = settings_of(tmp_path, epochs=9, patience=3, callbacks=[Worse()])
    done = training.fit(make(), **options)
    assert done.best_epoch == 2 and done.best["epoch"] == 2
    assert len(done.rows) == 5
    # Nothing more to do for one that is resumed after that.
    again = training.fit(make(), resume=True, **options)
    assert again.rows == done.rows


def test_rows_of_several_epochs(tmp_path):
    lines = []
    options = settings_of(tmp_path, epochs=6, report_every=3)
    done = training.fit(make(), **{**options, "say": lines.append})
    assert [row["epoch"] for row in done.rows] == [3, 6]
    assert [line.split()[1] for line in lines] == ["3/6", "6/6"]
    assert done.best_epoch in (3, 6)
    model = make()
    training.fit(model, **settings_of(tmp_path / "whole", epochs=6))
    with pytest.raises(ConfigError, match="multiples of `report_every`"):
        training.fit(make(), **settings_of(tmp_path, epochs=5, report_every=3))


def test_trace_notes_the_start_and_every_call():
    model = make(steps=2)
    trace = training.Trace(lambda m: {"bias": m.weights[1]})
    fit(model, 3, [trace])
    found = trace.arrays()["bias"]
    assert found.shape == (1 + 3 * 2, 4)
    np.testing.assert_array_equal(found[0], 0.0)
    np.testing.assert_array_equal(found[-1], model.weights[1])
    other = training.Trace(lambda m: {})
    other.restore(json.loads(json.dumps(trace.state())))
    np.testing.assert_array_equal(other.arrays()["bias"], found)
