"""Chunk by chunk a model gives what it gives over the whole sequence."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export import runtime
from export.errors import (
    ArtifactError,
    ParityError,
    UnsupportedModelError,
)
from export.streaming import STREAMING
from tests.export.recurrent_forms import CELLS, FEATURES, layers
from tests.export.user_models import randomize

pytestmark = pytest.mark.usefixtures("traced_reference")
FORMATS = ("saved_model", "onnx", "litert")
STEPS = 13


def stacked():
    """Cells on top of each other, behind a mask, beside a classifier.

    The others stream by themselves in test_streaming_models.py, slowly.
    """
    x = keras.Input((None, FEATURES), name="x")
    y = layers.Masking()(layers.Dropout(0.5)(x))
    for name in ("elman", "gru_reset_before", "peephole_lstm"):
        y = CELLS[name][0](3, return_sequences=True, name=name)(y)
    last = layers.LSTM(2, name="last")(y)
    return randomize(
        keras.Model(
            x,
            {
                "every": layers.Dense(2)(y),
                "after": layers.Softmax()(last),
            },
        )
    )


@pytest.fixture(scope="module")
def model():
    return stacked()


@pytest.fixture(scope="module")
def whole(model):
    """The model over whole sequences, as one graph; eager loops are slow."""
    spec = tf.TensorSpec((None, None, FEATURES))
    return tf.function(
        lambda x: model(x, training=False), input_signature=[spec]
    )


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """The model in all formats, and in LiteRT with states of its own."""
    folder = tmp_path_factory.mktemp("streaming")
    done = export.export(
        model, folder, FORMATS, name="stack", streaming=True
    ).paths
    inside = export.export(
        model,
        folder / "internal",
        ["litert"],
        streaming=True,
        states="internal",
        chunk=1,
    ).paths
    return {
        "saved_model": done["saved_model"],
        "onnx": done["onnx:streaming"],
        "litert": done["litert"],
        "internal": inside["litert"],
    }


def sequences(seed, batch=1):
    """Sequences with steps that are masked."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, STEPS, FEATURES)).astype("float32")
    x[rng.random((batch, STEPS)) < 0.3] = 0.0
    return x


def splits(seed):
    """Cuts of a sequence: all at once, step by step, and by chance."""
    rng = np.random.default_rng(seed)
    yield [0, STEPS]
    yield list(range(STEPS + 1))
    for _ in range(6):
        inner = rng.choice(np.arange(1, STEPS), rng.integers(1, 6), False)
        yield [0, *sorted(int(i) for i in inner), STEPS]


def fed(stream, x, borders):
    """Outputs of a stream: of every step, and after the last."""
    parts = [
        stream.run(x[:, start:end])
        for start, end in zip(borders, borders[1:], strict=False)
    ]
    every = np.concatenate([part["every"] for part in parts], axis=1)
    return every, parts[-1]["after"]


@pytest.mark.parametrize("kind", FORMATS)
def test_any_split_gives_the_whole_sequence(kind, whole, files):
    stream = runtime.stream(files[kind])
    for seed, borders in enumerate(splits(4)):
        x = sequences(seed, batch=1 + seed % 3)
        stream.reset()
        every, after = fed(stream, x, borders)
        expected = whole(x)
        np.testing.assert_allclose(
            every, expected["every"], rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            after, expected["after"], rtol=1e-5, atol=1e-5
        )


def test_states_inside_the_file_live_until_reset(whole, files):
    stream = runtime.stream(files["internal"])
    assert stream.inputs == ["x"] and not stream.states and stream.steps == 1
    one_by_one = list(range(STEPS + 1))
    for seed in range(3):
        x = sequences(seed)
        every, after = fed(stream, x, one_by_one)
        expected = whole(x)
        np.testing.assert_allclose(
            every, expected["every"], rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            after, expected["after"], rtol=1e-5, atol=1e-5
        )
        again, _ = fed(stream, x, one_by_one)  # goes on where it was
        assert np.abs(again - every).max() > 1e-3
        stream.reset()


def test_reset_is_a_signature_of_the_stock_interpreter(files):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(files["internal"]))
    step = interpreter.get_signature_runner(STREAMING)
    reset = interpreter.get_signature_runner("streaming_reset")
    x = np.ones((1, 1, FEATURES), "float32")
    first, second = (step(x=x)["every"].copy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    reset()
    np.testing.assert_array_equal(step(x=x)["every"], first)


def test_sequence_and_stream_share_a_file_where_they_can(whole, files):
    x = sequences(0, batch=2)
    for kind in ("saved_model", "litert"):
        loaded = runtime.load(files[kind])
        assert {loaded.signature, STREAMING} <= set(loaded.signatures)
        np.testing.assert_allclose(
            loaded.run({"x": x})["every"],
            whole(x)["every"],
            rtol=1e-5,
            atol=1e-5,
        )
    with pytest.raises(runtime.ModelError, match="Take .*stack_streaming.onnx"):
        runtime.stream(files["onnx"].with_name("stack.onnx"))


def test_states_have_names_and_can_be_kept_apart(model, files):
    stream = runtime.stream(files["onnx"])
    x = sequences(1)
    stream.run(x[:, :5])
    kept = dict(stream.states)
    assert {"gru_reset_before_h", "elman_h", "last_h", "last_c"} <= set(kept)
    assert kept["peephole_lstm_c"].shape == (1, 3)
    expected = stream.run(x[:, 5:])
    stream.reset()
    stream.run(sequences(2))
    stream.states = kept
    for name, value in stream.run(x[:, 5:]).items():
        np.testing.assert_array_equal(value, expected[name])


def test_a_file_without_the_right_states_is_not_published(tmp_path):
    """The comparison over splits is what finds a lost state."""
    from export import stream_parity

    x = keras.Input((None, FEATURES), name="x")
    model = keras.Model(x, layers.GRU(3)(x))
    zeros = stream_parity.NEXT
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            runtime.Stream,
            "run",
            lambda self, chunk: {
                k: v
                for k, v in self.model.run(
                    {**chunk, **self._zeros(chunk)}
                ).items()
                if not k.endswith(zeros)
            },
        )
        with pytest.raises(ParityError, match="chunks"):
            export.export(model, tmp_path, ["onnx"], streaming=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("states", ["explicit", "internal"])
def test_verify_compares_the_stream(states, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = randomize(keras.Model(x, layers.GRU(2, name="gru")(x)))
    done = export.export(
        model, tmp_path, ["litert"], streaming=True, states=states, chunk=2
    )
    path = done.paths["litert"]
    outcome = export.verify(path, model)
    assert outcome.parity.cases == {"explicit": 38, "internal": 22}[states]
    assert outcome.parity.interpreters >= 8
    other = keras.models.clone_model(model)
    other.set_weights([w * 1.01 for w in model.get_weights()])
    with pytest.raises(ParityError, match="does not equal"):
        export.verify(path, other)


def test_stateful_models_leave_with_their_state_outside(tmp_path):
    x = keras.Input(batch_shape=(2, None, FEATURES), name="x")
    model = randomize(keras.Model(x, layers.GRU(3, stateful=True)(x)))
    noise = np.random.default_rng(0).normal(size=(2, 6, FEATURES))
    noise = noise.astype("float32")
    model(noise)  # a state that must not get into the file
    (state,) = model.layers[1].states
    before = state.numpy()
    with pytest.raises(UnsupportedModelError, match="streaming=True"):
        export.export(model, tmp_path, ["onnx"])
    done = export.export(model, tmp_path, FORMATS, streaming=True)
    assert any("stateful" in note for note in done.notes)
    assert model.layers[1].stateful
    np.testing.assert_array_equal(state, before)
    for key in ("saved_model", "onnx:streaming", "litert"):
        stream = runtime.stream(done.paths[key])
        for layer in model.layers[1:]:
            layer.reset_state()
        for part in (noise[:, :2], noise[:, 2:]):
            found = next(iter(stream.run(part).values()))
            np.testing.assert_allclose(found, model(part), atol=1e-5)


def convolved(padding):
    return lambda: keras.Sequential(
        [layers.Conv1D(3, 2, padding=padding), layers.LSTM(2)]
    )


def called_twice():
    shared = layers.LSTM(FEATURES, return_sequences=True, name="shared")
    return lambda x: shared(shared(x))


def from_the_model():
    def call(x):
        first = layers.Dense(3)(x[:, 0])
        return layers.GRU(3)(x, initial_state=first)

    return call


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(2), "no recurrent layer"),
        (
            lambda: layers.Bidirectional(layers.LSTM(2), name="both"),
            '"both" reads from the end',
        ),
        (lambda: layers.GRU(2, go_backwards=True), "reads from the end"),
        (convolved("causal"), "mixes steps.*chunks "),
        (convolved("valid"), "mixes steps.*cannot be called with a chunk"),
        (called_twice, '"shared" is called twice'),
        (from_the_model, "gets its initial state from the model"),
    ],
)
def test_models_that_cannot_be_cut_say_why(make, message, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = randomize(keras.Model(x, make()(x)))
    with pytest.raises(UnsupportedModelError, match=message):
        export.export(model, tmp_path, ["onnx"], streaming=True)
    assert not list(tmp_path.iterdir())


def test_a_model_of_one_length_cannot_be_cut(tmp_path):
    x = keras.Input((6, FEATURES), name="x")
    model = keras.Model(x, layers.LSTM(2)(x))
    with pytest.raises(UnsupportedModelError, match="sequences of 6 steps"):
        export.export(model, tmp_path, ["onnx"], streaming=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"streaming": True, "chunk": 0}, "`chunk` must be at least 1"),
        ({"streaming": True, "states": "hidden"}, "`states` must be"),
        ({"streaming": True, "states": "internal"}, "for LiteRT alone"),
        ({"chunk": 2}, "need streaming=True"),
    ],
)
def test_settings_out_of_range(settings, message, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = keras.Model(x, layers.LSTM(2)(x))
    with pytest.raises(UnsupportedModelError, match=message):
        export.export(model, tmp_path, ["onnx", "litert"], **settings)


@pytest.mark.parametrize("kind", [*FORMATS, "internal"])
def test_bad_chunks_are_refused_and_change_nothing(kind, files):
    stream = runtime.stream(files[kind])
    x = sequences(5)
    first = stream.run(x[:, :1])
    bad = {
        "empty|must have shape": x[:, :0],
        "must have shape": x[:, 1:3, :2],
        "takes the inputs": {"y": x[:, :1]},
    }
    if kind == "internal":
        bad[r"must have shape \[1, 1, 4\]"] = x[:, 1:3]  # too long
    else:
        bad["batch"] = np.concatenate([x, x])[:, :1]  # another batch
    for message, chunk in bad.items():
        with pytest.raises(runtime.InputError, match=message):
            stream.run(chunk)
    second = stream.run(x[:, 1:2])
    fresh = runtime.stream(files[kind])
    np.testing.assert_array_equal(fresh.run(x[:, :1])["every"], first["every"])
    np.testing.assert_array_equal(
        fresh.run(x[:, 1:2])["every"], second["every"]
    )


def test_a_file_that_is_cut_off_says_so(model, files, tmp_path):
    whole = files["litert"].read_bytes()
    cut = tmp_path / "cut.tflite"
    for length, message in (
        (len(whole) - 500, "end of the file is cut off"),
        (len(whole) // 2, "cannot load"),
        (2, "no TFL3 mark"),
    ):
        cut.write_bytes(whole[:length])
        with pytest.raises(runtime.ModelError, match=message):
            runtime.stream(cut)
        with pytest.raises(ArtifactError, match="cut"):
            export.verify(cut, model)


def test_a_state_of_the_wrong_shape_is_refused(files):
    for kind in FORMATS:
        stream = runtime.stream(files[kind])
        x = sequences(5)
        stream.run(x)
        stream.states["elman_h"] = np.zeros((1, 7), "float32")
        with pytest.raises(
            runtime.InputError, match='"elman_h" must have shape'
        ):
            stream.run(x)
