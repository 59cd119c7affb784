"""`make golden`: keeps what this version trains, saves and exports.

Writes tests/golden/VERSION: a manifest and an archive for each case of
`tests.golden.cases`, with a finished run, a run that was interrupted, and what
the model answers. Later versions have to load, resume, verify and ask all of
it, so a record is never written a second time.

The archives are compressed with xz, which finds the weights that stand in
model.keras, in the checkpoints and in every exported file.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import shlex
import shutil
import signal
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.golden.cases import CASES, Case, write_data

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Of no use to a later version
LEFT_OUT = ("tensorboard", ".lock", "last.previous.npz")
FIRST, SECOND = "1", "2"  # the finished run and the one that was stopped
PICTURES = ("0.png", "1.png", "left.png", "up.png")
PREDICT = (".onnx", ".tflite", "saved_model")
GENERATE = ("_streaming.onnx", ".tflite", "saved_model")


def main() -> None:
    """Writes the record of this version."""
    from recipes._run.environment import describe

    environment = describe(None)
    version = environment["versions"]["applied-keras-toolkit"]
    target = HERE / version
    if target.exists():
        sys.exit(
            f"{target} exists: a record of {version} is kept as it is. To "
            "make it anew, remove it first."
        )
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        record = work / version
        record.mkdir()
        cases = {}
        for case in CASES.values():
            place = work / case.name
            place.mkdir()
            with contextlib.chdir(place):
                cases[case.name] = make(case)
                check_anonymous(place, environment["processor"])
            pack(place, record / f"{case.name}.tar.xz")
        manifest = {
            "version": version,
            "revision": environment["git"],
            "python": environment["python"],
            "versions": environment["versions"],
            "cases": cases,
        }
        (record / "manifest.json").write_text(
            json.dumps(manifest, indent=2) + "\n"
        )
        shutil.copytree(record, target)
    size = sum(file.stat().st_size for file in target.iterdir())
    print(f"{target}: {len(cases)} cases, {size / 1e6:.2f} MB")


def make(case: Case) -> dict:
    """Trains, exports, interrupts and asks in the working directory.

    Args:
        case: what to train.

    Returns:
        What the manifest says of it.
    """
    write_data(Path())
    keep_only_data_of(case)
    run = Path("runs") / case.recipe / FIRST
    toolkit(case.train())
    for folder, arguments in case.exports.items():
        toolkit(["export", str(run), *arguments, "--output", run / folder])
    about = {"recipe": case.recipe, "epochs": case.epochs, "stopped": None}
    if case.stop:
        about["stopped"] = interrupt(case)
    keep_answers(case, run)
    if case.slim:
        without_optimizer(run)
    for path in Path("runs").rglob("environment.json"):
        found = json.loads(path.read_text())
        found |= {"platform": platform.system(), "processor": "not recorded"}
        path.write_text(json.dumps(found, indent=2) + "\n")
    toolkit(["report", run])  # whose page says where it was trained
    return about


def toolkit(arguments: list, status: int = 0) -> None:
    """Runs a command; raises if it ends with another status."""
    from recipes._cli.main import main as command

    found = command([str(argument) for argument in arguments])
    if found != status:
        raise RuntimeError(f"toolkit {arguments} ended with {found}")


def interrupt(case: Case) -> dict:
    """Trains as `case` says, up to its stop; returns where that was."""
    from toolkit.training.state import read_position

    with interrupted(*case.stop):
        arguments = case.train()
        toolkit(arguments[: arguments.index("--export")], status=130)
    last = Path("runs", case.recipe, SECOND, "checkpoints", "last.npz")
    position = read_position(last)
    return {"epoch": position["epoch"], "step": position["step"]}


@contextlib.contextmanager
def interrupted(epoch: int, calls: int) -> Iterator[None]:
    """Sends Ctrl-C in a training inside, after some calls in an epoch."""
    import keras

    from toolkit import training

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch, self.seen = epoch, 0

        def on_train_batch_end(self, batch, logs=None):
            self.seen += 1
            if (self.epoch, self.seen) == (epoch, calls):
                signal.raise_signal(signal.SIGINT)

    fit = training.fit
    training.fit = lambda *arguments, callbacks=(), **options: fit(
        *arguments, callbacks=[*callbacks, Stop()], **options
    )
    try:
        yield
    finally:
        training.fit = fit


def keep_answers(case: Case, run: Path) -> None:
    """Writes what the Keras model and the exported files answer.

    expected.npz holds inputs and outputs of model.keras, answers.json what
    `toolkit predict` and `toolkit generate` print for each file.
    """
    import keras

    from recipes._cli.models import load_model
    from recipes._run.exporting import load_samples

    model = load_model(run)
    inputs = load_samples(run)
    if inputs is None:
        inputs = np.eye(model.input.shape[-1], dtype=model.input.dtype)
    outputs = keras.tree.flatten(model(inputs[:4]))
    np.savez_compressed(
        "expected.npz",
        inputs=inputs[:4],
        **{f"output_{i}": np.asarray(v) for i, v in enumerate(outputs)},
    )
    answers = {}
    for arguments in questions(case, run):
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            toolkit(arguments)
        answers[shlex.join(arguments)] = text.getvalue()
    Path("answers.json").write_text(json.dumps(answers, indent=2) + "\n")


def questions(case: Case, run: Path) -> Iterator[list[str]]:
    """Yields commands that ask the exported files of a run."""
    pictures = [
        str(run / "samples" / name)
        for name in PICTURES
        if (run / "samples" / name).exists()
    ]
    command, asked, ends = "predict", [*pictures, "--json"], PREDICT
    if case.recipe == "encoder_8_3_8":
        return  # nothing to ask: it takes patterns
    if case.recipe == "word2vec":
        asked = ["--neighbours", "apple", "crow", "--top", "5", "--json"]
    elif case.recipe == "seq2seq":
        asked = ["--text", "3 May 1998", "27 Dec 2003", "--json"]
    elif case.recipe in ("char_rnn", "language_model"):
        command, ends = "generate", GENERATE
        asked = ["--prompt", "a dog", "--length", "12", "--top-k", "1"]
    for end in ends:
        if case.slim and end == ".tflite":
            continue
        name = end if end == "saved_model" else case.recipe + end
        yield [command, str(run / "export" / name), *asked]


def without_optimizer(run: Path) -> None:
    """Leaves out what a large model needs for training only."""
    from recipes._cli.models import load_model

    load_model(run).save(run / "model.keras")
    shutil.rmtree(run / "checkpoints")


def keep_only_data_of(case: Case) -> None:
    """Removes the files that a case does not read."""
    wanted = case.data
    for path in sorted(Path("data").rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # it holds what is kept
                path.rmdir()
        elif wanted is None or not path.is_relative_to(wanted):
            path.unlink()


def check_anonymous(place: Path, processor: str) -> None:
    """Raises for files that name the machine that made them."""
    names = {str(ROOT), str(place), sys.prefix, f"{Path.home()}/", processor}
    names |= {platform.node(), platform.platform()} - {""}
    for path in place.rglob("*"):
        if path.is_file() and not left_out(path):
            content = path.read_bytes()
            for name in names:
                if len(name) > 4 and name.encode() in content:
                    raise RuntimeError(f"{path} holds {name!r}")


def left_out(path: Path) -> bool:
    """Returns whether a file is not kept."""
    return bool(set(path.parts) & set(LEFT_OUT))


def pack(place: Path, archive: Path) -> None:
    """Writes a folder into an archive, without owners and times."""
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for path in sorted(place.rglob("*")):
            if path.is_dir() or left_out(path):
                continue
            entry = tarfile.TarInfo(str(path.relative_to(place)))
            entry.size = path.stat().st_size
            with open(path, "rb") as file:
                tar.addfile(entry, file)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
