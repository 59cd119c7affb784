"""Streams of models that are built in less usual ways."""

import keras
import numpy as np
import pytest

import export
from export import runtime
from export.errors import ParityError, UnsupportedModelError
from export.streaming import find_states
from tests.export.recurrent_forms import (
    CELLS,
    FEATURES,
    each_cell_slowly,
    layers,
)
from tests.export.user_models import randomize

pytestmark = pytest.mark.usefixtures("traced_reference")


def fed(path, arrays, borders):
    """The last answer of a stream, and those of all steps."""
    stream = runtime.stream(path)
    parts = [
        stream.run(
            {
                name: a[:, start:end] if name == "x" else a
                for name, a in arrays.items()
            }
        )
        for start, end in zip(borders, borders[1:], strict=False)
    ]
    return stream, parts


def noise(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


@each_cell_slowly("gru")  # three others stream in test_streaming.py
def test_every_cell_alone_without_a_mask(cell, tmp_path):
    make, _, _ = CELLS[cell]
    x = keras.Input((None, FEATURES), name="x")
    y = make(3, return_sequences=True, name=cell)(x)
    model = randomize(keras.Model(x, {cell: y}))
    done = export.export(
        model, tmp_path, ["litert"], streaming=True, states="internal",
        fixed={"batch": 3},
    )  # fmt: skip
    x = noise(3, 9, FEATURES)
    _, parts = fed(done.paths["litert"], {"x": x}, [0, 4, 5, 9])
    found = np.concatenate([part[cell] for part in parts], axis=1)
    np.testing.assert_allclose(found, model(x)[cell], atol=1e-5)


def test_default_graph_takes_sequences_and_can_be_resized(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    x = keras.Input((None, FEATURES), name="x")
    model = randomize(keras.Model(x, layers.GRU(3)(x)))
    for states in ("explicit", "internal"):
        done = export.export(
            model, tmp_path, ["litert"], streaming=True, states=states
        )
        interpreter = Interpreter(str(done.paths["litert"]))
        (given,) = interpreter.get_input_details()
        for shape in ((1, 2, FEATURES), (4, 9, FEATURES)):
            interpreter.resize_tensor_input(given["index"], shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(given["index"], noise(*shape))
            for _ in range(2):
                interpreter.invoke()
                (out,) = interpreter.get_output_details()
                np.testing.assert_allclose(
                    interpreter.get_tensor(out["index"]),
                    model(noise(*shape)),
                    atol=1e-5,
                )


def test_two_inputs_of_which_one_has_no_steps(tmp_path):
    who = keras.Input((4,), name="a")
    x = keras.Input((None, FEATURES), name="x")
    y = layers.Concatenate()([layers.LSTM(3)(x), layers.Dense(2)(who)])
    model = randomize(keras.Model([who, x], layers.Dense(2, name="y")(y)))
    path = export.export(model, tmp_path, ["onnx"], streaming=True).paths[
        "onnx:streaming"
    ]
    arrays = {"a": noise(2, 4), "x": noise(2, 6, FEATURES)}
    stream, parts = fed(path, arrays, [0, 2, 6])
    assert stream.steps is None and stream.inputs == ["a", "x"]
    np.testing.assert_allclose(
        parts[-1]["y"], model([arrays["a"], arrays["x"]]), atol=1e-5
    )


@pytest.mark.usefixtures("eager_reference")
def test_dense_at_every_step_may_stand_in_time_distributed(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.GRU(3, return_sequences=True)(x)
    y = layers.TimeDistributed(layers.Dense(2), name="y")(y)
    model = randomize(keras.Model(x, y))
    done = export.export(model, tmp_path, ["onnx", "litert"], streaming=True)
    x = noise(2, 5, FEATURES)
    for key in ("onnx:streaming", "litert"):
        _, parts = fed(done.paths[key], {"x": x}, [0, 3, 5])
        found = np.concatenate([part["y"] for part in parts], axis=1)
        expected = np.asarray(y_of(model, x))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def y_of(model, x):
    """The model without Keras' own loop over steps."""
    recurrent, steps = model.layers[1:]
    return steps.layer(recurrent(x))


def test_names_that_collide_with_states_are_told_apart(tmp_path):
    x = keras.Input((None, FEATURES), name="g_h")
    y = layers.GRU(3, name="g")(x)
    z = layers.Dense(2, name="g_state_h")(y)
    model = randomize(keras.Model(x, {"g_state_h_next": z}))
    done = export.export(model, tmp_path, ["onnx", "litert"], streaming=True)
    stream = runtime.stream(done.paths["onnx:streaming"])
    assert stream.inputs == ["g_h"]
    x = noise(1, 4, FEATURES)
    stream.run(x[:, :1])
    found = stream.run(x[:, 1:])["g_state_h_next"]
    np.testing.assert_allclose(found, model(x)["g_state_h_next"], atol=1e-5)


@pytest.mark.parametrize("name", ["g_h", "g_h_next"])
def test_states_have_no_name_that_an_output_has(name):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.GRU(3, name="g")(x)
    (names,) = find_states(keras.Model(x, {name: y})).of.values()
    assert names == ("g_state_h",)
    (names,) = find_states(keras.Model(x, {"other": y})).of.values()
    assert names == ("g_h",)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    x = keras.Input((None, FEATURES), name="x")
    model = randomize(keras.Model(x, layers.GRU(3, name="g")(x)))
    folder = tmp_path_factory.mktemp("small")
    done = export.export(model, folder, ["onnx", "litert"], streaming=True)
    return model, done.paths


@pytest.mark.parametrize("key", ["onnx:streaming", "litert"])
def test_a_bad_first_chunk_leaves_nothing_behind(key, small):
    model, paths = small
    stream = runtime.stream(paths[key])
    for bad, message in (
        (noise(3, 2, FEATURES + 1), "must have shape"),
        ({}, "takes the inputs"),
        ([[1, 2], [3]], "no array of numbers"),
        ("sound", "no array of numbers|must have shape"),
        ({"x": noise(1, 1, FEATURES), "g_h": noise(1, 3)}, "keeps the states"),
    ):
        with pytest.raises(runtime.InputError, match=message):
            stream.run(bad)
    x = noise(1, 3, FEATURES)
    np.testing.assert_allclose(stream.run(x)["g"], model(x), atol=1e-5)


def test_streams_of_one_file_do_not_share_states(small):
    model, paths = small
    one, two = (runtime.stream(paths["litert"]) for _ in range(2))
    x = noise(2, 4, FEATURES)
    one.run(x[:1, :2])
    two.run(x[1:, :2])
    one.states, two.states = two.states, one.states
    found = two.run(x[:1, 2:])["g"], one.run(x[1:, 2:])["g"]
    np.testing.assert_allclose(np.concatenate(found), model(x), atol=1e-5)


def test_verify_names_a_file_of_another_model(small, tmp_path):
    _, paths = small
    flat = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    x = keras.Input((None, FEATURES), name="sound")
    renamed = keras.Model(x, layers.GRU(3, name="g")(x))
    for model in (flat, renamed):
        with pytest.raises(ParityError, match="export of another model"):
            export.verify(paths["onnx:streaming"], model)


def test_verify_takes_both_files_of_a_stateful_model(tmp_path):
    x = keras.Input(batch_shape=(1, None, FEATURES), name="x")
    model = randomize(keras.Model(x, layers.GRU(3, stateful=True)(x)))
    done = export.export(model, tmp_path, ["onnx"], streaming=True)
    for path in done.paths.values():
        assert export.verify(path, model).parity.passed


@pytest.mark.parametrize("chunk", ["a", 1.5, True])
def test_a_chunk_is_a_number_of_steps(chunk, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = keras.Model(x, layers.GRU(3)(x))
    with pytest.raises(UnsupportedModelError, match=f"chunk={chunk!r}"):
        export.export(model, tmp_path, streaming=True, chunk=chunk)


def test_whole_numbers_are_not_made_of_others(tmp_path):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    y = layers.LSTM(2)(layers.Embedding(5, 3)(tokens))
    model = randomize(keras.Model(tokens, y))
    path = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    loaded = runtime.load(path)
    loaded.run({"tokens": [[1.0, 2.0]]})
    with pytest.raises(runtime.InputError, match=r"whole numbers.*1\.7"):
        loaded.run({"tokens": [[1.0, 1.7]]})


def test_refusals_come_without_the_frame_that_keras_puts_around(tmp_path):
    shared = layers.LSTM(FEATURES, return_sequences=True, name="shared")
    x = keras.Input((None, FEATURES), name="x")
    model = keras.Model(x, shared(shared(x)))
    with pytest.raises(UnsupportedModelError, match='^The layer "shared" is'):
        export.export(model, tmp_path, ["onnx"], streaming=True)
