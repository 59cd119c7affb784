"""What earlier versions made still loads, resumes, verifies and answers."""

import csv
import json
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

import export
from export import runtime
from recipes._cli.main import main
from recipes._cli.models import load_model
from recipes._report import files
from recipes.catalog import CATALOG
from tests.golden.record import HERE, all_golden, manifest, versions
from toolkit.training.state import read_position

MOST_BYTES = 5_000_000
GOLDEN = all_golden()
STOPPED = [golden for golden in GOLDEN if golden.about["stopped"]]
# The quick suite takes these for what costs seconds a case, `make test-slow`
# takes all: TensorFlow builds a training and traces a SavedModel in each.
RESUMED_QUICKLY = ("softmax_regression", "encoder_8_3_8")
VERIFIED_QUICKLY = ("softmax_regression", "word2vec")
# Another processor rounds otherwise: a sum of float32 in its last bits,
RTOL = ATOL = 1e-5
# and what was trained on from there by what grows out of them.
TRAINED_RTOL = 1e-3
ROUNDED = ("loss", "error", "perplexity", "bits", "share_of_pca", "rate")
SHARES = ("error", "calibration_error")  # of examples
# All other metrics count examples, a few of which may fall on the other side.
COUNTED_ATOL = 0.03  # of 1
BLEU_ATOL = 3.0  # of 100


def toolkit(*arguments):
    return main([str(a) for a in arguments])


def quick(golden, names):
    marks = () if golden.name in names else pytest.mark.slow
    return pytest.param(golden, id=str(golden), marks=marks)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """Returns where a case is unpacked; once for all tests that only read."""
    folders = {}

    def unpack(golden):
        if str(golden) not in folders:
            folders[str(golden)] = tmp_path_factory.mktemp(golden.name)
            golden.unpack(folders[str(golden)])
        return folders[str(golden)]

    return unpack


@pytest.fixture
def folder(golden, unpacked, monkeypatch):
    """A case, unpacked in the working directory, as it was made."""
    folder = unpacked(golden)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def own(golden, tmp_path, monkeypatch):
    """The same to be changed."""
    golden.unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


every_case = pytest.mark.parametrize("golden", GOLDEN, ids=str)


# The records


def test_records_are_small_and_hold_every_recipe_of_today():
    paths = [p for v in versions() for p in (HERE / v).iterdir()]
    assert sum(path.stat().st_size for path in paths) <= MOST_BYTES
    assert "0.1.0" in versions()
    assert {golden.recipe for golden in GOLDEN} >= set(CATALOG)
    assert {golden.recipe for golden in STOPPED} >= set(CATALOG)


@pytest.mark.parametrize("version", versions())
def test_record_says_what_made_it(version):
    about = manifest(version)
    assert about["version"] == version
    assert about["versions"]["applied-keras-toolkit"] == version
    assert len(about["revision"]) >= 7 and "dirty" not in about["revision"]
    archives = {path.name for path in (HERE / version).glob("*.tar.xz")}
    assert archives == {f"{name}.tar.xz" for name in about["cases"]}


# Runs


@every_case
def test_files_of_a_run_are_read(golden, folder):
    run = files.read(golden.finished)
    assert run.config["recipe"] == golden.recipe
    assert len(run.metrics) >= 1 and len(run.timing) == len(run.metrics)
    assert run.evaluation["recipe"] == golden.recipe
    assert all(map(np.isfinite, run.evaluation["metrics"].values()))
    assert {f.split(":")[0] for f in run.export["formats"]} >= {"onnx"}
    for part, name in (
        ("predictions", "predictions.npz"),
        ("inside", "inside.npz"),
        ("robustness", "robustness.json"),
        ("trace", "trace.npz"),
        ("hidden_units", "hidden_units.npz"),
        ("texts", "texts.json"),
        ("surprise", "surprise.json"),
        ("codes", "codes.npz"),
        ("autoencoding", "autoencoding.npz"),
        ("gradient_norms", "gradient_norms.npz"),
        ("lengths", "lengths.json"),
        ("vectors", "vectors.bin"),
    ):
        there = (golden.finished / name).exists()
        assert (getattr(run, part) is not None) == there, name


@pytest.mark.parametrize("golden", [quick(g, RESUMED_QUICKLY) for g in GOLDEN])
def test_page_and_card_are_written_anew(golden, own, capsys):
    for name in ("report.html", "README.md"):
        (golden.finished / name).unlink()
    assert toolkit("report", golden.finished) == 0
    assert "report.html" in capsys.readouterr().out
    run = files.read(golden.finished)
    assert (
        run.evaluation["headline"]
        in (golden.finished / "report.html").read_text()
    )
    assert golden.recipe in (golden.finished / "README.md").read_text()


@pytest.mark.parametrize("golden", STOPPED[:1], ids=str)
def test_finished_run_is_finished(golden, folder, capfd):
    assert toolkit("train", golden.recipe, "--resume", golden.finished) == 1
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "is finished; there is nothing to resume" in error


# Models


@every_case
def test_keras_file_answers_as_then(golden, folder):
    model = load_model(golden.finished)
    with np.load("expected.npz") as expected:
        outputs = keras.tree.flatten(model(expected["inputs"]))
        assert len(expected.files) == 1 + len(outputs)
        for number, output in enumerate(outputs):
            same(np.asarray(output), expected[f"output_{number}"])


def same(found, wanted):
    assert found.dtype == wanted.dtype
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=RTOL, atol=ATOL)
    else:
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("golden", [quick(g, VERIFIED_QUICKLY) for g in GOLDEN])
def test_exported_files_equal_the_keras_model(golden, folder):
    model = load_model(golden.finished)
    verified = 0
    for path in exported(golden.finished):
        assert export.verify(path, model).parity.passed, path
        verified += 1
    assert verified >= 2


def exported(run):
    """Yields the exported files of all folders of a run."""
    for path in sorted(run.rglob("*")):
        if path.suffix in (".onnx", ".tflite"):
            yield path
        elif path.name == "saved_model.pb":
            yield path.parent


@every_case
def test_check_vectors_are_replayed_in_stock_runtimes(golden, folder):
    replayed = 0
    for path in exported(golden.finished):
        if path.is_dir():  # TensorFlow; verified with all others
            continue
        vectors = path.parent / "check_vectors.npz"
        with np.load(vectors) as arrays:
            signatures = {name.split("/")[0] for name in arrays.files}
            for signature in signatures & set(runtime.load(path).signatures):
                replay(runtime.load(path, signature=signature), arrays)
                replayed += 1
    assert replayed


def replay(model, arrays):
    """Runs the first case of a signature that fits and compares."""
    start = f"{model.signature}/0/"
    inputs, outputs = (
        {
            name.removeprefix(start + kind): arrays[name]
            for name in arrays.files
            if name.startswith(start + kind)
        }
        for kind in ("input/", "output/")
    )
    found = model.run(inputs)
    assert set(found) == set(outputs)
    for name, wanted in outputs.items():
        same(found[name], wanted)


@every_case
def test_files_answer_questions_as_then(golden, folder, capsys):
    answers = json.loads(Path("answers.json").read_text())
    assert bool(answers) == (golden.recipe != "encoder_8_3_8")
    for command, wanted in answers.items():
        if "saved_model" in command:  # TensorFlow; it answers in the slow test
            continue
        ask(command, wanted, capsys)


@pytest.mark.slow  # each SavedModel is traced anew, seconds a case
@every_case
def test_saved_models_answer_questions_as_then(golden, folder, capsys):
    for command, wanted in json.loads(Path("answers.json").read_text()).items():
        if "saved_model" in command:
            ask(command, wanted, capsys)


def ask(command, wanted, capsys):
    capsys.readouterr()
    assert toolkit(*shlex.split(command)) == 0
    found = capsys.readouterr().out
    if "--json" in command:
        close(json.loads(found), json.loads(wanted))
    else:
        assert found == wanted


def close(found, wanted):
    """Compares nested JSON; numbers within rounding."""
    assert type(found) is type(wanted)
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            close(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            close(a, b)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=RTOL, abs=ATOL)
    else:
        assert found == wanted


# Interrupted runs


@pytest.mark.parametrize("golden", [quick(g, RESUMED_QUICKLY) for g in STOPPED])
def test_interrupted_run_ends_as_the_finished_one(golden, own, capsys):
    run, whole = golden.stopped, golden.finished
    position = read_position(run / "checkpoints" / "last.npz")
    assert golden.about["stopped"].items() <= position.items()
    assert not (run / "evaluation.json").exists()
    assert toolkit("train", golden.recipe, "--resume", run) == 0
    assert "resuming after epoch" in capsys.readouterr().out
    rows, wanted = (read_rows(path / "metrics.csv") for path in (run, whole))
    assert len(rows) == len(wanted) > 0
    for row, other in zip(rows, wanted, strict=True):
        alike(row, other)
    alike(*(files.read(path).evaluation["metrics"] for path in (run, whole)))
    file = whole / "export" / f"{golden.recipe}.onnx"
    limits = ["--atol", 10 * TRAINED_RTOL, "--rtol", 10 * TRAINED_RTOL]
    assert toolkit("verify", file, "--against", run, *limits) == 0


def read_rows(path):
    with open(path, newline="") as file:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def alike(found, wanted):
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        limits = {"rel": TRAINED_RTOL, "abs": COUNTED_ATOL}
        if name == "bleu":
            limits["abs"] = BLEU_ATOL
        elif any(word in name for word in ROUNDED):
            limits["abs"] = COUNTED_ATOL if name in SHARES else None
        assert found[name] == pytest.approx(value, **limits), name
