"""`make same-as`: equal revisions are equal, and every change is seen."""

import io
import json
import shutil
import subprocess
import tempfile
import zipfile

import h5py
import numpy as np
import onnx
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.golden import same_as
from tests.golden.compare import (
    arrays_difference,
    bytes_difference,
    compare_runs,
    keras_difference,
    lines_difference,
    message_difference,
    value_difference,
)
from tests.golden.record import all_golden

SOFTMAX = {g.name: g for g in all_golden()}["softmax_regression"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    SOFTMAX.unpack(folder)
    return folder / SOFTMAX.finished


@pytest.fixture
def changed(original, tmp_path):
    """A copy of the run, to be changed."""
    shutil.copytree(original, tmp_path / "run")
    return tmp_path / "run"


def differences(original, changed):
    rows = dict(compare_runs(original, changed))
    assert len(rows) == 6
    return {name: text for name, text in rows.items() if text}


def rewrite(path, **changes):
    """Rewrites members of a zip by functions from bytes to bytes."""
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = min(info.header_offset for info in archive.infolist())
        files = {n: archive.read(n) for n in archive.namelist()}
    for name, change in changes.items():
        (member,) = (n for n in files if n.startswith(name))
        files[member] = change(files[member])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    path.write_bytes(content[:start] + buffer.getvalue())


def json_with(**changes):
    """Returns a change of JSON in bytes."""
    return lambda data: json.dumps({**json.loads(data), **changes}).encode()


def test_copy_is_equal(original, changed):
    assert set(dict(compare_runs(original, changed))) == {
        "model.keras",
        "metrics.csv",
        "evaluation.json",
        "export/softmax_regression.onnx",
        "export/softmax_regression.tflite",
        "export/saved_model",
    }
    assert not differences(original, changed)


def test_dates_and_versions_do_not_count(original, changed):
    rewrite(changed / "model.keras", metadata=json_with(date_saved="never"))
    path = changed / "export" / "softmax_regression.onnx"
    model = onnx.load(path)
    for prop in model.metadata_props:
        if prop.key in ("toolkit_version", "checksum"):
            prop.value = "12.34.56"
    onnx.save(model, path)
    version = json_with(toolkit_version="12.34.56", checksum="0")
    rewrite(changed / "export" / "softmax_regression.tflite", metadata=version)
    path = changed / "export" / "saved_model" / "assets.extra/metadata.json"
    path.write_bytes(version(path.read_bytes()))
    assert not differences(original, changed)


def change_weight(content):
    """Changes the last bit of one value of the trained kernel."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        found = []
        file["layers"].visititems(
            lambda name, node: (
                found.append(node)
                if isinstance(node, h5py.Dataset) and node.ndim == 2
                else None
            )
        )
        values = found[0][()]
        values[0, 3] = np.nextafter(values[0, 3], np.float32(9))
        found[0][...] = values
    return buffer.getvalue()


def test_changed_weight_is_seen(original, changed):
    rewrite(changed / "model.keras", **{"model.weights": change_weight})
    (difference,) = differences(original, changed).values()
    assert "1 of 640 values, the first" in difference


@pytest.mark.parametrize(
    ("member", "change", "message"),
    [
        ("config", json_with(module="other"), "config/module: 'keras"),
        ("config", json_with(more=1), "only one side has more"),
        ("metadata", json_with(keras_version="0"), "metadata/keras_version"),
    ],
)
def test_changed_configuration_is_seen(
    member, change, message, original, changed
):
    rewrite(changed / "model.keras", **{member: change})
    found = differences(original, changed)
    assert list(found) == ["model.keras"]
    assert message in found["model.keras"]


def change_onnx(part):
    def change(folder):
        path = folder / "softmax_regression.onnx"
        model = onnx.load(path)
        if part == "weight":
            tensor = max(model.graph.initializer, key=lambda t: len(t.raw_data))
            data = bytearray(tensor.raw_data)
            data[5] ^= 1
            tensor.raw_data = bytes(data)
        elif part == "node":
            model.graph.node[0].name += "x"
        else:
            onnx.helper.set_model_props(model, {"license": "none"})
        onnx.save(model, path)

    return change


def change_litert_byte(folder):
    path = folder / "softmax_regression.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def change_litert_labels(folder):
    rewrite(
        folder / "softmax_regression.tflite", labels=lambda data: data + b"x"
    )


def change_litert_metadata(folder):
    rewrite(
        folder / "softmax_regression.tflite", metadata=json_with(license="none")
    )


def read_graph(folder):
    path = folder / "saved_model" / "saved_model.pb"
    message = saved_model_pb2.SavedModel()
    message.ParseFromString(path.read_bytes())
    return path, message


def change_graph(folder):
    path, message = read_graph(folder)
    nodes = [
        node
        for function in message.meta_graphs[0].graph_def.library.function
        for node in function.node_def
        if node.op == "MatMul"
    ]
    nodes[0].attr["transpose_a"].b = True
    path.write_bytes(message.SerializeToString())


def change_variable(folder):
    prefix = str(folder / "saved_model" / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    values = {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
    }
    kernel = max(values, key=lambda name: np.size(values[name]))
    values[kernel][0, 3] = np.nextafter(values[kernel][0, 3], np.float32(9))
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )


def change_saved_metadata(folder):
    path = folder / "saved_model" / "assets.extra" / "metadata.json"
    path.write_bytes(json_with(license="none")(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (change_onnx("weight"), "softmax_regression.onnx"),
        (change_onnx("node"), "softmax_regression.onnx"),
        (change_onnx("metadata"), "softmax_regression.onnx"),
        (change_litert_byte, "softmax_regression.tflite"),
        (change_litert_labels, "softmax_regression.tflite"),
        (change_litert_metadata, "softmax_regression.tflite"),
        (change_graph, "saved_model"),
        (change_variable, "saved_model"),
        (change_saved_metadata, "saved_model"),
    ],
)
def test_changed_file_is_seen(change, name, original, changed):
    change(changed / "export")
    assert list(differences(original, changed)) == [f"export/{name}"]


def test_functions_are_numbered_anew(original, changed):
    path, message = read_graph(changed / "export")
    content = message.SerializeToString(deterministic=True)
    names = [
        function.signature.name
        for function in message.meta_graphs[0].graph_def.library.function
    ]
    assert len(names) > 3
    name = names[0].encode()
    stem, number = name.rsplit(b"_", 1)
    other = stem + b"_" + b"9" * len(number)  # as long, another number
    assert content.count(name) > 1 and other not in content
    path.write_bytes(content.replace(name, other))
    assert not differences(original, changed)


def test_order_of_captured_variables_does_not_count(original, changed):
    path, message = read_graph(changed / "export")
    objects = message.meta_graphs[0].object_graph_def
    (captured,) = (
        objects.nodes[child.node_id].children
        for child in objects.nodes[0].children
        if child.local_name == "captured"
    )
    assert len(captured) == 2
    first, second = captured
    first.node_id, second.node_id = second.node_id, first.node_id
    path.write_bytes(message.SerializeToString())
    assert not differences(original, changed)
    first.node_id = second.node_id  # one of them is lost
    path.write_bytes(message.SerializeToString())
    assert list(differences(original, changed)) == ["export/saved_model"]


def test_addresses_do_not_count_but_what_is_shared_does(changed):
    def file(name, *numbers):
        path = changed / name
        shutil.copy(changed / "model.keras", path)
        objects = [{"shared_object_id": number} for number in numbers]
        rewrite(path, config=json_with(objects=objects))
        return path

    ours = file("ours.keras", 7, 8, 7)
    assert not keras_difference(ours, file("theirs.keras", 12345, 99, 12345))
    assert "shared_object_id: 0 is not 2" in keras_difference(
        ours, file("others.keras", 1, 2, 3)
    )


def test_metrics_are_compared(original, changed):
    path = changed / "metrics.csv"
    path.write_text(path.read_text().replace("3,", "4,", 1))
    path = changed / "evaluation.json"
    found = json.loads(path.read_text())
    found["metrics"]["loss"] += 1e-12
    found["train_seconds"] = 1e9  # no metric
    path.write_text(json.dumps(found))
    found = differences(original, changed)
    assert set(found) == {"metrics.csv", "evaluation.json"}
    assert "/loss: " in found["evaluation.json"]


def test_missing_file_is_seen_on_either_side(original, changed):
    (changed / "export" / "softmax_regression.onnx").unlink()
    for runs in ((original, changed), (changed, original)):
        found = differences(*runs)
        assert list(found) == ["export/softmax_regression.onnx"]
        assert "there is no " in found["export/softmax_regression.onnx"]


def test_changed_help_is_seen():
    assert not lines_difference("a\nb\n", "a\nb\n")
    assert (
        lines_difference("a\nb\n", "a\nc\n") == "line 2: 'b\\n' is not 'c\\n'"
    )
    assert lines_difference("a\n", "a\nb\n") == "1 lines are not 2 lines"


def test_values_and_arrays_differ_by_type_and_bits():
    assert not value_difference({"a": [1, float("nan")]}, {"a": [1, np.nan]})
    assert value_difference({"a": 1}, {"a": 1.0}) == "/a: 1 is not 1.0"
    assert value_difference({"a": 1, "b": 2}, {"b": 2, "a": 1}) == (
        ": in another order"
    )
    assert value_difference([1, 2], [1]) == ": 2 values are not 1"
    assert bytes_difference(b"abc", b"abd") == "byte 2: 99 is not 100"
    zero = np.zeros(2, np.float32)
    assert "1 of 2 values" in arrays_difference(
        {"w": zero}, {"w": np.array([0.0, -0.0], np.float32)}
    )
    assert "float64(2,)" in arrays_difference(
        {"w": zero}, {"w": zero.astype(np.float64)}
    )
    assert arrays_difference({"w": zero}, {"v": zero}) == (
        "only one side has w"
    )
    model = saved_model_pb2.SavedModel()
    other = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    assert message_difference(model, other)


# The whole command


def in_git():
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=same_as.ROOT, capture_output=True
    )
    return done.returncode == 0


def nothing_left(folder):
    """Returns whether neither files nor worktrees stayed in a folder."""
    worktrees = same_as.git("worktree", "list")
    return not list(folder.iterdir()) and str(folder) not in worktrees


whole = pytest.mark.slow  # trains twice, in processes of their own
no_git = pytest.mark.skipif(not in_git(), reason="not a checkout of git")


@whole
@no_git
def test_revision_is_equal_to_itself(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    revision = same_as.git("stash", "create") or "HEAD"  # what is not committed
    status = same_as.main(
        [revision, "--recipes", "softmax_regression,char_rnn"]
    )
    out = capsys.readouterr().out
    assert status == 0, out
    for part in (
        "toolkit train char_rnn --help",
        "toolkit train softmax_regression --print_config",
        "export/char_rnn_streaming.onnx",
        "internal/char_rnn.tflite",
        "export/saved_model",
        "model.keras",
    ):
        assert f"{part}  equal" in out
    assert "differ" not in out
    assert nothing_left(tmp_path)


@whole
@no_git
def test_changed_source_is_seen(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    snapshot = same_as.snapshot

    def with_a_change(target):
        snapshot(target)
        path = target / "recipes" / "softmax_regression.py"
        text = path.read_text()
        assert "learning_rate: float = 1e-2" in text
        path.write_text(
            text.replace(
                "learning_rate: float = 1e-2", "learning_rate: float = 2e-2"
            )
        )

    monkeypatch.setattr(same_as, "snapshot", with_a_change)
    revision = same_as.git("stash", "create") or "HEAD"
    assert same_as.main([revision, "--recipes", "softmax_regression"]) == 1
    rows = capsys.readouterr().out.splitlines()
    unequal = [row for row in rows if not row.endswith("  equal")]
    for part in (
        "toolkit train softmax_regression --help  line",
        "--print_config  line",
        "model.keras  ",
        "metrics.csv  line 2",
        "evaluation.json  /",
        "softmax_regression.onnx  ",
        "softmax_regression.tflite  byte",
        "saved_model  ",
    ):
        assert any(part in row for row in unequal), part
    assert any("toolkit export --help  equal" in row for row in rows)
    assert nothing_left(tmp_path)


@no_git
def test_unknown_revision_and_recipe_are_one_line(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit, match="error: git rev-parse"):
        same_as.main(["no-such-revision"])
    with pytest.raises(SystemExit, match="2"):
        same_as.main(["HEAD", "--recipes", "nothing"])
    assert "there is no recipe nothing" in capsys.readouterr().err


@no_git
def test_nothing_stays_behind_when_a_comparison_fails(tmp_path, monkeypatch):
    def fails(*arguments):
        assert (arguments[1] / "source" / "recipes").is_dir()
        assert str(tmp_path) in same_as.git("worktree", "list")
        raise RuntimeError("no power")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(same_as, "compare", fails)
    with pytest.raises(RuntimeError, match="no power"):
        same_as.main(["HEAD"])
    assert nothing_left(tmp_path)
