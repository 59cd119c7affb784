"""Distorted images: the command, and what a run keeps of them."""

import json

import numpy as np
import pytest

from recipes._cli.main import main
from toolkit.data import DISTORTIONS


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The published variant, briefly trained."""
    runs = tmp_path_factory.mktemp("published")
    status = toolkit(
        "train", "lenet5", "--preset", "published", "--epochs", "2",
        "--export", "onnx,litert", "--runs", runs,
    )  # fmt: skip
    assert status == 0
    return runs / "lenet5" / "1"


def test_run_keeps_its_robustness(trained):
    found = json.loads((trained / "robustness.json").read_text())
    assert list(found["curves"]) == list(DISTORTIONS)
    accuracy = json.loads((trained / "evaluation.json").read_text())
    accuracy = accuracy["metrics"]["accuracy"]
    for name, points in found["curves"].items():
        item = DISTORTIONS[name]
        assert [p["strength"] for p in points] == list(item.grid)
        neutral = points[item.grid.index(item.neutral)]["accuracy"]
        assert neutral == pytest.approx(accuracy, abs=1 / 359)
        assert neutral >= points[-1]["accuracy"]
    worst = min(p["accuracy"] for p in found["curves"]["rotation"])
    assert worst < accuracy - 0.3


def test_run_keeps_the_inside_of_the_net(published):
    with np.load(published / "inside.npz") as inside:
        assert inside["kernels/c3"].shape == (5, 5, 6, 16)
        assert inside["maps/s2"].shape == (14, 14, 6)
        parameters = json.loads(str(inside["parameters"]))
    assert parameters == {
        "c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120,
    }  # fmt: skip
    page = (published / "report.html").read_text()
    assert "<h3>Kernels of C3</h3>" in page and "1,516" in page


def test_runs_and_files_side_by_side(trained, published, tmp_path, capsys):
    figure = tmp_path / "curves.svg"
    status = toolkit(
        "robustness", f"softmax={trained}", f"published={published}",
        f"onnx={trained / 'export' / 'lenet5.onnx'}", "--distortions",
        "rotation,shift", "--limit", "100", "--json", "--figure", figure,
    )  # fmt: skip
    assert status == 0
    out = capsys.readouterr().out
    found = json.loads(out[: out.rindex("}") + 1])
    assert found["softmax"]["curves"] == found["onnx"]["curves"]
    assert found["softmax"]["curves"] != found["published"]["curves"]
    assert found["published"]["images"] == 100
    assert "<svg" in figure.read_text()


def test_table_on_the_terminal(trained, capsys):
    status = toolkit(
        "robustness", trained, "--distortions", "rotation", "--strengths",
        "-15,0,15", "--limit", "50",
    )  # fmt: skip
    assert status == 0
    head, strengths, values = capsys.readouterr().out.splitlines()
    assert head == "accuracy on 50 distorted test images, %"
    assert strengths.split() == ["rotation", "(degrees)", "-15", "0", "15"]
    assert len(values.split()) == 5  # accuracy, %, and three numbers


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--distortions", "rotate"], 'Did you mean "rotation"'),
        (["--distortions", "shift", "--strengths", "-1"], "between 0 and 16"),
        (["--distortions", "shift", "--strengths", "a"], 'Received: "a"'),
        (["--strengths", "1"], "exactly one distortion"),
        (["--limit", "0"], "--limit"),
        (["--figure", "x.pdf"], ".svg or .png"),
    ],
)
def test_wrong_usage_is_named(trained, capsys, arguments, part):
    assert toolkit("robustness", trained, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and part in error


# Slow: a SavedModel is the graph of Keras itself; the others are conversions.
@pytest.mark.parametrize(
    "file",
    [
        "lenet5.onnx",
        "lenet5.tflite",
        pytest.param("saved_model", marks=pytest.mark.slow),
    ],
)
def test_published_variant_answers_the_same_in_every_format(
    file, published, tmp_path, capsys
):
    expected = json.loads((published / "evaluation.json").read_text())
    path = published / "export" / file
    if file == "saved_model":
        out = ["--to", "saved_model", "--output", tmp_path]
        assert toolkit("export", published, *out) == 0
        path = tmp_path / file
        capsys.readouterr()
    assert toolkit("evaluate", path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] == expected["metrics"]["accuracy"]
    assert found["loss"] == pytest.approx(expected["metrics"]["loss"], rel=1e-4)
    assert toolkit("predict", path, published / "samples/4.png") == 0
    label, share = capsys.readouterr().out.split()[1:3]
    assert 0 <= float(share) <= 1 and label.isdigit()


def test_published_variant_is_verified(published, capsys):
    file = published / "export" / "lenet5.onnx"
    assert toolkit("verify", file, "--against", published) == 0
    assert "equals the Keras model" in capsys.readouterr().out


def test_settings_of_the_softmax_variant_are_refused(tmp_path, capsys):
    status = toolkit(
        "train", "lenet5", "--preset", "published", "--pooling", "max",
        "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert status == 2
    assert "--pooling has no effect in the published" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
