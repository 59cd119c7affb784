"""What an exported file says of itself, and what it cannot say."""

import json
import re
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import onnx
import pytest

import export
from export import metadata, runtime
from export.api import file_name
from export.errors import ExportError, MetadataError
from toolkit.models import softmax_regression

RULES = {
    "kind": "image", "mode": "L", "size": [1, 2], "native_size": [1, 2],
    "resize": "none", "scale": 1 / 255, "offset": 0.0,
}  # fmt: skip
FORMATS = ("saved_model", "onnx", "litert")
STRINGS = (
    "123", "null", "1e3", "true", "NaN", "[1]", '{"a": 1}', '"quoted"', "plain",
    "two words", "", " 7 ", "001", "Größe 猫", "[" * 9_999,
)  # fmt: skip


def classifier(classes=3, activation="softmax"):
    keras.utils.set_random_seed(1)
    x = keras.Input((1, 2, 1), name="image")
    y = keras.layers.Flatten()(x)
    return keras.Model(x, keras.layers.Dense(classes, activation)(y))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return export.export(
        softmax_regression((1, 2, 1), classes=3),
        tmp_path_factory.mktemp("said"),
        FORMATS,
    )


# Values keep their types


@pytest.mark.parametrize("key", FORMATS)
def test_texts_that_look_like_something_else_stay_texts(done, key):
    path = done.paths[key]
    about = metadata.read(path)
    for text in STRINGS:
        said = about | {"name": text, "data": text, "extra": {"own": text}}
        metadata.write(path, said)
        for found in (metadata.read(path), runtime.load(path).metadata):
            assert found["name"] == found["data"] == text
            assert found["extra"] == {"own": text}


def test_other_tools_show_ordinary_texts_as_they_are(done):
    path = done.paths["onnx"]
    said = metadata.read(path)
    metadata.write(path, {**said, "name": "Größe 1", "data": "12"})
    entries = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert entries["name"] == "Größe 1" and entries["data"] == '"12"'


def test_texts_in_files_of_0_1_0_are_read_as_texts(done, tmp_path):
    """They were written without quotes, and None not at all."""
    model = onnx.load(done.paths["onnx"])
    del model.metadata_props[:]
    entries = {"name": "123", "license": "null", "data": "1e3", "n": "7"}
    onnx.helper.set_model_props(model, entries)
    path = tmp_path / "old.onnx"
    onnx.save(model, path)
    for found in (metadata.read(path), runtime.load(path).metadata):
        assert found == {**entries, "n": 7}


def test_entries_of_other_tools_do_not_hinder_arrays(done, tmp_path):
    """They are refused where they matter, in pictures' answers."""
    model = onnx.load(done.paths["onnx"])
    del model.metadata_props[:]
    entries = {"labels": "cat,dog", "inputs": "x", "deep": "[" * 100}
    onnx.helper.set_model_props(model, entries)
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    loaded = runtime.load(path)
    (name,) = loaded.inputs
    loaded.run({name: np.zeros((1, 1, 2, 1), np.float32)})
    with pytest.raises(runtime.ModelError, match="`labels` must be a list"):
        loaded.predict(np.zeros((1, 2), "uint8"))


# What is refused before a file is written


def refused(tmp_path, message, model=None, **said):
    with pytest.raises(MetadataError, match=message) as caught:
        export.export(model or classifier(), tmp_path, ["onnx"], metadata=said)
    assert isinstance(caught.value, ExportError)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [1, 2, 4])
def test_another_number_of_labels_than_classes_is_refused(tmp_path, count):
    labels = list("abcd")[:count]
    refused(tmp_path, f"{count} for 3 classes", labels=labels)


def test_a_sigmoid_unit_takes_two_labels(tmp_path):
    unit = classifier(1, "sigmoid")
    two = ["no", "yes"]
    refused(
        tmp_path, '2 for 1 classes. One output unit takes two .*"sigmoid"',
        unit, labels=two,
    )  # fmt: skip
    refused(tmp_path, "1 for 2 cl", unit, labels=["a"], activation="sigmoid")
    said = {"labels": two, "activation": "sigmoid", "preprocessing": RULES}
    done = export.export(unit, tmp_path, ["onnx"], metadata=said)
    answer = runtime.load(done.paths["onnx"]).predict(np.zeros((1, 2), "uint8"))
    assert {label for label, _ in answer} == {"no", "yes"}


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028"])
def test_a_label_with_a_line_break_is_refused(tmp_path, end):
    labels = ["a", f"b{end}c", "d"]
    refused(tmp_path, "labels.txt in the file has a line", labels=labels)


@pytest.mark.parametrize("name", sorted(set(RULES) - {"kind"}))
def test_rules_for_pictures_are_whole(tmp_path, name):
    rules = {key: value for key, value in RULES.items() if key != name}
    message = f"`preprocessing` lacks `{name}`; pictures need kind, mode"
    refused(tmp_path, message, preprocessing=rules)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"labels": 3}, "`labels` must be a list .*Received: 3. Mend"),
        ({"labels": [["a"], ["b"], ["c"]]}, r"`labels` must .*\[\['a'\]"),
        ({"anomaly_threshold": "high"}, "finite number.*'high'"),
        ({"preprocessing": {**RULES, "size": [0, 2]}}, r"\[0, 2\]"),
        ({"colour": "red"}, "Unknown metadata: colour.*under `extra`"),
        ({"label": ["a"]}, 'Unknown metadata: label. Did you mean "labels"'),
        ({"extra": "red"}, "`extra` must be a dict.*'red'"),
        ({"extra": {1: "one"}}, "must be JSON: keys are texts, not 1"),
        ({"extra": {"a": {2}}}, "must be JSON"),
        ({"inputs": {}}, "The export writes inputs itself"),
    ],
)
def test_what_no_file_can_say_is_refused(tmp_path, said, message):
    refused(tmp_path, message, **said)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [(("batch", "time"), "float32"), (("batch", 1), "int32"), ((), "int64")],
)
def test_open_sizes_and_numbers_of_classes_are_not_counted(shape, dtype):
    output = SimpleNamespace(shape=shape, dtype=dtype)
    metadata.check({"labels": ["a", "b"]}, [output])


@pytest.mark.parametrize("shape", [("batch",), ("batch", 1), ("time", 9, 1)])
def test_the_last_size_of_an_output_is_its_number_of_classes(shape):
    output = SimpleNamespace(shape=shape, dtype="float32")
    metadata.check({"labels": ["a"]}, [output])
    other = SimpleNamespace(shape=("batch", 4), dtype="float32")
    metadata.check({"labels": list("abcd")}, [output, other])
    with pytest.raises(MetadataError, match="2 for 1 and 4 classes"):
        metadata.check({"labels": ["a", "b"]}, [output, other])


# What files hold


def test_keys_of_the_users_travel_under_extra(tmp_path):
    extra = {"commit": "1e3", "sizes": [1, 2], "none": None}
    done = export.export(
        classifier(), tmp_path, FORMATS, metadata={"extra": extra}
    )
    for path in done.paths.values():
        assert runtime.load(path).metadata["extra"] == extra


def test_no_licence_is_claimed_unless_one_is_given(done, tmp_path):
    for path in done.paths.values():
        assert metadata.read(path).get("license") is None
    said = {"license": "MIT"}
    given = export.export(classifier(), tmp_path, FORMATS, metadata=said)
    for path in given.paths.values():
        assert metadata.read(path)["license"] == "MIT"


def test_labels_stand_in_lines_beside_the_metadata(tmp_path):
    done = export.export(
        classifier(), tmp_path, ["litert"], metadata={"labels": list("abc")}
    )
    with zipfile.ZipFile(done.paths["litert"]) as archive:
        assert archive.read("labels.txt") == b"a\nb\nc\n"
        assert json.loads(archive.read("metadata.json"))["labels"] == [*"abc"]


# Names of files


def test_names_of_any_script_are_names_of_files(tmp_path):
    answers = {}
    for name in ("猫", "犬"):
        model = classifier()
        model.set_weights([w + len(answers) for w in model.get_weights()])
        done = export.export(model, tmp_path, ["onnx", "litert"], name=name)
        assert done.paths["onnx"] == tmp_path / f"{name}.onnx"
        answers[name] = model(np.ones((1, 1, 2, 1))).numpy()
    for name, answer in answers.items():
        for suffix in ("onnx", "tflite"):
            loaded = runtime.load(tmp_path / f"{name}.{suffix}")
            (key,) = loaded.inputs
            (found,) = loaded.run({key: np.ones((1, 1, 2, 1))}).values()
            np.testing.assert_allclose(found, answer, 1e-5)
            assert loaded.metadata["name"] == name


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("lenet5", "lenet5"),
        ("My model/2: a?", "My_model_2__a_"),
        (".hidden", "hidden"),
        ("हिन्दी-模型_١", "हिन्दी-模型_١"),
        ("e\u0301", "é"),
        ("", "model"),
    ],
)
def test_only_what_is_unsafe_in_a_path_is_replaced(name, file):
    assert file_name(name) == file


@pytest.mark.parametrize(
    ("first", "second"),
    [("???", "!!"), ("😀", "😺"), ("my 😀", "my 😺"), ("猫" * 99, "猫" * 98)],
)
def test_names_of_which_too_little_is_kept_differ(first, second):
    names = {file_name(name) for name in (first, first, second)}
    assert len(names) == 2
    for name in names:
        assert re.search(r"_[0-9a-f]{8}$", name) and len(name.encode()) < 200
