"""Answers that are none, and questions that ask for none."""

import json
import shutil

import numpy as np
import onnx
import pytest
from PIL import Image

import export
from export import metadata, runtime
from tests.export.conftest import ask

PICTURE = np.array([[0, 255]], np.uint8)
RULES = {
    "kind": "image", "mode": "L", "size": [1, 2], "native_size": [1, 2],
    "resize": "none", "scale": 1 / 255, "offset": 0.0,
}  # fmt: skip


def with_nan(path, copied):
    """Copies an .onnx file; all weights become NaN."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = np.full_like(onnx.numpy_helper.to_array(tensor), np.nan)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, copied)
    metadata.write(copied, metadata.read(path))
    return copied


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A classifier and an autoencoder of two pixels; and both with NaN."""
    from toolkit.models import autoencoder, softmax_regression

    folder = tmp_path_factory.mktemp("answers")
    found = {}
    for name, model, about in (
        ("classifier", softmax_regression((1, 2, 1), classes=3),
         {"labels": ["a", "b", "c"], "activation": "softmax"}),
        ("autoencoder", autoencoder((1, 2, 1), hidden=(), code=1),
         {"anomaly_threshold": 0.5}),
    ):  # fmt: skip
        done = export.export(
            model,
            folder,
            ["onnx"],
            name=name,
            metadata={"preprocessing": RULES, **about},
        )
        found[name] = done.paths["onnx"]
        found[f"{name}_nan"] = with_nan(
            found[name], folder / f"{name}_nan.onnx"
        )
    return found


def test_nan_is_an_error_unless_it_is_allowed(files):
    model = runtime.load(files["classifier_nan"])
    with pytest.raises(
        runtime.ModelError,
        match='"picture 1 of 2" holds NaN.*file is damaged.*allow_nan=True',
    ):
        model.predict([PICTURE, PICTURE])
    answer = model.predict(PICTURE, allow_nan=True)
    assert [label for label, _ in answer] == ["a", "b", "c"]
    assert all(np.isnan(value) for _, value in answer)


def test_nan_is_not_a_usual_picture(files):
    model = runtime.load(files["autoencoder_nan"])
    with pytest.raises(runtime.ModelError, match='"picture 1 of 1" holds NaN'):
        model.anomaly(PICTURE)
    answer = model.anomaly(PICTURE, allow_nan=True)
    assert np.isnan(answer["score"]) and not answer["unusual"]


def test_one_nan_among_numbers_is_one(files, monkeypatch):
    model = runtime.load(files["classifier"])
    rows = np.array([[0.2, 0.8, 0.0], [np.nan, 1.0, 0.0]], np.float32)
    monkeypatch.setattr(model, "_run", lambda arrays: {"class": rows})
    with pytest.raises(runtime.ModelError, match='"picture 2 of 2" holds NaN'):
        model.predict([PICTURE, PICTURE])


def test_on_the_command_line_nan_is_an_error_with_a_way_out(files, bare):
    work, run = bare
    Image.fromarray(PICTURE).save(work / "p.png")
    file = shutil.copy(files["classifier_nan"], work)
    refused, shown = ask(
        run, [file, "p.png"], [file, "p.png", "--allow-nan", "--json"]
    )
    assert refused.returncode == 1 and not refused.stdout
    assert '"p.png" holds NaN' in refused.stderr
    assert "--allow-nan" in refused.stderr
    assert json.loads(shown.stdout)["p.png"][0][0] == "a"


def test_toolkit_predict_refuses_nan_and_can_be_asked_for_it(
    files, tmp_path, capsys
):
    from recipes._cli.main import main

    path = tmp_path / "p.png"
    Image.fromarray(PICTURE).save(path)
    arguments = ["predict", str(files["classifier_nan"]), str(path)]
    assert main(arguments) == 1
    assert "--allow-nan" in capsys.readouterr().err
    assert not main([*arguments, "--allow-nan"])
    assert "a nan" in capsys.readouterr().out


def test_words_with_nan_are_refused(word_files, tmp_path):
    for key in ("onnx", "onnx:neighbours"):
        path = word_files.done.paths[key]
        model = runtime.load(with_nan(path, tmp_path / path.name))
        with pytest.raises(runtime.ModelError, match="holds NaN"):
            model.neighbours("king", 3)
    model = runtime.load(tmp_path / word_files.done.paths["onnx"].name)
    with pytest.raises(runtime.ModelError, match='to "king" holds NaN'):
        model.vector("king")


def test_a_text_of_nan_is_not_written(text_files, tmp_path):
    path = text_files.writer.paths["onnx:streaming"]
    model = with_nan(path, tmp_path / path.name)
    with pytest.raises(runtime.ModelError, match="holds NaN"):
        runtime.stream(model).generate("the cat", 3)


@pytest.mark.parametrize("name", ["classifier", "autoencoder"])
def test_no_pictures_are_refused(files, name):
    model = runtime.load(files[name])
    question = model.predict if name == "classifier" else model.anomaly
    for none in ([], ()):
        with pytest.raises(
            runtime.InputError, match=r"no picture.*at least one.*(\[\]|\(\))"
        ):
            question(none)


@pytest.mark.parametrize("top", [-1, 0, 1.5, True, "2"])
def test_a_number_of_answers_that_is_none_is_refused(files, top):
    model = runtime.load(files["classifier"])
    with pytest.raises(runtime.InputError, match=f"at least 1.*top={top!r}"):
        model.predict(PICTURE, top=top)


def test_at_most_all_classes_are_returned(files):
    model = runtime.load(files["classifier"])
    everything = model.predict(PICTURE)
    assert len(everything) == 3
    assert model.predict(PICTURE, top=1) == everything[:1]
    assert model.predict(PICTURE, top=99) == everything
