"""What callbacks remember in a checkpoint, and a directory that goes away."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import training
from toolkit.errors import ConfigError, RunError
from toolkit.training import Checkpoints, Clock, Trace
from toolkit.training.state import read_position, save_state

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
Y = X.sum(axis=1)


def make():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def settings(directory, epochs, callbacks, **more):
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    return dict(
        training=lambda start: batches.repeat().skip(start % 4),
        validation=batches,
        directory=directory,
        epochs=epochs,
        steps_per_epoch=4,
        batch_size=8,
        say=lambda line: None,
        callbacks=callbacks,
        **more,
    )


def traces():
    return [
        Trace(lambda model: {"kernel": model.weights[0]}),
        Trace(lambda model: {"bias": model.weights[1]}),
    ]


@pytest.fixture
def half(tmp_path):
    """Two epochs of four, with two callbacks of one class."""
    training.fit(make(), **settings(tmp_path, 2, traces()))
    return tmp_path


def test_two_callbacks_of_one_class_keep_their_own_history(half, tmp_path):
    whole, resumed = traces(), traces()
    training.fit(make(), **settings(tmp_path / "whole", 4, whole))
    training.fit(make(), **settings(half, 4, resumed, resume=True))
    for ours, theirs in zip(resumed, whole, strict=True):
        assert set(ours.arrays()) == set(theirs.arrays())
        for name, values in theirs.arrays().items():
            np.testing.assert_array_equal(ours.arrays()[name], values)


def rewrite(directory, change):
    """Changes what the last checkpoint says of the callbacks."""
    last = directory / "checkpoints" / "last.npz"
    position = read_position(last)
    position["callbacks"] = change(position["callbacks"])
    model = make()
    training.load_state(last, model)
    save_state(last, model, position)


def by_class(saved):
    """As version 0.1.0 wrote it: the last one of a class."""
    return {entry["class"]: entry["state"] for entry in saved}


def test_checkpoint_of_version_0_1_0_goes_on(tmp_path):
    whole, first, second = traces()[:1], traces()[:1], traces()[:1]
    training.fit(make(), **settings(tmp_path / "whole", 4, whole))
    training.fit(make(), **settings(tmp_path, 2, first))
    rewrite(tmp_path, by_class)
    training.fit(make(), **settings(tmp_path, 4, second, resume=True))
    np.testing.assert_array_equal(
        second[0].arrays()["kernel"], whole[0].arrays()["kernel"]
    )


def test_lost_history_of_version_0_1_0_is_refused(half):
    rewrite(half, by_class)
    with pytest.raises(RunError, match="one state for all callbacks"):
        training.fit(make(), **settings(half, 4, traces(), resume=True))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("callbacks", "names"),
    [
        ([], "Checkpoints, MetricsFile. Go on"),
        ([Checkpoints("unused")], "Checkpoints, MetricsFile, Checkpoints"),
    ],
)
def test_other_callbacks_are_refused_before_anything_changes(
    tmp_path, callbacks, names, old
):
    training.fit(make(), **settings(tmp_path, 2, traces()[:1]))
    if old:
        rewrite(tmp_path, by_class)
    model = make()
    before = model.get_weights()
    told = (
        "one state" if old and callbacks else f"MetricsFile, Trace; .*{names}"
    )
    with pytest.raises(RunError, match=told):
        training.fit(model, **settings(tmp_path, 4, callbacks, resume=True))
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


class Count(keras.callbacks.Callback):
    """Remembers nothing."""

    def state(self):
        return None

    def restore(self, state):
        raise AssertionError("it has another place now")


def test_callbacks_in_another_order_are_refused(tmp_path):
    (trace, _), count = traces(), Count()
    training.fit(make(), **settings(tmp_path, 2, [trace, count]))
    with pytest.raises(RunError, match="Trace, Count; now .*Count, Trace"):
        training.fit(
            make(), **settings(tmp_path, 4, [count, trace], resume=True)
        )


# A directory that goes away


class Remove(keras.callbacks.Callback):
    """Removes, or replaces, a directory in the first step of an epoch."""

    def __init__(self, directory, again):
        super().__init__()
        self.directory, self.again, self.steps = directory, again, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.steps += 1
        if self.steps == 5:
            shutil.rmtree(self.directory)
            if self.again:
                self.directory.mkdir()


@pytest.mark.parametrize("again", [False, True])
def test_training_ends_when_its_directory_is_removed(tmp_path, again):
    directory = tmp_path / "run"
    remove = Remove(directory, again)
    with pytest.raises(RunError, match='run" was removed or renamed'):
        training.fit(make(), **settings(directory, 9, [remove]))
    assert remove.steps == 5
    assert directory.exists() == again
    assert not again or not any(directory.iterdir())


def test_clock_counts_steps_and_epochs():
    clock = Clock(epochs=6, steps_per_epoch=4, report_every=2)
    assert (clock.rounds, clock.steps) == (3, 8)
    assert [clock.epochs_after(r) for r in range(3)] == [2, 4, 6]
    assert clock.step_at(1, 0) == 9
    clock.first_step = 3
    assert clock.step_at(1, 0) == 12
    assert clock.epoch_at(1, 5) == (3, 1)


@pytest.mark.parametrize("damage", [Path.unlink, lambda p: p.write_bytes(b"")])
def test_best_epoch_that_is_nowhere_else_is_missed_at_once(half, damage):
    before = Checkpoints(half / "checkpoints", "loss", "min")
    position = read_position(before.last)
    position["callbacks"][0]["state"]["best_epoch"] = 1
    save_state(before.last, make(), position)
    damage(before.best)
    model = make()
    with pytest.raises(RunError, match=r"best epoch \(1\).*nowhere else"):
        training.fit(model, **settings(half, 4, traces(), resume=True))


def test_best_epoch_is_written_anew_from_the_last(half):
    best = half / "checkpoints" / "best.npz"
    wanted = half / "checkpoints" / "last.npz"
    assert read_position(best)["epoch"] == 2
    best.unlink()
    model = make()
    Checkpoints(half / "checkpoints", "val_loss", "min")
    training.fit(model, **settings(half, 2, traces(), resume=True))
    assert read_position(best) == read_position(wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "`epochs`.*at least 1.*epochs=0"),
        ({"epochs": True}, "`epochs`.*at least 1.*epochs=True"),
        ({"epochs": "2"}, "`epochs`.*at least 1.*epochs='2'"),
        ({"epochs": 2.0}, "`epochs`.*at least 1.*epochs=2.0"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch`.*at least 1"),
        ({"batch_size": 0}, "`batch_size`.*at least 1"),
        ({"report_every": 0}, "`report_every`.*at least 1"),
        ({"patience": -1}, "`patience`.*at least 0"),
        ({"mode": "maximum"}, '`mode` must be "max" or "min".*maximum'),
    ],
)
def test_numbers_that_make_no_training_are_refused(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        training.fit(make(), **(settings(tmp_path, 2, []) | change))
