"""Files that are not as they were exported, and metadata that cannot be."""

import io
import json
import shutil
import zipfile

import keras
import numpy as np
import onnx
import pytest

import export
from export import metadata, runtime
from toolkit.models import softmax_regression

PICTURE = np.array([[0, 255]], np.uint8)
RULES = {
    "kind": "image", "mode": "L", "size": [1, 2], "native_size": [1, 2],
    "resize": "none", "scale": 1 / 255, "offset": 0.0,
}  # fmt: skip
ABOUT = {
    "labels": ["a", "b", "c"], "activation": "softmax", "preprocessing": RULES,
}  # fmt: skip
FORMATS = ("saved_model", "onnx", "litert")


def exported(folder):
    keras.utils.set_random_seed(1)
    model = softmax_regression((1, 2, 1), classes=3)
    done = export.export(model, folder, FORMATS, name="m", metadata=ABOUT)
    return model, done.paths


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copied(files, tmp_path):
    """Returns a function that copies the file of a format."""

    def copy(key):
        path = files[1][key]
        target = tmp_path / path.name
        if path.is_dir():
            return shutil.copytree(path, target)
        return shutil.copy(path, target)

    return copy


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


# Checksums


def weights_of(path):
    """Returns the file that holds the weights of a file or directory."""
    if path.is_dir():
        return path / "variables" / "variables.data-00000-of-00001"
    return path


@pytest.mark.parametrize("key", FORMATS)
def test_a_flipped_bit_in_the_weights_is_refused(files, copied, key):
    model = files[0]
    path = copied(key)
    file = weights_of(path)
    kernel = np.asarray(model.layers[-1].kernel)
    values = [kernel.tobytes(), kernel.T.tobytes()]
    place = max(file.read_bytes().find(value) for value in values)
    assert place >= 0
    answer = runtime.load(path).predict(PICTURE)
    flip(file, place + 1)
    with pytest.raises(
        runtime.ModelError,
        match=f'"{file}" is damaged.*Copy it again, or export it anew',
    ):
        runtime.load(path)
    flip(file, place + 1)
    assert runtime.load(path).predict(PICTURE) == answer


@pytest.mark.parametrize("key", ["onnx", "litert"])
def test_no_byte_can_change_unseen(copied, key):
    """But for those that name the checksum itself, or label it in the zip."""
    path = copied(key)
    whole = path.read_bytes()
    if key == "onnx":
        end = whole.index(runtime.ONNX_CHECKSUM)
        after = end + len(runtime.ONNX_CHECKSUM)
        places = [*range(0, end, 7), *range(after, len(whole), 7)]
    else:
        places = range(0, runtime.read_appended(path, whole)[1], 29)
    for place in places:
        flip(path, place)
        with pytest.raises(runtime.ModelError, match=path.name):
            runtime.load(path)
        path.write_bytes(whole)


def test_a_missing_file_of_a_saved_model_is_named(copied):
    path = copied("saved_model")
    (path / "variables" / "variables.index").unlink()
    with pytest.raises(runtime.ModelError, match='variables.index" is damaged'):
        runtime.load(path)


def test_files_without_a_checksum_load(copied):
    model = onnx.load(copied("onnx"))
    kept = [p for p in model.metadata_props if p.key != "checksum"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    path = copied("onnx")
    onnx.save(model, path)
    assert len(runtime.load(path).predict(PICTURE)) == 3
    for path in (copied("litert"), copied("saved_model")):
        rewrite(path, without("checksum"))
        assert len(runtime.load(path).predict(PICTURE)) == 3


def test_what_is_written_anew_gets_its_checksum_anew(copied):
    for key in FORMATS:
        path = copied(key)
        about = metadata.read(path)
        metadata.write(path, {**about, "labels": ["x", "y", "z"]})
        changed = metadata.read(path)
        assert changed["labels"] == ["x", "y", "z"]
        assert (changed["checksum"] == about["checksum"]) == (key != "onnx")
        assert runtime.load(path).predict(PICTURE)[0][0] in "xyz"
        metadata.write(path, about)
        if key != "saved_model":
            assert path.read_bytes() == copied(key).read_bytes()


def test_equal_exports_are_equal_bytes(files, tmp_path):
    _, again = exported(tmp_path)
    for key in ("onnx", "litert"):
        assert again[key].read_bytes() == files[1][key].read_bytes()


# Metadata


def rewrite(path, change):
    """Changes the bytes of metadata.json in a .tflite or SavedModel."""
    if path.is_dir():
        about = path / "assets.extra" / "metadata.json"
        about.write_bytes(change(about.read_bytes()))
        return
    content = path.read_bytes()
    end = runtime.read_appended(path, content)[1]
    with zipfile.ZipFile(path) as archive:
        text = change(archive.read("metadata.json"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", text)
    path.write_bytes(content[:end] + buffer.getvalue())


def without(name):
    def change(text):
        about = json.loads(text)
        del about[name]
        return json.dumps(about).encode()

    return change


def with_values(**values):
    return lambda text: json.dumps({**json.loads(text), **values}).encode()


def with_rules(**values):
    return with_values(preprocessing={**RULES, **values})


@pytest.mark.parametrize("key", ["saved_model", "litert"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"labels": ["a"', "no JSON: Expecting"),
        (b"", "no JSON: Expecting value"),
        (b'{"name": "\xff"}', "no JSON: 'utf-8' codec"),
        (b"[1, 2]", r"must be an object. Received: \[1, 2\]"),
        (b"null", "must be an object. Received: None"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"extra": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"n": ' + b"1" * 5_000 + b"}", "no JSON: Exceeds the limit"),
    ],
    ids=lambda value: f"{value[:20]}",
)
def test_metadata_that_cannot_be_read_are_refused(copied, key, text, message):
    path = copied(key)
    rewrite(path, lambda _: text)
    with pytest.raises(
        runtime.ModelError, match=f'What "{path}" says.*{message}'
    ) as caught:
        runtime.load(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_values(labels=5), "`labels` must be a list.*Received: 5"),
        (with_values(labels={"a": 1}), "`labels` must be.*{'a': 1}"),
        (with_values(labels=[["a"]]), r"`labels` must be.*\[\['a'\]\]"),
        (with_values(task=["x"]), r"`task` must be a text.*\['x'\]"),
        (with_values(anomaly_threshold="high"), "finite number.*'high'"),
        (with_values(anomaly_threshold=float("nan")), "finite number.*nan"),
        (with_values(vocabulary="abc"), "`vocabulary` must be a list.*'abc'"),
        (with_values(preprocessing=[1]), "`preprocessing` must be an object"),
        (with_values(signatures=[1]), "`signatures` must be an object"),
        (with_values(states={"sequences": 3}), "`states` must be an object"),
        (with_values(inputs={"x": 1}), "`inputs` must be an object"),
        (with_values(activation="penalties"), "`rubbish_penalty` must be"),
        (with_rules(size=[10**6, 10**6]), r"pixels.*\[1000000, 1000000\]"),
        (with_rules(size=[0, 2]), r"`size` of .*\[0, 2\]"),
        (with_rules(native_size=[9, 9]), r"not be above its `size`.*\[9, 9\]"),
        (with_rules(scale="1"), "`scale` of `preprocessing` must be a finite"),
        (with_rules(mode="Q"), "`mode` of `preprocessing` must be one of L"),
        (
            with_values(preprocessing={"kind": "image", "size": [1, 2]}),
            "`preprocessing` lacks `mode`",
        ),
    ],
)
def test_values_that_cannot_be_are_named(copied, key, change, message):
    path = copied(key)
    if key == "onnx":
        about = json.dumps(metadata.read(path)).encode()
        metadata.write(path, json.loads(change(about)))
    else:
        rewrite(path, change)
    with pytest.raises(
        runtime.ModelError, match=f'What "{path}" says.*{message}.*export it'
    ):
        runtime.load(path)


def test_brackets_without_end_in_an_entry_are_refused(copied):
    path = copied("onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"extra": "[" * 100_000})
    onnx.save(model, path)
    with pytest.raises(
        runtime.ModelError, match="`extra` is nested too deeply"
    ) as caught:
        runtime.load(path)
    assert len(str(caught.value)) < 500


def test_metadata_of_7_gigabytes_are_not_unpacked(copied, monkeypatch):
    path = copied("litert")
    monkeypatch.setattr(runtime, "MOST_METADATA", 100_000)
    rewrite(path, lambda text: b" " * 50_000_000 + text)
    assert path.stat().st_size < 100_000
    with pytest.raises(runtime.ModelError, match="at most 100,000 are read"):
        runtime.load(path)


def test_a_zip_that_claims_to_be_small_is_read_no_further(copied):
    path = copied("litert")
    rewrite(path, lambda text: b" " * 1_000_000 + text)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("metadata.json").file_size
    path.write_bytes(content.replace(size.to_bytes(4, "little"), b"\x10\0\0\0"))
    with pytest.raises(runtime.ModelError, match="Bad CRC-32"):
        runtime.load(path)


@pytest.mark.parametrize("part", ["text", "name", "end"])
def test_a_damaged_zip_is_refused(copied, part):
    path = copied("litert")
    content = path.read_bytes()
    place = {
        "text": content.index(b'"activation"'),
        "name": content.index(b"metadata.json"),
        "end": content.rindex(b"PK\x05\x06"),
    }[part]
    flip(path, place + 1)
    with pytest.raises(runtime.ModelError, match=f'What "{path}" says'):
        runtime.load(path)
