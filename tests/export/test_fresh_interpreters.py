"""A file answers the same in every fresh interpreter.

What is right in one interpreter is not in all: a file whose recurrent inputs
are projected between two reshapes is wrong in up to 27 % of those with the
default delegate, from the second call on, where the heap was used before.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export import fresh
from export.errors import ParityError
from export.fresh import PROCESS
from export.lowering import recurrent_loop
from tests.export.recipe_models import RECIPE_MODELS
from tests.export.recurrent_forms import CELLS, FEATURES, forms
from tests.export.test_streaming import stacked
from tests.export.user_models import USER_MODELS, randomize

MANY = 500
NUMBER = fresh.INTERPRETERS  # before the suite lowers it


@pytest.fixture
def many(monkeypatch):
    """Lets every proof run each signature in 500 fresh interpreters."""
    monkeypatch.setattr(fresh, "INTERPRETERS", MANY)
    monkeypatch.setattr(fresh, "MOST", MANY)
    monkeypatch.setattr(fresh, "LARGE_FILE", 1 << 40)


def simple_layers():
    y = x = keras.Input((None, 4), name="x")
    for _ in range(5):
        y = keras.layers.SimpleRNN(3, return_sequences=True)(y)
    return keras.Model(x, y)


# Slow: of the two this one was wrong more seldom, and takes ten seconds.
slow = pytest.param(stacked, marks=pytest.mark.slow)


@pytest.mark.parametrize("make", [simple_layers, slow])
def test_open_axes_are_right_in_every_interpreter(make, tmp_path, many):
    keras.utils.set_random_seed(0)
    done = export.export(make(), tmp_path, ["litert"], streaming=True)
    # Of whole sequences and of chunks.
    assert done.formats["litert"].parity["interpreters"] >= 2 * MANY


def test_a_file_that_is_wrong_in_some_interpreters_is_refused(
    tmp_path, monkeypatch
):
    """The sizes between the reshapes are known at run time only."""

    def projected(steps, x):
        width = x.shape[-1]
        flat = steps.project(tf.reshape(x, (-1, width)))
        shape = (tf.shape(x)[0], tf.shape(x)[1], flat.shape[-1])
        return tf.ensure_shape(
            tf.reshape(flat, shape), (*x.shape[:2], flat.shape[-1])
        )

    monkeypatch.setattr(recurrent_loop, "_projected", projected)
    monkeypatch.setattr(fresh, "INTERPRETERS", NUMBER)
    keras.utils.set_random_seed(0)
    assert NUMBER >= 50
    with pytest.raises(ParityError, match=r"of \d+ fresh interpreters with a"):
        export.export(simple_layers(), tmp_path, ["litert"], streaming=True)


def test_the_process_has_no_tensorflow_and_serves_all_exports(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    export.export(model, tmp_path, ["litert", "onnx"])
    first = PROCESS._child.pid
    export.export(model, tmp_path, ["litert"])
    assert PROCESS._child.pid == first
    with open(f"/proc/{first}/maps") as maps:
        loaded = maps.read()
    assert "libtensorflow" not in loaded and "onnxruntime" in loaded


def job(path, calls=(), **options):
    """A job with one round."""
    part = {"calls": list(calls), "count": 1, "default": True, **options}
    return {"kind": "litert", "path": str(path), "rounds": [part]}


def test_a_runtime_that_dies_or_hangs_is_an_error_and_the_next_job_runs(
    tmp_path,
):
    model, _ = USER_MODELS["sequential"]()
    path = export.export(model, tmp_path, ["litert"]).paths["litert"]
    calls = [("serving_default", {"features": np.ones((2, 6), "float32")})]
    PROCESS.ask(job(path))
    PROCESS._child.kill()
    with pytest.raises(ParityError, match="crashed on the file.*status -9"):
        PROCESS.ask(job(path, calls * 500, count=500))
    with pytest.raises(ParityError, match="crashed on the file.*status -9"):
        PROCESS.ask(job(path, calls * 500, count=10**6), seconds=0.2)
    (answer,) = PROCESS.ask(job(path, calls))
    np.testing.assert_allclose(
        answer["answers"][0]["score"], model(calls[0][1]["features"]), atol=1e-5
    )
    (answer,) = PROCESS.ask(job(tmp_path / "none.tflite", calls))
    assert "none.tflite" in answer["error"]


# Slow: 500 interpreters of every kind of file take minutes.


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPE_MODELS)
def test_recipes_files_are_right_in_every_interpreter(name, tmp_path, many):
    model, options = RECIPE_MODELS[name]()
    done = export.export(model, tmp_path, ["litert"], **options)
    assert done.formats["litert"].parity["interpreters"] >= MANY


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_every_recurrent_form_is_right_in_every_interpreter(
    cell, tmp_path, many
):
    make, _, states = CELLS[cell]
    x = keras.Input((None, FEATURES), name="x")
    given, outputs, _ = forms(make, states, x)
    model = randomize(keras.Model([x, *given], outputs))
    done = export.export(model, tmp_path, ["litert"])
    assert done.formats["litert"].parity["interpreters"] >= MANY


@pytest.mark.slow
@pytest.mark.parametrize("states", ["explicit", "internal"])
@pytest.mark.parametrize("cell", CELLS)
def test_streams_are_right_in_every_interpreter(cell, states, tmp_path, many):
    x = keras.Input((None, FEATURES), name="x")
    y = CELLS[cell][0](5, return_sequences=True, name="rnn")(x)
    model = randomize(keras.Model(x, keras.layers.Dense(3)(y)))
    done = export.export(
        model, tmp_path, ["litert"], streaming=True, states=states
    )
    assert done.formats["litert"].parity["interpreters"] >= 2 * MANY


@pytest.mark.slow
def test_searches_are_right_in_every_interpreter(tmp_path, many):
    from toolkit.models import decoding_model, seq2seq

    model = randomize(seq2seq(9, 12, "lstm", 6, embedding=5))
    search = decoding_model(model, 5, 3)
    done = export.export(
        search, tmp_path, ["litert"], signatures=["encoder", "decoder"]
    )
    assert done.formats["litert"].parity["interpreters"] >= 3 * MANY
