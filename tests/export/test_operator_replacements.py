"""Operators that are replaced before a conversion, and where they are not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import export
from export import runtime, to_onnx
from export.program import trace
from export.replacements import REPLACEMENTS, replace_operators
from export.signatures import resolve

BORDERS = {
    "int32": [-(2**31), -(2**31) + 1, 2**31 - 1, -(2**30), 2**24 + 1],
    "int64": [-(2**63) + 1, 2**63 - 1, -(2**40) - 1, 2**53 + 1, -(2**53) - 1],
    "int16": [-(2**15), 2**15 - 1, -1, 0, 1],
}


@keras.saving.register_keras_serializable("tests")
class Apply(keras.layers.Layer):
    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)


def applied(function, shape=(5,), dtype="float32", name="applied"):
    x = keras.Input(shape, dtype=dtype, name="x")
    return keras.Model(x, Apply(function, name="apply")(x), name=name)


def concrete(function, *specs):
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def all_operators(function):
    graph = function.graph.as_graph_def()
    found = [node.op for node in graph.node]
    for inner in graph.library.function:
        found += [node.op for node in inner.node_def]
    return found


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("dtype", BORDERS)
def test_onnx_divides_the_largest_integers(tmp_path, dtype, opset):
    def divide(x):
        by = ops.cast(7, dtype)
        return {"quotient": x // by, "rest": x % by, "down": x // -by}

    model = applied(divide, dtype=dtype)
    path = tmp_path / "m.onnx"
    program = trace(model, resolve(model), {})
    to_onnx.convert(program, path, {"opset": opset})
    x = np.array([BORDERS[dtype]], dtype)
    found = runtime.load(path).run({"x": x})
    np.testing.assert_array_equal(found["quotient"], x // 7)
    np.testing.assert_array_equal(found["rest"], x % 7)
    np.testing.assert_array_equal(found["down"], x // -7)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_large_integers_are_sorted_and_compared_exactly(tmp_path, dtype):
    def call(x):
        values, places = ops.top_k(x, 3)
        return {
            "values": values,
            "places": places,
            "sorted": ops.sort(x, -1),
            "less": x < x + 1,
            "at_least": x >= ops.flip(x, -1),
        }

    model = applied(call, dtype=dtype)
    first = 2**24 if dtype == "int32" else 2**53
    x = np.array([[first, first + 1, first + 3, -first - 1, -first]], dtype)
    for name in ("onnx", "litert"):
        done = export.export(model, tmp_path, [name])
        found = runtime.load(done.paths[name]).run({"x": x})
        for key, expected in model(x).items():
            np.testing.assert_array_equal(found[key], expected)


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_floats_become_small_integers_as_in_keras(tmp_path, name):
    dtypes = ("uint8", "int8", "int16", "uint16", "int32", "int64")
    model = applied(
        lambda x: {dtype: ops.cast(x, dtype) for dtype in dtypes}, (8,)
    )
    x = np.float32([[-1.5, 2.5, 255, 256, -129, 300.7, -40000, 70000]])
    program = trace(model, resolve(model), {})
    # Not exported: TensorFlow itself answers otherwise where it computes many
    # numbers at once, as the floats that a comparison draws.
    path = tmp_path / f"m{export.FORMATS[name].suffix}"
    export.FORMATS[name].convert(program, path, {})
    found = runtime.load(path).run({"x": x})
    for key, expected in model(x).items():
        np.testing.assert_array_equal(found[key], expected)


def test_onnx_one_hot_of_a_depth_that_is_computed(tmp_path):
    def call(x):
        return tf.one_hot(x, tf.shape(x)[1] + 1, axis=1)

    model = applied(call, dtype="int32")
    program = trace(model, resolve(model), {})
    to_onnx.convert(program, tmp_path / "m.onnx", {})
    x = np.int32([[-1, 0, 5, 6, 2]])
    (found,) = runtime.load(tmp_path / "m.onnx").run({"x": x}).values()
    np.testing.assert_array_equal(found, tf.one_hot(x, 6, axis=1))


def test_operators_in_the_body_of_a_loop_are_replaced_too():
    def call(x):
        def body(i, y):
            small = tf.math.rsqrt(tf.abs(y)) < tf.math.softplus(y)
            return i + 1, tf.where(small, tf.math.softplus(y + 30.0), y)

        return tf.while_loop(lambda i, y: i < 4, body, [0, x])[1]

    traced = concrete(call, tf.TensorSpec((None, 3)))
    replaced = replace_operators(traced, "litert")
    assert "Softplus" in all_operators(traced)
    assert "Softplus" not in all_operators(replaced)
    x = tf.constant([[-40.0, 0.5, 3.0]])
    (found,) = tf.nest.flatten(replaced(x))
    np.testing.assert_allclose(found, traced(x), rtol=1e-6)


@pytest.mark.parametrize("format_name", ["litert", "onnx"])
def test_recurrent_layer_with_softplus_does_not_overflow(tmp_path, format_name):
    x = keras.Input((None, 2), name="x")
    layer = keras.layers.SimpleRNN(3, activation="softplus", name="rnn")
    model = keras.Model(x, layer(x), name="overflow")
    layer.set_weights([np.full(w.shape, 1.0) for w in layer.get_weights()])
    done = export.export(model, tmp_path, [format_name])
    values = np.full((1, 4, 2), 40.0, np.float32)
    found = runtime.load(done.paths[format_name]).run({"x": values})
    np.testing.assert_allclose(found["rnn"], model(values), rtol=1e-6)


def test_nothing_is_rebuilt_where_there_is_nothing_to_replace():
    traced = concrete(lambda x: tf.nn.relu(x), tf.TensorSpec((None, 3)))
    assert replace_operators(traced, "litert") is traced
    softplus = concrete(tf.math.softplus, tf.TensorSpec((None, 3)))
    assert replace_operators(softplus, "onnx") is softplus
    assert replace_operators(softplus, "") is softplus
    assert "" not in REPLACEMENTS


def test_normalization_keeps_its_one_operator(tmp_path):
    x = keras.Input((6,), name="x")
    y = keras.layers.LayerNormalization()(x)
    done = export.export(keras.Model(x, y), tmp_path, ["litert"])
    assert done.formats["litert"].operators["RSQRT"] == 1
    assert "SELECT_V2" not in done.formats["litert"].operators


@pytest.mark.parametrize("activation", ["silu", "mish", "gelu", "celu"])
def test_activation_is_exported_in_every_format(tmp_path, activation):
    x = keras.Input((3,), name="x")
    y = keras.layers.Dense(4, activation=activation)(x)
    export.export(keras.Model(x, y, name=activation), tmp_path)


@pytest.mark.parametrize("format_name", ["litert", "onnx"])
def test_class_number_is_exported(tmp_path, format_name):
    model = applied(lambda x: ops.argmax(x, axis=-1))
    done = export.export(model, tmp_path, [format_name])
    found = runtime.load(done.paths[format_name]).run(
        {"x": np.float32([[-0.0, 0.0, -1, -2, -3]])}
    )
    assert found["apply"].tolist() == [1]  # as in Keras


@pytest.mark.parametrize("format_name", ["litert", "onnx"])
def test_grouped_convolution_is_exported(tmp_path, format_name):
    x = keras.Input((6, 6, 4), name="x")
    y = keras.layers.Conv2D(6, 3, groups=2, name="grouped")(x)
    export.export(keras.Model(x, y, name="groups"), tmp_path, [format_name])


@pytest.mark.parametrize("format_name", ["litert", "onnx"])
def test_infinite_constants_stay_infinite(tmp_path, format_name):
    def call(x):
        return {
            "masked": tf.where(x > 0, x, -np.inf),
            "infinite": ops.isinf(x),
            "largest": ops.equal(x, np.inf),
            "finite": ops.nan_to_num(x),
        }

    model = applied(call)
    done = export.export(model, tmp_path, [format_name])
    x = np.float32([[np.inf, -np.inf, np.nan, 3.4028235e38, -1]])
    found = runtime.load(done.paths[format_name]).run({"x": x})
    for name, expected in model(x).items():
        np.testing.assert_array_equal(found[name], expected)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("shape", [(20, 9, 2), (None, None, 2)])
def test_pictures_have_the_pixels_and_sizes_of_keras(
    tmp_path, shape, interpolation
):
    sizes = [(6, 11), (13, 7), (3, 18), (40, 9), (7, 13), (19, 6), (30, 4)]
    x = keras.Input(shape, name="x")
    outputs = {
        f"to_{height}_{width}": keras.layers.Resizing(
            height, width, interpolation=interpolation
        )(x)
        for height, width in sizes
    }
    model = keras.Model(x, outputs, name="sizes")
    values = np.random.default_rng(0).normal(size=(2, 20, 9, 2))
    values = values.astype(np.float32)
    program = trace(model, resolve(model), {})
    to_onnx.convert(program, tmp_path / "m.onnx", {})
    found = runtime.load(tmp_path / "m.onnx").run({"x": values})
    for name, expected in model(values).items():
        assert found[name].shape == expected.shape
        np.testing.assert_allclose(found[name], expected, atol=2e-5)
