"""The `toolkit` command as a user types it."""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from PIL import Image

from recipes import catalog
from recipes._cli.main import COMMANDS, main
from tests.recipes.processes import without_tensorflow
from toolkit.io import Lock


@pytest.fixture
def toolkit(capfd):
    """Runs a command; returns (status, standard output, standard error)."""

    def run(*arguments):
        capfd.readouterr()
        status = main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


def refused(result, *parts, status=1):
    """Holds a refusal to its form: one message, no traceback."""
    code, _, error = result
    assert code == status, error
    assert error.startswith("error: ") and "Traceback" not in error
    for part in parts:
        assert part in error
    return error


# Help and list


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(toolkit, name):
    status, out, _ = toolkit(name, "--help")
    assert status == 0 and f"usage: toolkit {name}" in out


def test_list_shows_every_recipe(toolkit):
    _, out, _ = toolkit("list")
    _, as_json, _ = toolkit("list", "--json")
    assert [e["name"] for e in json.loads(as_json)] == list(catalog.CATALOG)
    for name in catalog.CATALOG:
        assert name in out


def test_unknown_command_names_the_closest(toolkit):
    refused(toolkit("trian"), '"trian"', 'Did you mean "train"', status=2)


# Arguments of train


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["lenet"], ['"lenet"', 'Did you mean "lenet5"']),
        ([], ["Name the recipe first"]),
        (["lenet5", "--epoch", "3"], ["--epoch", "Did you mean"]),
        (["lenet5", "--preset", "modrn"], ['Did you mean "modern"']),
        (["lenet5", "--export", "onx"], ['Did you mean "onnx"']),
        (["lenet5", "--epochs", "many"], ["--epochs", "many"]),
        (["lenet5", "--pooling", "min"], ["--pooling", "min"]),
        (["lenet5", "--config", "absent.yaml"], ["absent.yaml"]),
    ],
)
def test_wrong_usage_exits_2_and_makes_no_run(
    toolkit, tmp_path, arguments, parts
):
    runs = ["--runs", tmp_path / "runs"] if arguments else []
    refused(toolkit("train", *arguments, *runs), *parts, status=2)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("flag", "value", "part"),
    [
        ("--data", "embeded", 'Did you mean "embedded"'),
        ("--epochs", "0", "--epochs must be at least 1. Received: 0"),
        ("--learning-rate", "-1", "--learning-rate must be above 0"),
        ("--dropout", "1.5", "--dropout must be below 1. Received: 1.5"),
        ("--shift", "-3", "--shift must be at least 0"),
        ("--batch-size", "0", "--batch-size must be at least 1"),
    ],
)
def test_values_out_of_range_are_named(toolkit, tmp_path, flag, value, part):
    runs = tmp_path / "runs"
    result = toolkit("train", "lenet5", flag, value, "--runs", runs)
    refused(result, part, status=1 if flag == "--data" else 2)
    assert flag == "--data" or not runs.exists()


@pytest.mark.parametrize(
    "recipe", ["lenet5", "softmax_regression", "autoencoder"]
)
def test_batch_above_the_training_images_is_refused(toolkit, tmp_path, recipe):
    result = toolkit(
        "train", recipe, "--batch-size", "5000", "--runs", tmp_path
    )
    refused(result, "fewer than one batch of 5000. Lower --batch-size")


def test_shift_out_of_the_frame_is_refused(toolkit, tmp_path):
    result = toolkit("train", "lenet5", "--shift", "32", "--runs", tmp_path)
    refused(result, "below the smaller side of the images (32", status=2)


def test_runs_folder_that_cannot_be_made_is_named(toolkit, tmp_path):
    (tmp_path / "file").write_text("")
    refused(
        toolkit("train", "lenet5", "--runs", tmp_path / "file"),
        "Cannot make a run directory",
        "--runs",
    )


def test_printed_config_is_what_config_reads(toolkit, tmp_path):
    status, printed, _ = toolkit(
        "train", "lenet5", "--preset", "modern", "--batch-size", "64",
        "--print_config",
    )  # fmt: skip
    assert status == 0
    values = yaml.safe_load(printed)
    assert values["pooling"] == "max" and values["batch_size"] == 64
    (tmp_path / "c.yaml").write_text(printed)
    _, again, _ = toolkit(
        "train", "lenet5", "--config", tmp_path / "c.yaml", "--seed", "5",
        "--print_config",
    )  # fmt: skip
    assert yaml.safe_load(again) == values | {"seed": 5}


def test_config_of_another_recipe_is_refused(toolkit, tmp_path):
    refused(
        toolkit(
            "train",
            "lenet5",
            "--config",
            _softmax_config(tmp_path),
            "--runs",
            tmp_path / "runs",
        ),  # fmt: skip
        "softmax_regression",
        status=2,
    )
    assert not (tmp_path / "runs").exists()


def _softmax_config(folder):
    path = folder / "config.yaml"
    path.write_text("recipe: softmax_regression\nepochs: 3\n")
    return path


def test_config_with_a_setting_that_is_none_is_refused(toolkit, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("epoch: 3\n")
    refused(
        toolkit("train", "lenet5", "--config", path, "--runs", tmp_path),
        "epoch",
        'Did you mean "epochs"',
        status=2,
    )


# A run


FILES = [
    ".lock", "README.md", "checkpoints", "config.yaml", "environment.json",
    "evaluation.json", "export", "finished.json", "inside.npz", "log.txt",
    "metadata.json", "metrics.csv", "model.keras", "predictions.npz",
    "report.html", "request.json", "robustness.json", "samples",
    "tensorboard", "timing.csv",
]  # fmt: skip


def test_run_leaves_everything(trained):
    found = sorted(p.name for p in trained.iterdir())
    assert [n for n in found if n != ".lock"] == FILES[1:]
    assert sorted(p.name for p in (trained / "export").iterdir()) == [
        "check_vectors.npz", "lenet5.onnx", "lenet5.tflite", "report.json",
        "saved_model",
    ]  # fmt: skip
    with open(trained / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["epoch"]) for r in rows] == list(range(1, 13))
    assert float(rows[-1]["val_accuracy"]) > 0.93
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 3


def test_model_of_a_run_is_its_best_epoch(trained):
    with open(trained / "metrics.csv", newline="") as file:
        losses = [float(r["val_loss"]) for r in csv.DictReader(file)]
    model = keras.models.load_model(trained / "model.keras", compile=False)
    with np.load(trained / "checkpoints" / "best.npz") as best:
        header = json.loads(str(best["header"]))
        assert header["position"]["epoch"] == 1 + int(np.argmin(losses))
        for index, weights in enumerate(model.get_weights()):
            np.testing.assert_array_equal(best[f"variable_{index}"], weights)
    with np.load(trained / "checkpoints" / "last.npz") as last:
        assert json.loads(str(last["header"]))["position"]["epoch"] == 12


def test_tensorboard_reads_what_metrics_csv_says(trained):
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    with open(trained / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for part, column in (("train", "accuracy"), ("validation", "val_accuracy")):
        events = EventAccumulator(
            str(trained / "tensorboard" / part), size_guidance={"tensors": 0}
        ).Reload()
        (tag,) = {"epoch_accuracy"} & set(events.Tags()["tensors"])
        values = [
            float(np.frombuffer(e.tensor_proto.tensor_content, np.float32)[0])
            if e.tensor_proto.tensor_content
            else e.tensor_proto.float_val[0]
            for e in events.Tensors(tag)
        ]
        expected = [float(row[column]) for row in rows]
        np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_same_seed_gives_the_same_weights_and_another_does_not(
    toolkit, tmp_path, without_page
):
    weights = []
    for seed in (3, 3, 4):
        status, _, error = toolkit(
            "train", "softmax_regression", "--epochs", "1", "--seed", seed,
            "--runs", tmp_path,
        )  # fmt: skip
        assert status == 0, error
        model = keras.models.load_model(
            tmp_path
            / "softmax_regression"
            / str(len(weights) + 1)
            / "model.keras",
            compile=False,
        )
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_dry_run_touches_everything_quickly(toolkit, tmp_path):
    status, out, error = toolkit(
        "train", "softmax_regression", "--dry-run", "--export", "onnx",
        "--runs", tmp_path,
    )  # fmt: skip
    assert status == 0, error
    assert "dry run" in out
    run = tmp_path / "softmax_regression" / "1"
    assert (run / "export" / "softmax_regression.onnx").is_file()
    assert len((run / "metrics.csv").read_text().splitlines()) == 2
    status, out, _ = toolkit("benchmark", run, "--rounds", "2")
    assert status == 0 and "ONNX, this toolkit" in out


def test_logistic_regression_from_the_command(toolkit, tmp_path, without_page):
    status, out, error = toolkit(
        "train", "softmax_regression", "--positive-class", "8", "--epochs",
        "5", "--export", "litert", "--runs", tmp_path,
    )  # fmt: skip
    assert status == 0, error
    run = tmp_path / "softmax_regression" / "1"
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["class_names"] == ["not 8", "8"]
    assert evaluation["metrics"]["accuracy"] > 0.9
    status, out, error = toolkit(
        "evaluate", run / "export" / "softmax_regression.tflite", "--json"
    )
    assert status == 0, error
    assert json.loads(out)["accuracy"] == pytest.approx(
        evaluation["metrics"]["accuracy"]
    )
    refused(
        toolkit(
            "train",
            "softmax_regression",
            "--positive-class",
            "eight",
            "--runs",
            tmp_path,
        ),  # fmt: skip
        'class "eight"',
        status=2,
    )


def test_nan_loss_stops_and_keeps_the_last_good_checkpoint(toolkit, tmp_path):
    error = refused(
        toolkit(
            "train",
            "softmax_regression",
            "--learning-rate",
            "1e30",
            "--l2",
            "1",
            "--epochs",
            "3",
            "--runs",
            tmp_path,
        ),  # fmt: skip
        "The loss is",
        "at step",
    )
    assert "--learning-rate" in error
    run = tmp_path / "softmax_regression" / "1"
    assert "The loss is" in (run / "log.txt").read_text()
    assert not (run / "model.keras").exists()


# Commands on a run


def test_evaluate_agrees_between_keras_and_the_files(toolkit, trained):
    evaluation = json.loads((trained / "evaluation.json").read_text())
    expected = evaluation["metrics"]
    export = trained / "export"
    for path in (
        trained,
        export / "lenet5.onnx",
        export / "lenet5.tflite",
        export / "saved_model",
    ):
        status, out, error = toolkit("evaluate", path, "--json")
        assert status == 0, error
        found = json.loads(out)
        assert found["count"] == evaluation["count"]
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-5)


def test_predict_names_the_digit(toolkit, trained):
    picture = trained / "samples" / "7.png"
    for model in (trained, trained / "export" / "lenet5.tflite"):
        status, out, error = toolkit("predict", model, picture, "--json")
        assert status == 0, error
        assert json.loads(out)[str(picture)][0][0] == "7"
    status, out, _ = toolkit("predict", trained, picture, "--top", "2")
    assert status == 0 and out.startswith(f"{picture}  7 ")
    assert len(out.split()) == 5


def test_predict_refuses_what_does_not_fit(toolkit, trained, tmp_path):
    model = trained / "export" / "lenet5.onnx"
    Image.new("L", (50, 40)).save(tmp_path / "wide.png")
    Image.new("RGBA", (8, 8)).save(tmp_path / "clear.png")
    refused(toolkit("predict", model, tmp_path / "wide.png"), "40x50", "--fit")
    refused(toolkit("predict", model, tmp_path / "clear.png"), "RGBA", "--fit")
    refused(toolkit("predict", model, tmp_path / "no.png"), "There is no pict")
    refused(toolkit("predict", tmp_path / "no.onnx", "x.png"), "no model file")


def test_export_again_with_other_settings(toolkit, trained, tmp_path):
    status, out, error = toolkit(
        "export", trained, "--to", "onnx", "--opset", "17", "--batch", "1",
        "--output", tmp_path / "out",
    )  # fmt: skip
    assert status == 0, error
    assert "lenet5.onnx" in out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["formats"]["onnx"]["opset"] == 17
    assert report["formats"]["onnx"]["requirements"]["onnxruntime"] == "1.12"
    refused(
        toolkit("export", trained, "--opset", "3", "--output", tmp_path / "x"),
        "opset=3",
    )
    assert not (tmp_path / "x").exists()


def test_keras_file_is_exported_beside_itself(toolkit, trained, tmp_path):
    shutil.copy(trained / "model.keras", tmp_path / "mine.keras")
    status, out, error = toolkit("export", tmp_path / "mine.keras", "--explain")
    assert status == 0, error
    assert out.splitlines()[0].split() == [
        "layer", "class", "SavedModel", "ONNX", "LiteRT",
    ]  # fmt: skip
    status, _, error = toolkit(
        "export", tmp_path / "mine.keras", "--to", "litert"
    )
    assert status == 0, error
    assert list((tmp_path / "mine_export").glob("*.tflite"))


def test_verify_accepts_and_refuses(toolkit, trained, tmp_path):
    file = trained / "export" / "lenet5.onnx"
    samples = trained / "samples" / "inputs.npy"
    status, out, error = toolkit(
        "verify", file, "--against", trained / "model.keras", "--samples",
        samples,
    )  # fmt: skip
    assert status == 0, error
    model = keras.models.load_model(trained / "model.keras", compile=False)
    weights = model.get_weights()
    weights[-1] = weights[-1] + np.linspace(0, 0.01, 10)
    model.set_weights(weights)
    model.save(tmp_path / "other.keras")
    refused(
        toolkit("verify", file, "--against", tmp_path / "other.keras"),
        "Keras says",
    )
    refused(
        toolkit("verify", file, "--against", trained, "--samples", "no.npy"),
        "no.npy",
    )


def test_benchmark_measures_every_file_beside_keras_own(toolkit, trained):
    status, out, error = toolkit(
        "benchmark", trained, "--rounds", "3", "--json"
    )
    assert status == 0, error
    rows = {row["what"]: row for row in json.loads(out)}
    assert len(rows) == 7
    for name in ("ONNX", "LiteRT", "SavedModel"):
        ours, theirs = (
            rows[f"{name}, this toolkit"],
            rows[f"{name}, Keras' own"],
        )
        assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=0.005)
        assert 0 < ours["p50_us"] <= ours["p95_us"]
        assert ours["bytes"] > 100_000
    refused(
        toolkit("benchmark", trained, "--rounds", "0"), "--rounds", status=2
    )


def test_copy_writes_once_and_trains_as_it_is(
    toolkit, tmp_path, monkeypatch, without_page
):
    target = tmp_path / "mine.py"
    status, out, error = toolkit("copy", "lenet5", target)
    assert status == 0, error
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("mine", target)
    mine = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mine", mine)
    spec.loader.exec_module(mine)
    run = mine.main(mine.Config(epochs=1))
    assert run.path == Path("runs/mine/1") and len(run.history) == 1
    assert run.metrics["accuracy"] > 0.2
    refused(toolkit("copy", "lenet5", target), "exists", status=2)
    refused(toolkit("copy", "lenet5", tmp_path / "m.txt"), ".py", status=2)
    refused(toolkit("copy", "lenet", tmp_path / "m.py"), "lenet5", status=2)


# Runs and files that are not as they should be


def test_run_in_use_is_refused(toolkit, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    with Lock(run):
        refused(toolkit("report", run), "in use by process", str(os.getpid()))
        refused(toolkit("export", run, "--to", "onnx"), "in use")
    assert toolkit("report", run)[0] == 0


def test_lock_of_a_killed_process_is_free(trained):
    code = (
        "import sys, time; from toolkit.io import Lock; "
        "lock = Lock(sys.argv[1]).acquire(); print('held', flush=True); "
        "time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(trained)], stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(Exception, match=f"in use by process {holder.pid}"):
        Lock(trained).acquire()
    holder.kill()
    holder.communicate()
    with Lock(trained):
        pass


def test_what_is_no_run_is_refused_with_a_hint(toolkit, trained, tmp_path):
    refused(toolkit("report", tmp_path / "no"), "There is no run directory")
    refused(toolkit("report", trained.parent), "Did you mean", str(trained))
    refused(toolkit("benchmark", tmp_path), "not a run directory")
    refused(toolkit("evaluate", trained.parent), "Did you mean")


def test_run_without_a_model_or_files_says_what_to_do(toolkit, tmp_path):
    (tmp_path / "config.yaml").write_text("recipe: lenet5\n")
    refused(toolkit("export", tmp_path), "has not finished training")
    refused(toolkit("predict", tmp_path, "x.png"), "toolkit export")
    refused(toolkit("benchmark", tmp_path), "toolkit export")


def test_damaged_files_of_a_run_are_named(toolkit, trained, tmp_path):
    for name, spoil in (
        ("config.yaml", "epochs: [1"),
        ("config.yaml", "epochs: 3"),
        ("metrics.csv", "epoch,loss\n1,x\n"),
        ("evaluation.json", "{"),
        ("predictions.npz", "PK"),
    ):
        run = tmp_path / f"{name}-{len(spoil)}"
        shutil.copytree(trained, run)
        (run / name).write_text(spoil)
        (run / "report.html").write_text("as it was")
        refused(toolkit("report", run), name)
        assert (run / "report.html").read_text() == "as it was"


def test_keras_files_that_cannot_be_loaded(toolkit, trained, tmp_path):
    whole = (trained / "model.keras").read_bytes()
    cut = tmp_path / "cut.keras"
    cut.write_bytes(whole[: len(whole) // 2])
    refused(toolkit("export", cut), "damaged", str(len(whole) // 2))
    refused(toolkit("export", tmp_path / "no.keras"), "There is no model file")
    (tmp_path / "m.h5").write_text("")
    refused(toolkit("export", tmp_path / "m.h5"), "not a .keras file")
    broken = tmp_path / "broken.keras"
    with (
        zipfile.ZipFile(trained / "model.keras") as source,
        zipfile.ZipFile(broken, "w") as target,
    ):
        target.writestr("config.json", source.read("config.json"))
        target.writestr("metadata.json", source.read("metadata.json"))
        target.writestr("model.weights.h5", b"\x89HDF cut")
    refused(toolkit("export", broken), "broken.keras", "cannot be loaded")
    assert not list(tmp_path.glob("*_export"))


def test_lambda_in_a_keras_file_is_refused(toolkit, tmp_path):
    x = keras.Input((2,))
    model = keras.Model(x, keras.layers.Lambda(lambda t: t * 2)(x))
    model.save(tmp_path / "l.keras")
    refused(
        toolkit("export", tmp_path / "l.keras"), "Lambda", "safe_mode=False"
    )
    assert not (tmp_path / "l_export").exists()


def test_foreign_class_in_a_keras_file_is_named(toolkit, tmp_path):
    class Foreign(keras.layers.Layer):
        def call(self, x):
            return x

    Foreign.__module__ = "__main__"  # of the program that defined it
    x = keras.Input((2,))
    keras.Model(x, Foreign()(x)).save(tmp_path / "f.keras")
    refused(
        toolkit("export", tmp_path / "f.keras"),
        'class "Foreign"',
        "not known here",
    )


def test_file_without_metadata_cannot_be_evaluated(toolkit, tmp_path):
    from toolkit.models import softmax_regression

    model = softmax_regression((2,), classes=2)
    model(np.zeros((1, 2)))  # else Keras' own export refuses it
    model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    refused(toolkit("evaluate", tmp_path / "m.onnx"), "toolkit verify")


# Doctor


def test_doctor_is_well_here_and_converts_in_every_format(toolkit):
    status, out, error = toolkit("doctor")
    assert status == 0, error
    assert out.count("converted, run and equal") == 3
    assert "all is well" in out


def test_doctor_finds_a_shadow(toolkit, tmp_path, monkeypatch):
    (tmp_path / "export.py").write_text("")
    monkeypatch.chdir(tmp_path)
    refused(toolkit("doctor", "--quick"), "export.py", "Rename it")


# The terminal


def test_pipe_that_closes_early_leaves_no_traceback():
    done = subprocess.run(
        f"{sys.executable} -m recipes list | head -1",
        shell=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.startswith("recipe") and not done.stderr


def test_predict_is_quick_because_it_imports_no_tensorflow(trained):
    file, picture = trained / "export/lenet5.onnx", trained / "samples/7.png"
    (result,) = without_tensorflow(["predict", file, picture])
    assert result.status == 0 and not result.modules, result.stderr
