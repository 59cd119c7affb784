import contextlib
import json
import resource
import shutil
import signal

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import export
from export import formats, report
from export.errors import (
    ArtifactError,
    ConversionError,
    ExportError,
    OperatorError,
    ParityError,
    UnknownFormatError,
    UnsupportedModelError,
)
from tests.export.recurrent_forms import Louder
from tests.export.user_models import USER_MODELS, Gated, randomize
from toolkit.models import lenet5

ALL = tuple(export.FORMATS)


@pytest.mark.parametrize("name", USER_MODELS)
def test_users_model_leaves_in_every_format(name, tmp_path):
    model, options = USER_MODELS[name]()
    if model.built:
        randomize(model)
    done = export.export(model, tmp_path, **options)
    assert set(done.formats) == set(ALL)
    for item in done.formats.values():
        assert item.parity["passed"] and item.parity["cases"] >= 8
        assert item.path.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [
            "saved_model",
            f"{model.name}.onnx",
            f"{model.name}.tflite",
            "check_vectors.npz",
            "report.json",
        ]
    )


@pytest.fixture(scope="module")
def two_sided(tmp_path_factory):
    """A model with inputs and outputs whose names do not sort as declared."""
    left = keras.Input((4,), name="left")
    right = keras.Input((3,), name="a_right", dtype="float32")
    hidden = keras.layers.Dense(5, activation="tanh")(left)
    model = keras.Model(
        {"left": left, "a_right": right},
        {
            "zeta": keras.layers.Dense(2)(hidden),
            "alpha": keras.layers.Dense(3)(right),
        },
        name="two_sided",
    )
    randomize(model)
    folder = tmp_path_factory.mktemp("two_sided")
    return model, folder, export.export(model, folder)


@pytest.mark.parametrize("name", ALL)
def test_files_keep_keras_names_and_pair_them_rightly(two_sided, name):
    model, _, done = two_sided
    from export import runtime

    loaded = runtime.load(done.paths[name])
    assert set(loaded.inputs) == {"left", "a_right"}
    assert set(loaded.outputs) == {"zeta", "alpha"}
    rng = np.random.default_rng(3)
    x = {
        "left": rng.normal(size=(5, 4)).astype("float32"),
        "a_right": rng.normal(size=(5, 3)).astype("float32"),
    }
    expected = model(x)
    answer = loaded.run(x)
    for output in ("zeta", "alpha"):
        np.testing.assert_allclose(
            answer[output], expected[output], rtol=1e-5, atol=1e-5
        )


def test_onnx_axes_are_named_and_domains_are_default(two_sided):
    graph = onnx.load(two_sided[2].paths["onnx"])
    axes = {
        value.name: value.type.tensor_type.shape.dim[0].dim_param
        for value in [*graph.graph.input, *graph.graph.output]
    }
    # No layer joins the two sides, so their batches need not agree.
    assert axes == {
        "a_right": "batch", "alpha": "batch",
        "left": "batch_2", "zeta": "batch_2",
    }  # fmt: skip
    assert {item.domain for item in graph.opset_import} == {""}
    assert [value.name for value in graph.graph.output] == ["zeta", "alpha"]


def test_time_axis_is_named(tmp_path):
    model, _ = USER_MODELS["integer_input"]()
    done = export.export(model, tmp_path, ["onnx"])
    session = onnxruntime.InferenceSession(done.paths["onnx"])
    assert session.get_inputs()[0].shape == ["batch", "time"]


def test_same_model_gives_the_same_onnx_and_litert_bytes(tmp_path):
    model, _ = USER_MODELS["functional"]()
    first = export.export(model, tmp_path / "a", ["onnx", "litert"])
    second = export.export(model, tmp_path / "b", ["onnx", "litert"])
    for name in ("onnx", "litert"):
        assert first.paths[name].read_bytes() == second.paths[name].read_bytes()


def test_opset_is_the_users_choice(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    done = export.export(model, tmp_path, ["onnx"], opset=15)
    assert onnx.load(done.paths["onnx"]).opset_import[0].version == 15
    assert done.formats["onnx"].facts["opset"] == 15
    newest = export.export(model, tmp_path, ["onnx"])
    assert newest.formats["onnx"].facts["opset"] == 18
    with pytest.raises(UnsupportedModelError, match="from 13 to 18.*opset=99"):
        export.export(model, tmp_path, ["onnx"], opset=99)


def test_batch_can_be_fixed(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    done = export.export(model, tmp_path, fixed={"batch": 2})
    session = onnxruntime.InferenceSession(done.paths["onnx"])
    assert session.get_inputs()[0].shape == [2, 6]
    details = Interpreter(str(done.paths["litert"])).get_input_details()
    assert details[0]["shape_signature"].tolist() == [2, 6]
    with pytest.raises(UnsupportedModelError, match="no open axis.*time"):
        export.export(model, tmp_path, ["onnx"], fixed={"time": 2})


def test_litert_file_holds_plain_dense_layers(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    done = export.export(model, tmp_path, ["litert"])
    assert done.formats["litert"].operators["FULLY_CONNECTED"] == 2
    assert "READ_VARIABLE" not in done.formats["litert"].operators


def test_check_vectors_replay_in_a_bare_runtime(two_sided):
    _, folder, done = two_sided
    session = onnxruntime.InferenceSession(done.paths["onnx"])
    with np.load(folder / "check_vectors.npz") as vectors:
        numbers = {key.split("/")[1] for key in vectors.files}
        assert len(numbers) >= 4
        for number in numbers:
            prefix = f"serving_default/{number}"
            x = {n: vectors[f"{prefix}/input/{n}"] for n in ("left", "a_right")}
            (zeta,) = session.run(["zeta"], x)
            gap = np.abs(zeta - vectors[f"{prefix}/output/zeta"])
            bound = vectors[f"{prefix}/bound/zeta"]
            assert (gap <= bound).all() and (bound < 1e-2).all()
            assert (gap + 1e-2 > bound).all()


def test_check_vectors_of_a_large_model_stay_small(tmp_path):
    x = keras.Input((64, 64, 3), name="x")
    model = keras.Model(x, keras.layers.Conv2D(32, 3, padding="same")(x))
    done = export.export(model, tmp_path, ["onnx"])
    with np.load(tmp_path / "check_vectors.npz") as vectors:
        held = {name.split("/")[1] for name in vectors.files}
        assert 1 <= len(held) < done.formats["onnx"].parity["cases"]
        sizes = [vectors[name].nbytes for name in vectors.files]
    assert sum(sizes) < 2e6  # one case, however large, is always there


def test_report_tells_what_the_files_are(two_sided):
    _, folder, done = two_sided
    told = json.loads((folder / "report.json").read_text())
    assert list(told["formats"]) == list(ALL)
    for name, item in told["formats"].items():
        assert item["bytes"] == report.measure(done.paths[name])
        assert item["parity"]["passed"] is True
        assert 0 <= item["parity"]["worst"]["share_of_tolerance"] <= 1
    assert told["model"]["inputs"]["left"] == {
        "shape": ["batch_2", 4],
        "dtype": "float32",
    }
    assert "two_sided.onnx" in str(done)


def test_freshly_loaded_keras_file_exports_uncalled(tmp_path):
    model, _ = USER_MODELS["functional"]()
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    done = export.export(loaded, tmp_path / "out", ["onnx", "litert"])
    assert len(done.formats) == 2


def test_loaded_subclass_tells_its_inputs_from_the_file(tmp_path):
    model = Gated(name="gated")
    model.build((None, 7))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    done = export.export(loaded, tmp_path / "out", ["onnx"])
    assert done.model["inputs"]["x"]["shape"] == ["batch", 7]
    assert any("dtype" in note for note in done.notes)


def test_mixed_precision_model_computes_in_float32_and_stays_mixed(tmp_path):
    model, _ = USER_MODELS["mixed_precision"]()
    done = export.export(model, tmp_path, ["onnx"])
    assert model.layers[1].compute_dtype == "bfloat16"
    assert any("bfloat16" in note for note in done.notes)
    session = onnxruntime.InferenceSession(done.paths["onnx"])
    assert session.get_outputs()[0].type == "tensor(float)"


def test_real_samples_are_compared_too(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    done = export.export(
        model, tmp_path, ["onnx"], samples=np.ones((40, 6), "float32")
    )
    worst = export.export(model, tmp_path, ["onnx"]).formats["onnx"].parity
    # 1, 3 and 32 of them, each twice
    assert done.formats["onnx"].parity["cases"] >= worst["cases"] + 4
    with pytest.raises(UnsupportedModelError, match=r"shape.*\(4, 5\)"):
        export.export(model, tmp_path, ["onnx"], samples=np.ones((4, 5)))


def test_later_export_keeps_earlier_formats_of_the_same_weights(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    export.export(model, tmp_path, ["onnx"])
    export.export(model, tmp_path, ["litert"])
    assert list(report.read(tmp_path)["formats"]) == ["onnx", "litert"]
    randomize(model, seed=5)
    export.export(model, tmp_path, ["litert"])
    assert list(report.read(tmp_path)["formats"]) == ["litert"]


# Refusals


def test_unknown_format_names_the_closest(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    with pytest.raises(UnknownFormatError, match='"onx".*Did you mean "onnx"'):
        export.export(model, tmp_path / "out", ["onx"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(UnknownFormatError, match="No export format"):
        formats.parse([])


def test_uncalled_subclass_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(UnsupportedModelError, match="signatures=tf.TensorSpec"):
        export.export(Gated(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_signature_is_named(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    with pytest.raises(UnsupportedModelError, match="could not be called"):
        export.export(
            model, tmp_path, signatures=tf.TensorSpec((None, 99), name="x")
        )


def test_low_precision_variables_are_refused(tmp_path):
    x = keras.Input((3,))
    y = keras.layers.Dense(2, dtype="bfloat16", name="d")(x)
    with pytest.raises(UnsupportedModelError, match="d/kernel.*mixed_bfloat16"):
        export.export(keras.Model(x, y), tmp_path)


def test_not_a_model_is_refused(tmp_path):
    with pytest.raises(UnsupportedModelError, match="type str"):
        export.export("model.keras", tmp_path)


@keras.saving.register_keras_serializable("tests")
class Strange(keras.layers.Layer):
    """Uses an operator that neither LiteRT nor ONNX has."""

    def call(self, x):
        return tf.raw_ops.Betainc(a=tf.abs(x), b=tf.abs(x), x=tf.sigmoid(x))


def strange_model():
    x = keras.Input((3,), name="x")
    y = Strange(name="strange")(keras.layers.Dense(3, name="plain")(x))
    return keras.Model(x, y, name="odd")


@pytest.mark.parametrize(
    ("name", "error"), [("onnx", OperatorError), ("litert", OperatorError)]
)
def test_missing_operator_is_named_and_leaves_nothing(tmp_path, name, error):
    with pytest.raises(error, match="Betainc"):
        export.export(strange_model(), tmp_path / "out", [name])
    assert not (tmp_path / "out").exists()


def test_python_function_is_refused_in_a_saved_model(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Python(keras.layers.Layer):
        def call(self, x):
            y = tf.numpy_function(lambda a: a + 1, [x], tf.float32)
            return tf.ensure_shape(y, x.shape)

        def compute_output_shape(self, shape):
            return shape

    x = keras.Input((3,), name="x")
    model = keras.Model(x, Python()(x))
    with pytest.raises(OperatorError, match="PyFunc"):
        export.export(model, tmp_path / "out", ["saved_model"])
    assert not (tmp_path / "out").exists()


def test_failure_of_a_later_format_takes_the_earlier_ones_back(tmp_path):
    with pytest.raises((OperatorError, ConversionError)):
        export.export(strange_model(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_failed_export_leaves_an_older_one_as_it_was(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    export.export(model, tmp_path, ["onnx"], name="odd")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(OperatorError, match="Betainc"):
        export.export(strange_model(), tmp_path, ["onnx"])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_wrong_answers_are_caught(tmp_path, monkeypatch):
    from export import to_onnx

    original = to_onnx.canonicalize

    def falsify(model):
        original(model)
        item = next(i for i in model.graph.initializer if len(i.dims) == 2)
        array = onnx.numpy_helper.to_array(item).copy()
        array[0, 0] += 1e-3
        item.CopyFrom(onnx.numpy_helper.from_array(array, item.name))

    monkeypatch.setattr(to_onnx, "canonicalize", falsify)
    model, _ = USER_MODELS["sequential"]()
    with pytest.raises(ParityError, match='output "score".*Keras says'):
        export.export(randomize(model), tmp_path / "out", ["onnx"])
    assert not (tmp_path / "out").exists()


def test_model_that_is_another_in_a_graph_is_caught(tmp_path):
    """The comparison asks the model as its user calls it, eagerly."""

    @keras.saving.register_keras_serializable("tests")
    class Branching(keras.layers.Layer):
        def call(self, x):
            return x + 1.0 if tf.executing_eagerly() else x

    x = keras.Input((3,), name="x")
    model = keras.Model(x, Branching()(x), name="branching")
    with pytest.raises(ParityError, match="does not equal"):
        export.export(model, tmp_path / "out", ["onnx"])
    assert not (tmp_path / "out").exists()


def test_model_with_a_memory_is_caught(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Counter(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), trainable=False)

        def call(self, x):
            self.count.assign_add(1.0)
            return x + self.count

    x = keras.Input((3,), name="x")
    model = keras.Model(x, Counter()(x), name="counter")
    with pytest.raises(UnsupportedModelError, match="writes the variable"):
        export.export(model, tmp_path / "out", ["saved_model"])
    assert not (tmp_path / "out").exists()


@contextlib.contextmanager
def full_disk():
    """Lets no file of this process grow beyond 100 kB.

    No fixture: between the phases of a test coverage writes its own file.
    """
    size = resource.RLIMIT_FSIZE
    limits = resource.getrlimit(size)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(size, (100_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(size, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path):
    with full_disk(), pytest.raises(ExportError, match="Cannot write the exp"):
        export.export(lenet5(), tmp_path / "out", ["onnx"])
    assert not (tmp_path / "out").exists()


def test_unwritable_directory_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    model, _ = USER_MODELS["sequential"]()
    with pytest.raises(ExportError, match="Cannot write.*another"):
        export.export(model, tmp_path / "file" / "out", ["onnx"])


# explain


def test_explain_names_the_layer_that_is_refused():
    told = export.explain(strange_model())
    routes = {item.layer: item.routes for item in told.layers}
    assert routes["plain"]["onnx"].kind == "builtin"
    assert routes["strange"]["onnx"].kind == "refused"
    assert "Betainc" in routes["strange"]["onnx"].reason
    assert routes["strange"]["litert"].kind == "refused"
    assert told.refused("onnx") and not told.refused("saved_model")


def test_explain_tells_fused_from_loop_and_finds_nested_layers():
    x = keras.Input((None, 3), name="x")
    inner = keras.Sequential(
        [keras.Input((None, 4)), keras.layers.Dense(2, name="deep")],
        name="inner",
    )
    y = keras.layers.LSTM(4, return_sequences=True, name="lstm")(x)
    y = keras.layers.GRU(
        4, activation="gelu", return_sequences=True, name="gru"
    )(y)
    y = Louder(4, return_sequences=True, name="louder")(y)
    y = keras.layers.TimeDistributed(keras.layers.Dense(4), name="steps")(y)
    told = export.explain(keras.Model(x, inner(y), name="m"))
    kinds = {item.layer: item.routes["onnx"].kind for item in told.layers}
    assert kinds["lstm"] == "fused"
    assert kinds["gru"] == "builtin loop"
    assert kinds["inner/deep"] == kinds["steps"] == "builtin"
    mobile = {item.layer: item.routes["litert"].kind for item in told.layers}
    assert mobile == {
        "lstm": "builtin loop",
        "gru": "builtin loop",
        "louder": "refused",
        "steps": "builtin",
        "inner/deep": "builtin",
    }
    assert "LiteRT refuses louder: " in str(told)
    assert "ONNX does not fuse gru: " in str(told)


# verify


def test_verify_accepts_the_right_model_and_refuses_another(two_sided):
    model, _, done = two_sided
    for path in done.paths.values():
        assert export.verify(path, model).parity.passed
    other = keras.models.clone_model(model)
    randomize(other, seed=9)
    with pytest.raises(ParityError, match="does not equal"):
        export.verify(done.paths["onnx"], other)
    stranger, _ = USER_MODELS["sequential"]()
    with pytest.raises(ParityError, match="export of another model"):
        export.verify(done.paths["litert"], stranger)


@pytest.mark.parametrize("keras_format", ["onnx", "litert", "tf_saved_model"])
def test_verify_takes_files_that_keras_itself_exported(tmp_path, keras_format):
    model, _ = USER_MODELS["functional"]()
    randomize(model)
    model(np.zeros((1, 12, 12, 3)))  # theirs refuses a model never called
    suffix = {"onnx": ".onnx", "litert": ".tflite"}.get(keras_format, "")
    path = tmp_path / f"theirs{suffix}"
    model.export(path, format=keras_format, verbose=False)
    assert export.verify(path, model).parity.passed


def test_verify_at_a_fixed_batch_size(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    done = export.export(model, tmp_path, ["litert"], fixed={"batch": 4})
    told = export.verify(done.paths["litert"], model)
    assert told.parity.passed
    assert "fixed sizes: batch 4" in str(told)


def test_verify_refuses_damaged_and_foreign_files(two_sided, tmp_path):
    model, _, done = two_sided
    with pytest.raises(ArtifactError, match="no exported file"):
        export.verify(tmp_path / "none.onnx", model)
    for name in ("onnx", "litert"):
        content = done.paths[name].read_bytes()
        broken = tmp_path / f"broken{export.FORMATS[name].suffix}"
        broken.write_bytes(content[: len(content) // 3])
        with pytest.raises(ExportError, match="broken"):
            export.verify(broken, model)
    swapped = tmp_path / "swapped.tflite"
    shutil.copy(done.paths["onnx"], swapped)
    with pytest.raises(ArtifactError, match="not a LiteRT"):
        export.verify(swapped, model)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArtifactError, match="not an exported model"):
        export.verify(tmp_path / "folder", model)
