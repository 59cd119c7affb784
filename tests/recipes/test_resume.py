"""A run that is killed or interrupted goes on to the same bits."""

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from recipes._cli.main import main
from recipes._run.run import Run
from recipes.softmax_regression import Config
from recipes.softmax_regression import main as train
from tests.recipes.conftest import leave_out_page
from toolkit.training import save_state
from toolkit.training.state import read_position

pytestmark = pytest.mark.usefixtures("without_page")

ROOT = Path(__file__).parents[2]
# Dropout, Adam, a schedule, augmentation; 161 steps in 7 calls an epoch.
SETTINGS = ["--epochs", "4", "--batch-size", "8", "--dropout", "0.2"]


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run in one piece."""
    runs = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        leave_out_page(patch)
        assert toolkit("train", "lenet5", *SETTINGS, "--runs", runs) == 0
    return runs / "lenet5" / "1"


class Background:
    """`toolkit` in a process of its own, whose lines are read as they come."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "recipes", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def wait_for(self, text):
        for line in self.process.stdout:
            if text in line:
                return
        raise AssertionError(self.process.stderr.read())

    def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        _, error = self.process.communicate(timeout=60)
        return self.process.returncode, error


def same(run, whole):
    """Holds a run to another, bit for bit."""
    for name in ("metrics.csv", "predictions.npz", "evaluation.json"):
        if name == "evaluation.json":
            ours, theirs = (
                json.loads((r / name).read_text())["metrics"]
                for r in (run, whole)
            )
            assert ours == theirs
        else:
            assert (run / name).read_bytes() == (whole / name).read_bytes()
    for name in ("last.npz", "best.npz"):
        with (
            np.load(run / "checkpoints" / name) as ours,
            np.load(whole / "checkpoints" / name) as theirs,
        ):
            assert len(ours.files) > 30
            for key in set(ours.files) - {"header"}:
                np.testing.assert_array_equal(ours[key], theirs[key])
    models = [
        keras.models.load_model(r / "model.keras", compile=False)
        for r in (run, whole)
    ]
    for a, b in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(a, b)


# Slow: another process. The quick suite interrupts runs in its own process.
@pytest.mark.parametrize(
    "interrupted", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_killed_then_interrupted_run_ends_in_the_same_bits(
    whole, tmp_path, interrupted
):
    first = Background("train", "lenet5", *SETTINGS, "--runs", tmp_path)
    first.wait_for("epoch 2/4")
    time.sleep(0.1)
    status, _ = first.end(signal.SIGKILL)
    assert status == -signal.SIGKILL
    run = tmp_path / "lenet5" / "1"
    assert not (run / "model.keras").exists()

    if interrupted:
        second = Background("train", "lenet5", "--resume", run)
        second.wait_for("resuming after epoch")
        second.wait_for("epoch 3/4")
        time.sleep(0.05)
        status, error = second.end(signal.SIGINT)
        assert status == 130
        assert "stopping after this step" in error
        message = r"error: Interrupted; .*last.npz holds everything"
        assert re.search(message, error)
        assert f"toolkit train lenet5 --resume {run}" in error
        assert "Traceback" not in error

    assert toolkit("train", "lenet5", "--resume", run) == 0
    same(run, whole)


class StopAfter(keras.callbacks.Callback):
    """A signal in the middle of an epoch, at a step that is known."""

    def __init__(self, epoch, calls, count=1):
        super().__init__()
        self.at, self.calls, self.count = epoch, calls, count

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.seen = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if (self.epoch, self.seen) == (self.at, self.calls):
            for _ in range(self.count):
                signal.raise_signal(signal.SIGINT)


def with_callback(monkeypatch, callback):
    """Lets the next training have one callback more."""
    from recipes import _run
    from recipes._run.fitting import fit

    monkeypatch.setattr(
        _run,
        "fit",
        lambda *a, callbacks=(), **k: fit(
            *a, **k, callbacks=[*callbacks, callback]
        ),
        raising=False,
    )


def test_ctrl_c_in_the_middle_of_an_epoch_keeps_its_steps(
    whole, tmp_path, monkeypatch, capfd
):
    with monkeypatch.context() as patch:
        with_callback(patch, StopAfter(1, 3))
        status = toolkit("train", "lenet5", *SETTINGS, "--runs", tmp_path)
    assert status == 130
    error = capfd.readouterr().err
    assert "stopping after this step" in error
    # The callback comes before the run's own, which stops in the same call.
    assert "epoch 2, step 69" in error
    run = tmp_path / "lenet5" / "1"
    assert re.search(r"error: Interrupted; .*last.npz holds everything", error)
    assert f"toolkit train lenet5 --resume {run}" in error
    assert "Traceback" not in error
    assert toolkit("train", "lenet5", "--resume", run) == 0
    assert "resuming after epoch 1, step 69" in capfd.readouterr().out
    same(run, whole)


# Slow: three epochs more. The quick suite reads the checkpoint.
@pytest.mark.parametrize(
    "resumed", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_second_ctrl_c_ends_at_once_and_leaves_a_whole_checkpoint(
    tmp_path, monkeypatch, capfd, resumed
):
    with monkeypatch.context() as patch:
        with_callback(patch, StopAfter(1, 2, count=2))
        status = toolkit("train", "lenet5", *SETTINGS, "--runs", tmp_path)
    assert status == 130
    run = tmp_path / "lenet5" / "1"
    said = capfd.readouterr().err.rstrip().splitlines()[-1]
    assert said == (
        f"error: Interrupted; {run} holds what was done. Go on with: toolkit "
        f"train lenet5 --resume {run}"
    )
    position = read_position(run / "checkpoints" / "last.npz")
    assert (position["epoch"], position["step"]) == (1, 0)
    if resumed:
        assert toolkit("train", "lenet5", "--resume", run) == 0
        assert "resuming after epoch 1\n" in capfd.readouterr().out


def test_full_disk_in_training_is_one_clear_error(tmp_path, capfd):
    # Python ignores SIGXFSZ: a write beyond the limit fails as on a full disk.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        status = toolkit("train", "lenet5", "--epochs", 2, "--runs", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status == 1
    error = capfd.readouterr().err
    assert "error: Cannot write" in error and "Traceback" not in error
    run = tmp_path / "lenet5" / "1"
    assert not list(run.glob("checkpoints/*"))
    assert not (run / "model.keras").exists()


# What cannot be resumed


@pytest.fixture
def stopped(whole, tmp_path):
    """A copy of a run, as if it had stopped before its evaluation."""
    run = tmp_path / "stopped"
    shutil.copytree(whole, run)
    for name in ("evaluation.json", "finished.json"):
        (run / name).unlink()
    return run


def refused(capfd, status, *parts):
    error = capfd.readouterr().err
    assert status and "Traceback" not in error
    for part in parts:
        assert part in error
    return error


def test_finished_run_has_nothing_to_resume(whole, capfd):
    status = toolkit("train", "lenet5", "--resume", whole)
    refused(capfd, status, "finished; there is nothing to resume")


def test_settings_cannot_be_changed_on_the_way(stopped, capfd):
    status = toolkit("train", "lenet5", "--resume", stopped, "--epochs", "9")
    assert status == 2
    refused(capfd, status, "--epochs cannot be used with --resume")


def test_run_of_another_recipe_is_refused(stopped, capfd):
    status = toolkit("train", "softmax_regression", "--resume", stopped)
    refused(capfd, status, 'recipe "lenet5"', "toolkit train lenet5 --resume")


# Slow: the whole training again; test_finishing begins a run anew quickly.
@pytest.mark.slow
def test_run_without_a_checkpoint_starts_anew(whole, tmp_path, capfd):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.yaml", "environment.json"):
        shutil.copy(whole / name, run)
    assert toolkit("train", "lenet5", "--resume", run) == 0
    assert "no checkpoint yet" in capfd.readouterr().out
    same(run, whole)


def test_flipped_byte_is_found_and_the_previous_checkpoint_used(
    whole, stopped, capfd
):
    last = stopped / "checkpoints" / "last.npz"
    content = bytearray(last.read_bytes())
    content[len(content) // 3] ^= 4
    last.write_bytes(content)
    assert toolkit("train", "lenet5", "--resume", stopped) == 0
    out = capfd.readouterr().out
    assert 'last.npz" is damaged' in out
    assert "Going on from" in out and "last.previous.npz" in out
    assert "resuming after epoch 3" in out
    same(stopped, whole)


def test_both_checkpoints_damaged_is_said(stopped, capfd):
    for name in ("last.npz", "last.previous.npz"):
        (stopped / "checkpoints" / name).write_bytes(b"nothing")
    status = toolkit("train", "lenet5", "--resume", stopped)
    refused(capfd, status, "damaged", "start a new run")


def test_checkpoint_of_another_architecture_is_refused(stopped, capfd):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    last = stopped / "checkpoints" / "last.npz"
    save_state(last, model, read_position(last))
    status = toolkit("train", "lenet5", "--resume", stopped)
    refused(capfd, status, "is of another model")


def test_settings_of_another_version_are_refused(stopped, capfd):
    path = stopped / "config.yaml"
    path.write_text(path.read_text() + "momentum: 0.9\n")
    status = toolkit("train", "lenet5", "--resume", stopped)
    refused(capfd, status, "momentum")


def test_changed_versions_are_said(stopped, capfd):
    path = stopped / "environment.json"
    environment = json.loads(path.read_text())
    environment["versions"]["keras"] = "3.0.0"
    path.write_text(json.dumps(environment))
    assert toolkit("train", "lenet5", "--resume", stopped) == 0
    assert "keras 3.0.0 -> " in capfd.readouterr().out


def test_run_stopped_in_the_last_step_of_an_epoch_is_resumed_from_python(
    tmp_path, monkeypatch
):
    config = Config(epochs=3)
    name = "softmax_regression"
    whole = train(config, Run(name, config, runs=tmp_path))
    with monkeypatch.context() as patch:
        with_callback(patch, StopAfter(1, 1))
        with pytest.raises(Exception, match="up to epoch 2"):
            train(config, Run(name, config, runs=tmp_path))
    path = tmp_path / name / "2"
    run = train(config, Run(name, config, resume=path))
    assert len(run.history) == 3
    for ours, theirs in zip(
        run.model.get_weights(), whole.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert (path / "metrics.csv").read_bytes() == (
        whole.path / "metrics.csv"
    ).read_bytes()
