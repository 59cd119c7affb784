"""Damaged or missing files of a run: one line that names file and way out."""

import contextlib
import dataclasses
import errno
import hashlib
import io
import json
import os
import pty
import select
import shutil
import sys
import time
import types
from typing import Any, Optional

import numpy as np
import pytest

from recipes._cli import output
from recipes._cli.main import main
from recipes._run.directory import MARK
from recipes._run.fitting import fit
from recipes._run.run import Run
from recipes._run.settings_of_run import settings_of_run
from recipes.softmax_regression import RECIPE, Config
from recipes.softmax_regression import main as train
from tests.conftest import ROOT
from tests.recipes.conftest import leave_out_page
from tests.recipes.test_finishing import errors
from toolkit.errors import RunError
from toolkit.training.state import DIGEST, read_position


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run whose training is done, and nothing after it."""
    runs = tmp_path_factory.mktemp("damaged")
    with pytest.MonkeyPatch.context() as patch:
        leave_out_page(patch)
        patch.setattr("recipes.softmax_regression.evaluate", lambda *_: None)
        train(Config(epochs=2), run := Run(RECIPE, Config(epochs=2), runs))
    (run.path / MARK).unlink()
    return run.path


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def resume(run, *more):
    return main(["train", RECIPE, "--resume", str(run), *more])


def setting(name, value):
    """Returns a change of config.yaml that gives a setting another value."""

    def change(run):
        path = run / "config.yaml"
        lines = [
            f"{name}: {value}" if line.startswith(f"{name}:") else line
            for line in path.read_text().splitlines()
        ]
        path.write_text("\n".join(lines))

    return change


def content(name, text):
    return lambda run: (run / name).write_bytes(text)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (content("config.yaml", b"\xff"), ["config.yaml", "YAML", "Put"]),
        (content("config.yaml", b""), ["config.yaml", "recipe", "Put"]),
        (content("config.yaml", b"a: [b\nc: d"), ["in line 2", "Put"]),
        (setting("recipe", "7"), ["config.yaml", "recipe", "Put"]),
        (setting("epochs", "two"), ['"epochs"', "int", "'two'", "Put"]),
        (setting("epochs", ""), ['"epochs"', "int", "None", "Put"]),
        (setting("epochs", "[1]"), ['"epochs"', "int", "[1]", "Put"]),
        (setting("epochs", "true"), ['"epochs"', "int", "True", "Put"]),
        (setting("data", "5"), ['"data"', "str", "5", "Put"]),
        (setting("resize", "cut"), ['"resize"', "auto, pad", "'cut'", "Put"]),
        (setting("epochs", "1"), ["epoch 2", "training of 1", "`epochs`"]),
        (
            content("request.json", b'{"export": 5}'),
            ["request.json", "5", "onnx", "Remove"],
        ),
        (
            content("request.json", b'{"export": ["nnef"]}'),
            ["request.json", "nnef", "onnx", "Remove"],
        ),
        (
            content("environment.json", b'{"versions": 5}'),
            ["environment.json", "versions", "Remove"],
        ),
    ],
)
def test_damaged_settings_are_one_line(run, capfd, change, parts):
    change(run)
    assert resume(run) == 1
    (line,) = errors(capfd)
    assert all(part in line for part in parts), line


def test_number_that_yaml_takes_for_a_text_is_one(run, without_page):
    setting("learning_rate", "2e-3")(run)
    assert resume(run) == 0


@pytest.mark.parametrize("name", ["environment.json", "log.txt"])
def test_folder_in_the_place_of_a_file_is_one_line(run, capfd, name):
    (run / name).unlink()
    (run / name).mkdir()
    assert resume(run) == 1
    (line,) = errors(capfd)
    assert f'{name}": Is a directory' in line


@pytest.mark.parametrize("text", ['["a', "{}"])
def test_damaged_list_of_a_set_is_one_line(run, capfd, text):
    folder = run / "export" / ".export-abcdefgh"
    folder.mkdir(parents=True)
    (folder / ".lock").touch()
    (folder / ".publish.json").write_text(text)
    assert resume(run) == 1
    (line,) = errors(capfd)
    assert ".publish.json" in line and "Remove the folder" in line


@pytest.mark.parametrize("damage", [os.unlink, lambda p: p.write_bytes(b"x")])
def test_run_goes_on_without_the_file_of_its_best_epoch(
    run, damage, without_page
):
    damage(run / "checkpoints" / "best.npz")
    assert resume(run) == 0
    assert (run / MARK).exists()


def test_run_removed_while_a_file_is_written_is_one_line(tmp_path, capfd):
    outcome = Run(RECIPE, Config(), tmp_path)
    with pytest.raises(RunError, match="was removed or renamed"), outcome:
        shutil.rmtree(outcome.path)
        raise FileNotFoundError(errno.ENOENT, "No such file", "model.keras")


def fit_in(run):
    fit(run, None, None, None, epochs=1, steps_per_epoch=1, batch_size=1)


@pytest.mark.parametrize("step", [fit_in, lambda run: run.export(["onnx"])])
def test_removed_run_does_not_come_back(tmp_path, step):
    """Training and export make folders that are missing."""
    outcome = Run(RECIPE, Config(epochs=1), tmp_path)
    outcome.model = object()
    with pytest.raises(RunError, match="was removed or renamed"), outcome:
        shutil.rmtree(outcome.path)
        step(outcome)
    assert not outcome.path.exists()


def test_output_that_is_full_from_the_start_leaves_no_run(
    tmp_path, monkeypatch, capfd
):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["train", RECIPE, "--runs", str(tmp_path)]) == 1
        monkeypatch.undo()
    (line,) = errors(capfd)
    assert "standard output" in line
    assert list((tmp_path / RECIPE).iterdir()) == []


def test_closed_output_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["list"]) == 0
    assert main(["nonsense"]) == 2
    assert sys.stdout is None


def test_terminal_that_is_gone_ends_no_line_of_a_run(tmp_path, monkeypatch):
    class Gone:
        encoding = "utf-8"

        def write(self, text):
            raise OSError(errno.EIO, "Input/output error")

        flush = None

    outcome = Run(RECIPE, Config(), tmp_path)
    monkeypatch.setattr(sys, "stdout", output.Output(Gone()))
    outcome.say("epoch 1")
    monkeypatch.undo()
    assert "epoch 1" in (outcome.path / "log.txt").read_text()


@pytest.mark.slow  # a process with a terminal of its own, 5 s when idle
def test_closed_terminal_saves_and_ends_as_interrupted(tmp_path):
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        words = "-m recipes train softmax_regression --epochs 5000 --runs"
        os.execv(
            sys.executable, [sys.executable, *words.split(), str(tmp_path)]
        )
    shown, until = b"", time.monotonic() + 120
    while b"epoch 3/" not in shown and time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    run = tmp_path / RECIPE / "1"
    assert "Interrupted" in (run / "log.txt").read_text().splitlines()[-1]
    assert read_position(run / "checkpoints" / "last.npz")["epoch"] >= 3


def sealed(content):
    """Returns the content of a checkpoint with its checksum."""
    return content + hashlib.sha256(content).digest()


def rewritten(path, **header):
    """Gives a checkpoint another header; None leaves an entry out."""
    with np.load(io.BytesIO(path.read_bytes()[:-DIGEST])) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays["header"])) | header
    header = {k: v for k, v in header.items() if v is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **(arrays | {"header": np.array(json.dumps(header))}))
    path.write_bytes(sealed(buffer.getvalue()))


@pytest.mark.parametrize("name", ["last.npz", "best.npz"])
def test_checkpoint_of_another_version_is_not_passed_over(run, capfd, name):
    path = run / "checkpoints" / name
    shutil.copy(path, path.with_name("last.previous.npz"))
    rewritten(path, version=2)
    assert resume(run) == 1
    (line,) = errors(capfd)
    assert "version 2" in line and "Train on with the version" in line


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda p: p.write_bytes(sealed(b"no archive")), "not a checkpoint"),
        (lambda p: rewritten(p, position=None), "lacks position"),
        (lambda p: rewritten(p, position={"epoch": 2}), "`step` is missing"),
        (lambda p: rewritten(p, position=[2]), "`epoch` is missing"),
    ],
)
def test_whole_file_that_is_not_a_checkpoint_is_one_line(
    run, capfd, change, part
):
    checkpoints = run / "checkpoints"
    (checkpoints / "last.previous.npz").unlink()
    change(checkpoints / "last.npz")
    assert resume(run) == 1
    (line,) = errors(capfd)
    assert part in line and "Put the file back" in line


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a recipe of a user."""

    limit: int | None = None
    ratio: Optional[float] = None  # noqa: UP045
    sizes: tuple[int, ...] = ()
    anything: Any = 0
    exact: bool = True


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("limit: null", True), ("limit: 3", True), ("limit: 0.5", False),
        ("ratio: 2", True), ("ratio: 1e-3", True), ("ratio: half", False),
        ("sizes: [3, 4]", True), ("sizes: 3", False),
        ("anything: [a]", True), ("exact: false", True), ("exact: 1", False),
    ],
)  # fmt: skip
def test_settings_of_a_user_are_held_to_their_types(tmp_path, text, right):
    names = [field.name for field in dataclasses.fields(Settings)]
    recipe = types.SimpleNamespace(
        RECIPE="mine", Config=Settings, BEFORE=dict.fromkeys(names, 0)
    )
    path = tmp_path / "config.yaml"
    path.write_text(f"recipe: mine\n{text}\n")
    refused = pytest.raises(RunError, match=text.split(":")[0])
    with contextlib.nullcontext() if right else refused:
        settings_of_run(path, recipe)
