"""A run is finished when all that was asked for is there, and not before."""

import errno
import io
import json
import os
import re
import shutil
import signal
import sys

import keras
import pytest

from recipes._cli import output
from recipes._cli.main import main
from recipes._run import environment
from recipes._run.directory import MARK, is_finished
from recipes._run.run import Run
from recipes.softmax_regression import RECIPE, Config
from recipes.softmax_regression import main as train
from toolkit.errors import DataError, RunError
from toolkit.training.state import read_position

PLAIN = ["--epochs", "2"]
SETTINGS = [*PLAIN, "--export", "onnx"]


def toolkit(*arguments):
    return main([str(a) for a in arguments])


class Killed(BaseException):
    """Ends the process where a SIGKILL would: nobody catches it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run with its files."""
    runs = tmp_path_factory.mktemp("whole")
    assert toolkit("train", RECIPE, *SETTINGS, "--runs", runs) == 0
    return runs / RECIPE / "1"


def names(run):
    return {
        str(path.relative_to(run))
        for path in run.rglob("*")
        if path.is_file() and "tfevents" not in path.name
    }


def errors(capfd):
    return errors_in(capfd.readouterr().err)


def errors_in(text):
    """Returns the lines on standard error but those of TensorFlow's log."""
    return [
        line
        for line in text.splitlines()
        if line and not re.match(r"[IWE]\d{4} ", line)
    ]


def stop_at(monkeypatch, where, error):
    """Lets a function, `module.name`, raise instead of doing its work."""

    def stop(*arguments, **options):
        raise error

    monkeypatch.setattr(where, stop)


STAGES = {
    "evaluation": "recipes._run.classification.write_arrays",
    "export": "export.api.publish",
    "report": "recipes._report.write_report",
    "mark": "recipes._run.run.Run._mark",
}


def test_resume_finishes_a_run_wherever_it_was_stopped(
    whole, tmp_path, monkeypatch, capfd
):
    run = tmp_path / RECIPE / "1"
    first = ("train", RECIPE, *SETTINGS, "--runs", tmp_path)
    resume = ("train", RECIPE, "--resume", run)
    for stage in ("evaluation", "export", "mark"):
        with monkeypatch.context() as patch, pytest.raises(Killed, match="now"):
            stop_at(patch, STAGES[stage], Killed("now"))
            toolkit(*(resume if run.exists() else first))
        assert not is_finished(run)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "report.html")
    capfd.readouterr()
    with monkeypatch.context() as patch:
        stop_at(patch, STAGES["report"], full)
        assert toolkit(*resume) == 1
    (line,) = errors(capfd)
    assert 'Cannot write "report.html": No space left' in line
    assert f"Go on with: toolkit train {RECIPE} --resume {run}" in line
    assert not is_finished(run)
    assert toolkit(*resume) == 0
    assert is_finished(run)
    assert names(run) == names(whole)
    for name in ("metrics.csv", "predictions.npz"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    assert toolkit(*resume) == 1
    assert "is finished; there is nothing to resume" in capfd.readouterr().err


def test_what_was_asked_for_is_noted_and_formats_can_be_replaced(tmp_path):
    config = Config()
    begun = Run(RECIPE, config, tmp_path, dry_run=True, formats=["onnx"])
    resumed = Run(RECIPE, config, resume=begun.path)
    assert resumed.formats == ["onnx"] and resumed.dry_run
    with Run(RECIPE, config, resume=begun.path, formats=["litert"]):
        pass
    again = Run(RECIPE, config, resume=begun.path)
    assert again.formats == ["litert"] and again.dry_run


def test_run_in_python_is_finished_after_its_evaluation(
    tmp_path, monkeypatch, capfd
):
    config = Config(epochs=1)
    path = Run(RECIPE, config, runs=tmp_path).path  # and killed
    with monkeypatch.context() as patch, pytest.raises(Killed, match="now"):
        stop_at(patch, STAGES["evaluation"], Killed("now"))
        train(config, Run(RECIPE, config, resume=path))
    assert "no checkpoint yet: starting" in capfd.readouterr().out
    assert not is_finished(path)
    train(config, Run(RECIPE, config, resume=path))
    assert is_finished(path)
    assert not (path / "report.html").exists()


def test_run_of_version_0_1_0_is_finished_with_its_report(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    for name in (MARK, "request.json"):
        (run / name).unlink()
    assert is_finished(run)
    (run / "report.html").unlink()
    assert not is_finished(run)


# How a run begins


def test_run_has_its_first_files_from_its_first_moment(tmp_path, monkeypatch):
    rename, seen = os.rename, []

    def renaming(source, target):
        assert not os.path.exists(target)
        rename(source, target)
        seen.append(sorted(os.listdir(target)))

    monkeypatch.setattr(os, "rename", renaming)
    Run(RECIPE, Config(), runs=tmp_path)
    assert seen == [["config.yaml", "environment.json", "request.json"]]
    assert os.listdir(tmp_path / RECIPE) == ["1"]


def test_environment_that_a_kill_left_out_is_written(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "environment.json").unlink()
    with Run(RECIPE, Config(epochs=2), resume=run):
        pass
    before = json.loads((whole / "environment.json").read_text())
    after = json.loads((run / "environment.json").read_text())
    assert set(after) == set(before)
    assert after["versions"] == before["versions"]


def test_run_killed_before_its_settings_is_named(tmp_path, capfd):
    (tmp_path / RECIPE / "1" / ".config.yaml.tmp-abcdefgh").mkdir(parents=True)
    half = tmp_path / RECIPE / "1" / ".config.yaml.tmp-abcdefgh/config.yaml"
    half.write_text("recipe: softmax_regression")
    assert toolkit("train", RECIPE, "--resume", tmp_path / RECIPE / "1") == 1
    (line,) = errors(capfd)
    assert "killed before its settings were written" in line
    assert "tmp-" not in line and "start a new run" in line


def test_what_killed_processes_left_is_removed(whole, tmp_path):
    run = tmp_path / RECIPE / "1"
    shutil.copytree(whole, run)
    for name in ("checkpoints/.last.npz", ".report.html"):
        (run / f"{name}.tmp-abcd_123").mkdir()
        (run / f"{name}.tmp-abcd_123" / "half").touch()
    killed = run / "export" / ".export-abcdefgh"
    killed.mkdir()
    (killed / ".lock").touch()
    started = tmp_path / RECIPE / ".run-abcdefgh"

    def kill_at_start():
        started.mkdir()
        (started / ".lock").touch()

    kill_at_start()
    with Run(RECIPE, Config(epochs=2), resume=run):
        assert not started.exists()
    assert names(run) == names(whole)
    kill_at_start()
    Run(RECIPE, Config(), runs=tmp_path)
    assert sorted(os.listdir(tmp_path / RECIPE)) == ["1", "2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cores": 64}, "usable cores 64 -> "),
        ({"processor": "Z80"}, "processor Z80 -> "),
        ({"threads": {"intra_op_threads": 7}}, "intra_op_threads 7 -> 0"),
    ],
)
def test_resume_on_other_cores_or_threads_is_said(
    whole, tmp_path, change, said, capfd
):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    file = path / "environment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with Run(RECIPE, Config(epochs=2), resume=path):
        pass
    out = capfd.readouterr().out
    assert said in out and "may differ in the last digits" in out


def test_threads_are_those_of_the_environment_before_tensorflow_is_there(
    monkeypatch,
):
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "3")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    found = environment.threads()
    assert found == {"intra_op_threads": 0, "inter_op_threads": 3}


def test_resume_on_the_same_machine_says_nothing(whole, tmp_path, capfd):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    with Run(RECIPE, Config(epochs=2), resume=path):
        pass
    assert "changed" not in capfd.readouterr().out


@pytest.mark.parametrize("name", ["request.json", "environment.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_damaged_files_of_a_run_are_named(
    whole, tmp_path, name, content, capfd
):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    (path / MARK).unlink()
    (path / name).write_bytes(content)
    assert toolkit("train", RECIPE, "--resume", path) == 1
    (line,) = errors(capfd)
    assert f'{name}" is damaged' in line


# How a run ends before its end


class Send(keras.callbacks.Callback):
    """Sends this process a signal in the second epoch."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            signal.raise_signal(self.number)


@pytest.fixture
def with_callback(monkeypatch):
    """Gives the next training a callback more."""
    from recipes import _run
    from recipes._run.fitting import fit

    def add(callback):
        monkeypatch.setattr(
            _run,
            "fit",
            lambda *a, callbacks=(), **k: fit(
                *a, **k, callbacks=[*callbacks, callback]
            ),
            raising=False,
        )

    return add


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_in_training_it_saves(
    tmp_path, with_callback, number, capfd
):
    with_callback(Send(number))
    arguments = ("train", RECIPE, "--epochs", 3, "--runs", tmp_path)
    assert toolkit(*arguments) == 130
    error = capfd.readouterr().err
    assert "Interrupted; " in error and "Traceback" not in error
    assert signal.getsignal(number) == signal.SIG_DFL


def test_ignored_hangup_stays_ignored(tmp_path, with_callback):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with_callback(Send(signal.SIGHUP))
        arguments = ("train", RECIPE, "--epochs", 3, "--runs", tmp_path)
        assert toolkit(*arguments) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_in_evaluation_it_says_how_to_go_on(
    tmp_path, monkeypatch, number, capfd
):
    with monkeypatch.context() as patch:
        patch.setattr(
            STAGES["evaluation"],
            lambda *a, **k: signal.raise_signal(number),
        )
        status = toolkit("train", RECIPE, *PLAIN, "--runs", tmp_path)
    run = tmp_path / RECIPE / "1"
    assert status == 130
    (line,) = errors(capfd)
    assert line.startswith(f"error: Interrupted; {run} holds what was done.")
    assert line.endswith(f"toolkit train {RECIPE} --resume {run}")
    assert not is_finished(run)


class RemoveRun(keras.callbacks.Callback):
    """Removes the run's directory in the second epoch."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            shutil.rmtree(self.path)


def test_removed_run_ends_at_once(tmp_path, with_callback, capfd):
    run = tmp_path / RECIPE / "1"
    with_callback(RemoveRun(run))
    arguments = ("train", RECIPE, "--epochs", 9, "--runs", tmp_path)
    assert toolkit(*arguments) == 1
    said = capfd.readouterr()
    (line,) = errors_in(said.err)
    assert f'"{run}" was removed or renamed' in line
    assert "epoch 2/9" not in said.out
    assert not run.exists()


@pytest.mark.parametrize(
    "write",
    [
        lambda run: run.write_json("evaluation.json", {}),
        lambda run: run.say("text"),
        lambda run: run.save_model(),
        lambda run: run.finish(),
    ],
)
def test_run_removed_after_its_training_ends_at_once(tmp_path, write):
    with pytest.raises(RunError, match="was removed or renamed"):
        with Run(RECIPE, Config(), runs=tmp_path) as run:
            shutil.rmtree(run.path)
            write(run)
    assert not run.path.exists()


def test_nothing_is_left_of_a_run_without_data(tmp_path, capfd):
    with pytest.raises(DataError, match="none"):
        with Run(RECIPE, Config(), runs=tmp_path):
            raise DataError("none")
    assert os.listdir(tmp_path / RECIPE) == []


# Standard output


class Full(io.StringIO):
    """A stream that fails after some text."""

    def __init__(self, number, after=""):
        super().__init__()
        self.number, self.after = number, after

    def write(self, text):
        if self.after in self.getvalue() + text:
            raise OSError(self.number, os.strerror(self.number))
        return super().write(text)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EPIPE, "it was closed by its reader"),
        (errno.ENOSPC, "No space left on device"),
    ],
)
def test_output_that_cannot_be_written_is_named(
    tmp_path, monkeypatch, number, reason, capfd
):
    monkeypatch.setattr(sys, "stdout", Full(number, "epoch 1/2"))
    status = toolkit("train", RECIPE, *PLAIN, "--runs", tmp_path)
    run = tmp_path / RECIPE / "1"
    assert status == 1
    (line,) = errors(capfd)
    assert f"Cannot write to standard output: {reason}. Go on with" in line
    assert read_position(run / "checkpoints" / "last.npz")["epoch"] == 1


def test_output_of_other_commands_is_named_too(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdout", Full(errno.ENOSPC))
    for arguments in (["list"], ["train", RECIPE, "--help"]):
        assert toolkit(*arguments) == 1
        error = capfd.readouterr().err
        assert error == (
            "error: Cannot write to standard output: No space left on device.\n"
        )
    assert isinstance(sys.stdout, Full)
    error = output.OutputError(OSError(errno.EIO, "Input/output error"))
    assert str(error).endswith("standard output: the terminal is gone.")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_encoding_of_the_output_never_ends_a_run(
    tmp_path, monkeypatch, encoding
):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    with Run(RECIPE, Config(), runs=tmp_path) as run:
        run.say("سلام, 日本")
    with output.checked_output():
        print("سلام")
    shown = raw.getvalue().decode(encoding)
    assert shown.count(r"\u0633\u0644\u0627\u0645") == 2
    assert "سلام, 日本" in (run.path / "log.txt").read_text("utf-8")
