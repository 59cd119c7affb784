"""A recipe of the user's own on the same plumbing."""

import json

import pytest

from recipes._cli.main import main

RECIPE = '''
"""A net of mine."""
from dataclasses import dataclass

from recipes._run import Run, evaluate_classifier, fit
from recipes._run.start import prepare

RECIPE = "mine"


@dataclass(frozen=True)
class Config:
    """Mine.

    Args:
        units: width of the hidden layer.
        epochs: passes over the data.
        seed: of everything.
    """

    units: int = 16
    epochs: int = 2
    seed: int = 0


PRESETS = {"default": {}, "wide": {"units": 64}}


def main(config=None, run=None):
    config = config or Config()
    run = run or Run(RECIPE, config)
    with run:
        prepare(config.seed)
        import keras

        import beside
        from toolkit.data import (
            evaluation_batches, load_images, training_batches)

        data = load_images("embedded")
        model = keras.Sequential([
            keras.Input(data.image_shape), keras.layers.Flatten(),
            keras.layers.Dense(config.units, activation=beside.ACTIVATION),
            keras.layers.Dense(10, activation="softmax")])
        model.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        steps = len(data.train) // 32
        fit(run, model, lambda start: training_batches(
                data.train, batch_size=32, seed=config.seed, start=start,
                steps=steps * config.epochs - start),
            evaluation_batches(data.validation, batch_size=256),
            epochs=config.epochs, steps_per_epoch=steps, batch_size=32)
        evaluate_classifier(run, data)
    return run
'''


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(RECIPE)
    (tmp_path / "beside.py").write_text('ACTIVATION = "relu"\n')
    return path


def test_users_recipe_trains_exports_reports_and_resumes(mine, tmp_path, capfd):
    runs = tmp_path / "runs"
    status = toolkit(
        "train", mine, "--preset", "wide", "--seed", "3", "--export", "onnx",
        "--runs", runs,
    )  # fmt: skip
    assert status == 0, capfd.readouterr().err
    run = runs / "mine" / "1"
    assert "units: 64" in (run / "config.yaml").read_text()
    assert (run / "export" / "mine.onnx").is_file()
    assert "<h1>mine" in (run / "report.html").read_text()
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["metrics"]["accuracy"] > 0.5
    before = (run / "metrics.csv").read_bytes()
    (run / "finished.json").unlink()
    (run / "checkpoints" / "last.npz").unlink()  # as of the epoch before
    assert toolkit("train", mine, "--resume", run) == 0
    assert "resuming after epoch 1" in capfd.readouterr().out
    assert (run / "metrics.csv").read_bytes() == before


def test_users_recipe_has_help_and_typed_flags(mine, capfd):
    assert toolkit("train", mine, "--help") == 0
    out = capfd.readouterr().out
    assert "A net of mine." in out and "width of the hidden layer" in out
    assert toolkit("train", mine, "--units", "x") == 2
    assert "--units" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "import os\n",
            ["does not define", "RECIPE:", "Config:", "PRESETS:", "main:"],
        ),
        (
            RECIPE.replace("PRESETS =", "PRESET ="),
            ["does not define:\n  PRESETS: settings by"],
        ),
        (RECIPE.replace("@dataclass(frozen=True)", ""), ["be a dataclass"]),
        (RECIPE.replace('{"default": {}, ', "None and {"), ["`PRESETS` must"]),
        (RECIPE.replace('RECIPE = "mine"', "RECIPE = 3"), ["`RECIPE` must"]),
        (RECIPE.replace("config=None, run=None", ""), ["`main` must take"]),
        ("def broken(:\n", ["SyntaxError", "mine.py, line 1"]),
        ("\n1 / 0\n", ["ZeroDivisionError", "(line 2)"]),
    ],
)
def test_file_that_is_no_recipe_says_what_is_missing(mine, text, parts, capfd):
    mine.write_text(text)
    assert toolkit("train", mine) == 2
    error = capfd.readouterr().err
    assert error.startswith('error: "') and "Traceback" not in error
    for part in parts:
        assert part in error


def test_missing_recipe_file_is_named(tmp_path, capfd):
    assert toolkit("train", tmp_path / "absent.py") == 2
    assert "toolkit copy lenet5 mine.py" in capfd.readouterr().err


def test_copy_is_a_recipe_of_its_own(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert toolkit("copy", "softmax_regression", "my-net.py") == 0
    assert "toolkit train ./my-net.py" in capfd.readouterr().out
    assert toolkit("train", "./my-net.py", "--epochs", "2") == 0
    assert (tmp_path / "runs" / "my_net" / "1" / "report.html").is_file()
    assert toolkit("copy", "lenet5", "5.py") == 2
    assert "start it with a letter" in capfd.readouterr().err
