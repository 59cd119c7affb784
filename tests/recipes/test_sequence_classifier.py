"""Digits read row by row: what is learned, kept, shown and exported."""

import json
import re

import keras
import numpy as np
import onnx
import pytest

import export
from export import runtime
from recipes._cli.main import main
from recipes._report.gradients import ends
from recipes.sequence_classifier import PRESETS, Config
from toolkit.data import cut_sequences, load_images, to_inputs
from toolkit.errors import ConfigError
from toolkit.models import sequence_classifier

pytestmark = pytest.mark.usefixtures("traced_reference")

EPOCHS = 12


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "sequence_classifier", "--runs", runs,
            "--shortest", 0.5, "--epochs", EPOCHS, "--export", "onnx",
        ) == 0
    )  # fmt: skip
    return runs / "sequence_classifier" / "1"


@pytest.fixture(scope="module")
def sequences():
    """Test images as the recipe has them, and their labels."""
    data = load_images("embedded", size=(16, 16)).as_rows()
    return to_inputs(data.test.images, data.preprocessing), data.test.labels


def test_digits_are_told_from_their_rows(run, sequences):
    found = json.loads((run / "evaluation.json").read_text())
    assert found["metrics"]["accuracy"] > 0.85
    model = keras.models.load_model(run / "model.keras", compile=False)
    assert model.input_shape == (None, None, 16)
    with np.load(run / "predictions.npz") as kept:
        np.testing.assert_allclose(
            model.predict(sequences[0][:20], verbose=0),
            kept["probabilities"][:20],
            atol=1e-6,
        )


def test_accuracy_grows_with_what_was_read(run, sequences):
    found = json.loads((run / "lengths.json").read_text())
    assert found["steps"] == [8, 10, 11, 13, 14, 16]
    whole = json.loads((run / "evaluation.json").read_text())["metrics"]
    assert found["accuracy"][-1] == pytest.approx(whole["accuracy"])
    assert 0.2 < found["accuracy"][0] < found["accuracy"][-1]
    model = keras.models.load_model(run / "model.keras", compile=False)
    half = model.predict(sequences[0][:, :8], verbose=0).argmax(axis=1)
    assert found["accuracy"][0] == pytest.approx(np.mean(half == sequences[1]))


def test_a_padded_sequence_has_the_answer_of_the_cut_one(run, sequences):
    model = keras.models.load_model(run / "model.keras", compile=False)
    file = runtime.load(run / "export" / "sequence_classifier.onnx")
    few = sequences[0][:4]
    padded = cut_sequences(few, [5, 9, 12, 16]).numpy()
    for ask in (
        lambda x: model.predict(x, verbose=0),
        lambda x: file.run({"sequence": x})["probabilities"],
    ):
        answers = ask(padded)
        for row, steps in enumerate((5, 9, 12, 16)):
            np.testing.assert_allclose(
                answers[row], ask(few[row : row + 1, :steps])[0], atol=1e-5
            )
        assert np.abs(answers - ask(few)).max() > 1e-3


def test_gradient_norms_are_kept_for_every_epoch(run):
    with np.load(run / "gradient_norms.npz") as kept:
        arrays = {name: kept[name] for name in kept.files}
    assert {name: values.shape for name, values in arrays.items()} == {
        "steps/recurrent_1": (EPOCHS + 1, 16),
        "layers/recurrent_1": (EPOCHS + 1,),
        "layers/probabilities": (EPOCHS + 1,),
    }
    for values in arrays.values():
        assert np.isfinite(values).all() and (values > 0).all()
    before = arrays["steps/recurrent_1"][0]
    assert before[-1] < before[1] / 5  # an untrained LSTM forgets


def test_factor_of_a_step_is_told_where_there_is_one():
    assert ends(np.array([2.0, 1.0, 0.5])) == ("2.0e+00", "5.0e-01", "0.50")
    assert ends(np.array([0.0, 1.0]))[2] == ends(np.array([1.0]))[2] == "-"


def test_page_shows_the_gradients_and_the_lengths(run):
    page = (run / "report.html").read_text()

    def section(name):
        text = page[page.index(f'id="{name}"') :]
        return text[: text.index("</section>")]

    gradients = section("gradients")
    for label in (
        "norm of the gradient by step back, recurrent_1",
        "norm of the gradient of each layer, by epoch",
    ):
        assert f'aria-label="{label}"' in gradients
    rows = re.findall(r"<tr><td.*?</tr>", gradients)
    cells = [re.findall(r">([^<]+)</td>", row) for row in rows]
    when = ["before training", "after epoch 1", f"after epoch {EPOCHS}"]
    assert [row[1] for row in cells] == when
    with np.load(run / "gradient_norms.npz") as kept:
        steps = kept["steps/recurrent_1"][0]
    factor = (steps[-1] / steps[0]) ** (1 / 15)
    assert cells[0][2:] == [
        f"{steps[0]:.1e}", f"{steps[-1]:.1e}", f"{factor:.2f}",
    ]  # fmt: skip
    lengths = section("lengths")
    found = json.loads((run / "lengths.json").read_text())
    assert f">{found['accuracy'][0]:.2%}</td>" in lengths
    assert 'aria-label="accuracy against the steps read"' in lengths


def test_file_is_fused_and_reads_pictures_as_training_did(run, capsys):
    path = run / "export" / "sequence_classifier.onnx"
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("LSTM") == 1 and "Loop" not in kinds
    model = runtime.load(path)
    assert list(model.inputs["sequence"][0]) == ["batch", "time", 16]
    rules = model.metadata["preprocessing"]
    assert (rules["layout"], rules["padding"]) == ("rows", -1.0)
    samples = np.load(run / "samples" / "inputs.npy")
    assert samples.shape == (10, 16, 16)
    for digit in (3, 7):
        picture = run / "samples" / f"{digit}.png"
        np.testing.assert_array_equal(model.preprocess(picture), samples[digit])
    assert toolkit("predict", path, picture, "--json") == 0
    ((answer,),) = [json.loads(capsys.readouterr().out).values()]
    expected = keras.models.load_model(run / "model.keras", compile=False)(
        samples[7:8]
    )
    assert dict(map(tuple, answer))["7"] == pytest.approx(
        float(expected[0, 7]), abs=1e-5
    )


def test_run_and_file_have_the_same_numbers(run, capsys):
    expected = json.loads((run / "evaluation.json").read_text())["metrics"]
    file = run / "export" / "sequence_classifier.onnx"
    for model in (run, file):
        assert toolkit("evaluate", model, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["count"] == 359
        assert found["accuracy"] == pytest.approx(expected["accuracy"])
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    assert (
        toolkit(
            "robustness", run, file, "--distortions", "shift",
            "--strengths", "0,2", "--limit", 100, "--json",
        ) == 0
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    ours, theirs = (one["curves"]["shift"] for one in found.values())
    assert ours == theirs and ours[0]["accuracy"] > 0.8
    assert toolkit("benchmark", run, "--rounds", 2, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["accuracy"] for row in rows} == {expected["accuracy"]}


# Slow: two trainings and three evaluations. What it resumes is resumed in the
# quick suite too: dropout in test_resume, lengths in tests/data/test_cutting.
@pytest.mark.slow
def test_interrupted_in_an_epoch_it_ends_the_same(tmp_path, monkeypatch, capfd):
    from tests.recipes.test_resume import StopAfter, with_callback

    settings = [
        "--cell", "gru", "--units", 8, "--dropout", 0.2, "--shortest", 0.5,
        "--epochs", 2, "--size", 8, "--batch-size", 16, "--runs",
    ]  # fmt: skip
    name = "sequence_classifier"
    assert toolkit("train", name, *settings, tmp_path / "a") == 0
    with monkeypatch.context() as patch:
        with_callback(patch, StopAfter(0, 1))
        assert toolkit("train", name, *settings, tmp_path / "b") == 130
    whole, other = (tmp_path / x / name / "1" for x in "ab")
    assert toolkit("train", name, "--resume", other) == 0
    assert "resuming after epoch 0, step " in capfd.readouterr().out
    for file in (
        "metrics.csv",
        "predictions.npz",
        "gradient_norms.npz",
        "lengths.json",
    ):
        assert (whole / file).read_bytes() == (other / file).read_bytes()


def test_colours_of_a_row_are_one_step(tmp_path):
    rules = {
        "kind": "image", "mode": "RGB", "size": [3, 4], "native_size": [3, 2],
        "resize": "pad", "scale": 2 / 255, "offset": -1.0, "layout": "rows",
    }  # fmt: skip
    done = export.export(
        sequence_classifier(12, classes=2, cell="elman", units=3),
        tmp_path,
        ["onnx"],
        metadata={"preprocessing": rules, "labels": ["a", "b"]},
    )
    image = np.random.default_rng(0).integers(0, 256, (3, 2, 3), np.uint8)
    padded = np.pad(image, ((0, 0), (1, 1), (0, 0)))
    model = runtime.load(done.paths["onnx"])
    np.testing.assert_array_equal(
        model.preprocess(image), to_inputs(padded[None], rules)[0]
    )
    assert {label for label, _ in model.predict(image)} == {"a", "b"}


def test_whole_sequences_need_no_mask(tmp_path):
    assert (
        toolkit(
            "train", "sequence_classifier", "--epochs", 1, "--size", 8,
            "--cell", "elman", "--bidirectional", True, "--clip-norm", 0,
            "--clip-value", 0.5, "--runs", tmp_path,
        ) == 0
    )  # fmt: skip
    run = tmp_path / "sequence_classifier" / "1"
    model = keras.models.load_model(run / "model.keras", compile=False)
    assert not any(isinstance(x, keras.layers.Masking) for x in model.layers)
    found = json.loads((run / "metadata.json").read_text())
    assert "padding" not in found["preprocessing"]
    assert not (run / "lengths.json").exists()
    page = (run / "report.html").read_text()
    assert 'id="lengths"' not in page
    assert "by step back, backward_recurrent_1" in page


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shortest": 0.0}, "--shortest must be above 0"),
        ({"shortest": 1.5}, "--shortest must be at most 1.*1.5"),
        ({"units": 0}, "--units must be at least 1"),
        ({"dropout": 1.0}, "--dropout must be below 1"),
        ({"clip_norm": -1.0}, "--clip-norm must be at least 0"),
        (
            {"clip_norm": 1.0, "clip_value": 0.5},
            "by norm or by value.*Set one of them to 0",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings)


def test_presets_are_settings():
    for settings in PRESETS.values():
        Config(**settings)


def test_unknown_cell_is_refused_before_a_run_is_made(tmp_path, capsys):
    status = toolkit(
        "train", "sequence_classifier", "--cell", "lsmt", "--runs", tmp_path
    )
    assert status == 2
    assert "lsmt" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
