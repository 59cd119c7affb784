"""Face recognition: what is learned, kept, shown and predicted."""

import json

import numpy as np
import pytest
from PIL import Image

from export import runtime
from recipes._cli.main import main
from recipes._report import hidden_units
from recipes.face_recognition import Config
from tests.recipes.drawn import drawn
from toolkit.data import load_faces
from toolkit.errors import ConfigError
from toolkit.training import TargetAccuracy


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "face_recognition", "--preset", "published",
            "--runs", runs, "--epochs", 50,
            "--export", "saved_model,onnx,litert",
        ) == 0
    )  # fmt: skip
    return runs / "face_recognition" / "1"


def test_poses_are_learned_by_three_hidden_units(run):
    found = json.loads((run / "evaluation.json").read_text())
    assert found["metrics"]["accuracy"] > 0.75
    assert found["parameters"] == 960 * 3 + 3 + 3 * 4 + 4
    assert found["class_names"] == ["left", "right", "straight", "up"]
    rows = [
        [float(x) for x in line.split(",")]
        for line in (run / "metrics.csv").read_text().splitlines()[1:]
    ]
    losses = np.array([row[2] for row in rows])
    assert losses[-1] < losses[0] / 5


def test_weights_before_and_after_are_kept_as_pictures(run):
    with np.load(run / "hidden_units.npz") as kept:
        before, after, outputs = (
            kept[name] for name in ("before", "after", "outputs")
        )
    assert before.shape == after.shape == (30, 32, 1, 3)
    assert outputs.shape == (4, 4)
    # Noise before; after, pixels beside each other have weights alike.
    assert abs(likeness(before)) < 0.1
    assert likeness(after) > 0.3
    assert np.abs(after).max() > 5 * np.abs(before).max()


def likeness(weights):
    """Correlation of weights with those one pixel to the right."""
    left, right = weights[:, :-1].ravel(), weights[:, 1:].ravel()
    return np.corrcoef(left, right)[0, 1]


def test_page_shows_the_weights(run):
    page = (run / "report.html").read_text()
    section = page[page.index('id="hidden_units"') :]
    section = section[: section.index("</section>")]
    for when in ("before", "after"):
        label = f"weights into hidden units, {when} training"
        assert f'aria-label="{label}"' in section
    with np.load(run / "hidden_units.npz") as kept:
        assert f"{kept['outputs'][0, 2]:+.2f}" in section
    assert 'aria-label="squared error / 2 per epoch"' in page


def test_pictures_of_the_weights_are_those_before_and_after(run, monkeypatch):
    section, calls = drawn(monkeypatch, hidden_units, run)
    with np.load(run / "hidden_units.npz") as kept:
        assert [name for name, _ in calls] == ["kernels", "kernels"]
        for (_, given), name in zip(calls, ("before", "after"), strict=True):
            np.testing.assert_array_equal(given["weights"], kept[name])
        assert (kept["before"] != kept["after"]).any()
        assert section.parts[1].rows == [
            (name, *(f"{w:+.2f}" for w in kept["outputs"][:, i]))
            for i, name in enumerate(["left", "right", "straight", "up"])
        ]


def test_exported_file_reads_published_pictures_as_training_did(run, tmp_path):
    model = runtime.load(run / "export" / "face_recognition.onnx")
    grey = load_faces("embedded").test.images[3, ..., 0] // 2
    path = tmp_path / "face.pgm"
    path.write_bytes(b"P5 # a comment\n32 30\n127\n" + grey.tobytes())
    Image.fromarray(grey).save(tmp_path / "face.png")
    assert np.asarray(Image.open(path)).max() > 127  # what Pillow makes of it
    np.testing.assert_array_equal(
        model.preprocess(path), model.preprocess(tmp_path / "face.png")
    )
    answer = dict(model.predict(path))
    assert set(answer) == {"left", "right", "straight", "up"}
    assert sum(answer.values()) == pytest.approx(1)


def test_run_and_file_are_evaluated_on_the_same_split(run, capsys):
    expected = json.loads((run / "evaluation.json").read_text())["metrics"]
    for model in (run, run / "export" / "face_recognition.tflite"):
        assert toolkit("evaluate", model, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["count"] == 190
        assert found["accuracy"] == pytest.approx(expected["accuracy"])


def test_two_classes_take_one_output(tmp_path):
    assert (
        toolkit(
            "train", "face_recognition", "--task", "sunglasses", "--epochs", 25,
            "--runs", tmp_path,
        ) == 0
    )  # fmt: skip
    run = tmp_path / "face_recognition" / "1"
    found = json.loads((run / "evaluation.json").read_text())
    assert found["parameters"] == 960 * 4 + 4 + 4 + 1
    assert found["metrics"]["accuracy"] > 0.75
    page = (run / "report.html").read_text()
    assert page.count("aria-label") >= 5


def test_accuracy_goes_by_the_targets():
    metric = TargetAccuracy()
    metric.update_state(
        np.array([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9]], "float32"),
        np.array([[0.3, 0.2, 0.1], [0.5, 0.1, 0.4]], "float32"),
    )
    assert float(metric.result()) == 0.5
    single = TargetAccuracy.from_config(TargetAccuracy().get_config())
    single.update_state(
        np.array([[0.9], [0.1], [0.1]], "float32"),
        np.array([[0.6], [0.4], [0.7]], "float32"),
    )
    assert float(single.result()) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 1.0}, "--momentum must be below 1"),
        ({"lists": "x"}, "--lists has no effect in the split random"),
        (
            {"split": "person", "training": 9},
            "--training has no effect in the split person",
        ),
        ({"hidden": -1}, "--hidden must be at least 0"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings)


def test_unknown_task_is_refused_before_a_run_is_made(tmp_path, capsys):
    status = toolkit(
        "train", "face_recognition", "--task", "moods", "--runs", tmp_path
    )
    assert status == 2
    assert "moods" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
