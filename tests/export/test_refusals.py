"""What cannot be exported is one kind of error that names layer and dtype."""

import sys

import keras
import pytest
import tensorflow as tf
from keras import layers, ops

import export
from export import runtime, to_onnx
from export.errors import (
    ConversionError,
    ExportError,
    OperatorError,
    UnsupportedModelError,
)
from export.refusals import runs_in
from tests.export.test_operator_replacements import Apply, applied

FILES = ("onnx", "litert")


def text_model(layer):
    x = keras.Input((1,), dtype="string", name="text")
    return keras.Model(x, layer(x), name="texts")


def lookup_model():
    x = keras.Input((3,), dtype="int32", name="x")
    numbers = layers.IntegerLookup(vocabulary=[5, 6, 7], name="known")(x)
    y = layers.Embedding(4, 2, name="table")(numbers)
    return keras.Model(x, y, name="lookup")


def float64_convolution():
    x = keras.Input((8, 8, 1), dtype="float64", name="x")
    y = layers.Conv2D(2, 3, dtype="float64", name="edges")(x)
    return keras.Model(x, y, name="wide")


def function_model(function, dtype="float32"):
    x = keras.Input((3,), dtype=dtype, name="x")
    y = Apply(function, name="odd", dtype=dtype)(x)
    return keras.Model(x, y, name="model")


LACKING = {
    "table": (lookup_model, "LookupTableFindV2", '"known"'),
    "float64": (float64_convolution, r"Conv(2D)? \(float64\)", '"edges"'),
    "uint8": (
        lambda: function_model(lambda x: ops.sum(x, -1), "uint8"),
        r"Sum \(uint32\)",
        '"odd"',
    ),
    "float8": (
        lambda: function_model(lambda x: ops.cast(x, "float8_e4m3fn")),
        r"Cast \(float8_e4m3fn\)",
        '"odd"',
    ),
    "strings": (
        lambda: function_model(
            lambda x: tf.strings.to_hash_bucket_fast(
                tf.strings.as_string(x), 5
            ),
            "int32",
        ),
        "StringToHashBucketFast",
        '"odd"',
    ),
    "betainc": (
        lambda: function_model(
            lambda x: tf.raw_ops.Betainc(a=tf.abs(x), b=tf.abs(x), x=x)
        ),
        r"Betainc \(float32\)",
        '"odd"',
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("case", LACKING)
def test_missing_operator_is_named_with_dtype_and_layer(case, name, tmp_path):
    make, operator, layer = LACKING[case]
    told = f"no operator for .*{operator}.*layer {layer}"
    with pytest.raises(OperatorError, match=told) as raised:
        export.export(make(), tmp_path / "out", [name])
    assert str(tmp_path) not in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 3
    assert raised.value.operators and raised.value.places
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("function", [ops.erf, ops.sinh, ops.cumprod])
def test_litert_operators_that_are_missing_are_one_kind_of_error(
    function, tmp_path
):
    told = r"LiteRT has no operator for \w+ \(float32\), needed by.*\"odd\""
    with pytest.raises(OperatorError, match=told):
        export.export(function_model(function), tmp_path, ["litert"])


@pytest.mark.parametrize("case", LACKING)
def test_explain_names_the_layer_that_cannot_be_exported(case):
    make, operator, layer = LACKING[case]
    explained = export.explain(make())
    routes = {item.layer: item.routes for item in explained.layers}
    for name in FILES:
        assert routes[layer.strip('"')][name].kind == "refused"
        assert "no operator for" in routes[layer.strip('"')][name].reason
    others = [routes[key] for key in routes if key != layer.strip('"')]
    assert all(r[n].kind == "builtin" for r in others for n in ("saved_model",))


def test_saved_model_keeps_lookup_tables(tmp_path):
    model = lookup_model()
    done = export.export(model, tmp_path, ["saved_model"])
    assert done.formats["saved_model"].parity["passed"]
    assert not export.explain(model).refused("saved_model")


@pytest.mark.parametrize("name", export.FORMATS)
@pytest.mark.parametrize(
    "layer",
    [
        layers.TextVectorization(vocabulary=["a"], name="words"),
        layers.StringLookup(vocabulary=["a"], name="words"),
    ],
    ids=["vectorization", "lookup"],
)
def test_strings_are_refused_with_the_layer_that_reads_them(
    layer, name, tmp_path
):
    told = 'input "text" is of strings.*"words".*int32'
    with pytest.raises(UnsupportedModelError, match=told):
        export.export(text_model(layer), tmp_path, [name])
    with pytest.raises(UnsupportedModelError, match=told):
        export.explain(text_model(layer))


def test_string_output_is_refused(tmp_path):
    model = function_model(tf.strings.as_string)
    with pytest.raises(UnsupportedModelError, match='output "odd" is of str'):
        export.export(model, tmp_path)


@pytest.mark.parametrize("case", ["table", "float64", "uint8", "betainc"])
def test_refusals_print_nothing(case, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)  # of the process
    model = LACKING[case][0]()
    capfd.readouterr()
    for name in FILES:
        with pytest.raises(ExportError, match="no operator"):
            export.export(model, tmp_path, [name])
    export.explain(model)
    assert capfd.readouterr() == ("", "")


def test_fault_in_a_handler_of_our_own_is_not_hidden(tmp_path, monkeypatch):
    def broken(context, node, name, arguments):
        raise LookupError("a bug")

    monkeypatch.setitem(to_onnx.HANDLERS, "OneHot", (broken, []))
    model = applied(lambda x: ops.one_hot(x, 3), dtype="int32")
    with pytest.raises(LookupError, match="a bug"):
        export.export(model, tmp_path, ["onnx"])


def test_what_a_runtime_refuses_is_told_without_its_temporary_path(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"damaged")
    with (
        pytest.raises(ConversionError, match='ONNX.*"model.onnx"') as raised,
        runs_in("ONNX", path),
    ):
        runtime.load(path)
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(KeyError, match="a bug"), runs_in("ONNX", path):
        raise KeyError("a bug")
