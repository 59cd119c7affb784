"""The runtime without TensorFlow, and what an exported file says of itself."""

import json
import shutil

import numpy as np
import onnx
import pytest
from PIL import Image

import export
from export import metadata, runtime
from tests.export.conftest import ask
from toolkit.errors import ToolkitError

KINDS = ("onnx", "litert")


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_copied_alone_it_classifies_without_tensorflow(trained, bare, suffix):
    work, run = bare
    shutil.copy(trained / "export" / f"lenet5.{suffix}", work)
    shutil.copy(trained / "samples" / "7.png", work)
    done = run("runtime.py", f"lenet5.{suffix}", "7.png", "--json")
    assert done.returncode == 0, done.stderr
    best, *rest = json.loads(done.stdout)["7.png"]
    assert best[0] == "7" and 0.5 < best[1] <= 1 and len(rest) == 2


def test_saved_model_without_tensorflow_says_what_to_do(trained, bare):
    _, run = bare
    done = run("runtime.py", trained / "export" / "saved_model", "x.png")
    assert done.returncode == 1
    assert "only TensorFlow runs" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "file", ["saved_model", "lenet5.onnx", "lenet5.tflite"]
)
def test_all_formats_answer_as_the_keras_model(trained, file):
    import keras

    model = keras.models.load_model(trained / "model.keras", compile=False)
    expected = model.predict(np.load(trained / "samples/inputs.npy"), verbose=0)
    loaded = runtime.load(trained / "export" / file)
    names = [str(trained / "samples" / f"{i}.png") for i in range(10)]
    answers = loaded.predict(names)
    assert len(answers) == 10
    for row, answer in zip(expected, answers, strict=True):
        assert sum(value for _, value in answer) == pytest.approx(1, abs=1e-5)
        for label, value in answer:
            assert value == pytest.approx(row[int(label)], abs=2e-5)
        assert answer[0][0] == str(row.argmax())


def test_preprocessing_is_training_preprocessing_bit_for_bit(trained):
    loaded = runtime.load(trained / "export" / "lenet5.onnx")
    trained_on = np.load(trained / "samples" / "inputs.npy")
    for index in range(10):
        made = loaded.preprocess(trained / "samples" / f"{index}.png")
        np.testing.assert_array_equal(made, trained_on[index])


def test_preprocessing_of_an_original_is_that_of_the_training_data(
    trained, tmp_path
):
    """An 8x8 digit as it was before the pipeline enlarged it."""
    from toolkit.data import load_images

    small = load_images("embedded").test
    large = load_images("embedded", size=(32, 32)).test
    loaded = runtime.load(trained / "export" / "lenet5.tflite")
    for index in (0, 11, 47):
        path = tmp_path / f"{index}.png"
        Image.fromarray(small.images[index][..., 0]).save(path)
        expected = large.images[index].astype("float32") * np.float32(1 / 255)
        np.testing.assert_array_equal(loaded.preprocess(path), expected)


@pytest.fixture(scope="module")
def lenet5(trained):
    return runtime.load(trained / "export" / "lenet5.onnx")


def test_picture_of_another_size_or_mode_is_refused_and_can_be_fitted(
    lenet5, trained
):
    digit = Image.open(trained / "samples" / "3.png")
    large = digit.resize((100, 100))
    with pytest.raises(runtime.InputError, match="100x100.*8x8.*--fit"):
        lenet5.predict(large)
    assert lenet5.predict(large, fit=True)[0][0] == "3"
    with pytest.raises(runtime.InputError, match="mode RGB.*mode L.*--fit"):
        lenet5.predict(digit.convert("RGB"))
    assert lenet5.predict(digit.convert("RGB"), fit=True)[0][0] == "3"
    sixteen = Image.fromarray(np.asarray(digit).astype("uint16") * 257)
    assert lenet5.predict(sixteen, fit=True)[0][0] == "3"


def test_transparent_parts_are_white_paper(lenet5, trained):
    digit = np.asarray(Image.open(trained / "samples" / "3.png"))
    ink = np.zeros((*digit.shape, 4), np.uint8)
    ink[..., 3] = digit
    answer = lenet5.predict(Image.fromarray(ink), fit=True, invert=True)
    assert answer[0][0] == "3"


def test_dark_ink_on_light_paper(lenet5, trained):
    digit = np.asarray(Image.open(trained / "samples" / "3.png"))
    assert lenet5.predict(255 - digit, invert=True) == lenet5.predict(digit)


def test_photo_taken_with_the_camera_on_its_side(lenet5, trained, tmp_path):
    digit = Image.open(trained / "samples" / "3.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn by 90 degrees to see it upright
    path = tmp_path / "turned.png"
    digit.rotate(90).save(path, exif=exif)
    assert lenet5.predict(path) == lenet5.predict(digit)


def test_arrays_of_other_kinds_are_refused(lenet5):
    with pytest.raises(runtime.InputError, match="must be uint8.*float64"):
        lenet5.predict(np.zeros((32, 32)))
    with pytest.raises(runtime.InputError, match=r"shape.*32, 32, 1.*\[2, 3\]"):
        lenet5.run({"image": np.zeros((2, 3))})
    with pytest.raises(runtime.InputError, match="takes the inputs image"):
        lenet5.run({"picture": np.zeros((1, 32, 32, 1))})


def test_unreadable_pictures_are_named(lenet5, tmp_path):
    with pytest.raises(runtime.InputError, match='no picture ".*absent.png"'):
        lenet5.predict(tmp_path / "absent.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(runtime.InputError, match="broken.png.*not a readable"):
        lenet5.predict(broken)


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_damaged_files_are_refused(trained, tmp_path, suffix):
    whole = (trained / "export" / f"lenet5.{suffix}").read_bytes()
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(b"hello")
    with pytest.raises(runtime.ModelError, match="m\\." + suffix):
        runtime.load(path)
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(runtime.ModelError, match="m\\." + suffix):
        runtime.load(path)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(runtime.ModelError, match="There is no model file"):
        runtime.load(tmp_path / "absent.onnx")
    with pytest.raises(runtime.ModelError, match="no saved_model.pb"):
        runtime.load(tmp_path)
    (tmp_path / "m.pt").write_text("")
    with pytest.raises(runtime.ModelError, match="neither a .onnx nor"):
        runtime.load(tmp_path / "m.pt")


def test_sigmoid_unit_answers_for_both_classes(tmp_path):
    from toolkit.models import logistic_regression

    model = logistic_regression((2, 2, 1))
    model.set_weights([np.full((4, 1), 1.0), np.array([-1.0])])
    rules = {
        "kind": "image", "mode": "L", "size": [2, 2], "native_size": [2, 2],
        "resize": "none", "scale": 1 / 255, "offset": 0.0,
    }  # fmt: skip
    done = export.export(
        model,
        tmp_path,
        ["onnx"],
        metadata={
            "labels": ["no", "yes"],
            "activation": "sigmoid",
            "preprocessing": rules,
        },
    )
    loaded = runtime.load(done.paths["onnx"])
    dark = loaded.predict(np.zeros((2, 2), np.uint8))
    assert dark[0] == ("no", pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6))
    light = loaded.predict(np.full((2, 2), 255, np.uint8))
    assert light[0] == ("yes", pytest.approx(1 / (1 + np.exp(-3)), abs=1e-6))


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("sigmoid", [0.8, 0.5]), ("shares", [0.8 / 1.3, 0.5 / 1.3])],
)
def test_labels_that_exclude_no_other_keep_their_numbers(
    activation, expected, tmp_path
):
    from toolkit.models import mlp

    model = mlp((2, 2, 1), hidden=[], outputs=2, output_activation="sigmoid")
    model.set_weights([np.zeros((4, 2)), np.array([np.log(4), 0.0])])
    rules = {
        "kind": "image", "mode": "L", "size": [2, 2], "native_size": [2, 2],
        "resize": "none", "scale": 1 / 255, "offset": 0.0,
    }  # fmt: skip
    done = export.export(
        model,
        tmp_path,
        ["onnx"],
        metadata={
            "labels": ["sea", "sky"],
            "activation": activation,
            "preprocessing": rules,
        },
    )
    answer = runtime.load(done.paths["onnx"]).predict(np.zeros((2, 2), "uint8"))
    assert [label for label, _ in answer] == ["sea", "sky"]
    np.testing.assert_allclose([v for _, v in answer], expected, atol=1e-6)


# Autoencoders


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """An autoencoder of two pixels that gives back only the first."""
    from toolkit.models import autoencoder

    model = autoencoder(
        (1, 2, 1), hidden=(), code=1, output_activation="linear"
    )
    model.set_weights(
        [
            np.array([[1.0], [0.0]]), np.zeros(1),
            np.array([[1.0, 0.0]]), np.zeros(2),
        ]
    )  # fmt: skip
    rules = {
        "kind": "image", "mode": "L", "size": [1, 2], "native_size": [1, 2],
        "resize": "none", "scale": 1 / 255, "offset": 0.0,
    }  # fmt: skip
    return export.export(
        model,
        tmp_path_factory.mktemp("autoencoder"),
        ["onnx", "litert"],
        signatures=["encoder", "decoder"],
        metadata={"anomaly_threshold": 0.5, "preprocessing": rules},
    )


@pytest.mark.parametrize("key", ["onnx", "litert"])
def test_anomaly_is_the_squared_error_against_the_threshold(autoencoder, key):
    loaded = runtime.load(autoencoder.paths[key])
    found = loaded.anomaly(
        [np.array([[200, x]], np.uint8) for x in (0, 180, 181, 255)]
    )
    scores = [0.0, (180 / 255) ** 2, (181 / 255) ** 2, 1.0]
    assert [f["score"] for f in found] == pytest.approx(scores, abs=1e-6)
    assert [f["unusual"] for f in found] == [False, False, True, True]
    assert {f["threshold"] for f in found} == {0.5}
    one = loaded.anomaly(np.array([[0, 255]], np.uint8), invert=True)
    assert one["score"] == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(runtime.InputError, match="is no classifier.*`anomaly`"):
        loaded.predict(np.zeros((1, 2), np.uint8))
    with pytest.raises(runtime.InputError, match="2x2.*1x2"):
        loaded.anomaly(np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize("key", ["onnx:encoder", "litert"])
def test_what_an_inner_model_gives_is_not_called_a_class(autoencoder, key):
    encoder = runtime.load(autoencoder.paths[key], signature="encoder")
    picture = np.array([[255, 0]], np.uint8)
    with pytest.raises(
        runtime.InputError,
        match='"encoder", gives numbers, not classes. Use `run` with arrays',
    ):
        encoder.predict(picture)
    (code,) = encoder.run({"image": encoder.preprocess(picture)[None]}).values()
    assert code.tolist() == [[1.0]]


def test_classifier_without_labels_takes_an_activation(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
    rules = {
        "kind": "image", "mode": "L", "size": [1, 2], "native_size": [1, 2],
        "resize": "none", "scale": 1 / 255, "offset": 0.0,
    }  # fmt: skip
    picture = np.array([[0, 255]], np.uint8)
    for name, about in (("told", {"activation": "softmax"}), ("silent", {})):
        done = export.export(
            model,
            tmp_path / name,
            ["onnx"],
            metadata={"preprocessing": rules, **about},
        )
        loaded = runtime.load(done.paths["onnx"])
        if about:
            assert loaded.predict(picture) == [("1", 1.0), ("0", 0.0)]
        else:
            with pytest.raises(runtime.InputError, match="numbers, not class"):
                loaded.predict(picture)


def test_what_is_no_autoencoder_has_no_anomaly(lenet5, autoencoder):
    encoder = runtime.load(autoencoder.paths["onnx:encoder"])
    for model in (lenet5, encoder):
        with pytest.raises(runtime.InputError, match="no threshold of anomaly"):
            model.anomaly("3.png")


def test_copied_alone_it_says_how_unusual_a_picture_is(autoencoder, bare):
    work, run = bare
    for name, pixels in (("dark", [90, 0]), ("light", [90, 255])):
        picture = Image.fromarray(np.array([pixels], np.uint8))
        picture.save(work / f"{name}.png")
    files = [shutil.copy(autoencoder.paths[k], work) for k in KINDS]
    *plain, done = ask(
        run,
        *([file, "dark.png", "light.png"] for file in files),
        [files[-1], "light.png", "--json"],
    )
    assert len(plain) == len(KINDS)
    for answer in plain:
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.splitlines() == [
            "dark.png  usual: squared error 0.000, threshold 0.500",
            "light.png  unusual: squared error 1.000, threshold 0.500",
        ]
    assert json.loads(done.stdout)["light.png"]["unusual"] is True


def test_copied_alone_it_answers_about_words(word_files, bare):
    work, run = bare
    near = ["--neighbours", "king", "--k", "5", "--json"]
    far = ["--analogy", "man", "king", "woman", "--top", "1"]
    commands = []
    for key, questions in (
        ("onnx", (near, far)),
        ("onnx:neighbours", (near,)),
        ("onnx:analogy", (far,)),
        ("litert", (near, far)),
    ):
        file = shutil.copy(word_files.done.paths[key], work)
        commands += [[file, *question] for question in questions]
    wanted = word_files.vectors.neighbours("king", 5)
    for command, done in zip(commands, ask(run, *commands), strict=True):
        assert done.returncode == 0, (command, done.stderr)
        if "--analogy" in command:
            assert done.stdout.split()[-1] == "queen", command
            continue
        found = json.loads(done.stdout)["king"]
        assert [w for w, _ in found] == [w for w, _ in wanted], command


# Metadata


@pytest.mark.parametrize(
    "file", ["saved_model", "lenet5.onnx", "lenet5.tflite"]
)
def test_every_file_says_what_it_is(trained, file):
    told = metadata.read(trained / "export" / file)
    assert told["labels"] == list("0123456789")
    assert told["task"] == "image_classification"
    assert told.get("license") is None and told["toolkit_version"]
    assert told["preprocessing"]["size"] == [32, 32]
    assert told["requirements"] and None not in told["requirements"].values()
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert told["metrics"]["test_accuracy"] == pytest.approx(
        evaluation["metrics"]["accuracy"], abs=1e-6
    )


def test_requirements_follow_the_operator_set(trained, tmp_path):
    from toolkit.models import softmax_regression

    model = softmax_regression((2,), classes=2)
    done = export.export(model, tmp_path, ["onnx"], opset=15)
    assert metadata.read(done.paths["onnx"])["requirements"] == {
        "onnxruntime": "1.10",
        "opset": 15,
    }
    checked = onnx.load(done.paths["onnx"])
    onnx.checker.check_model(checked, full_check=True)


def test_foreign_metadata_is_refused():
    with pytest.raises(ToolkitError, match="Unknown metadata: colour"):
        metadata.describe(colour="red")
    with pytest.raises(ToolkitError, match="must be JSON"):
        metadata.describe(labels={1, 2})
