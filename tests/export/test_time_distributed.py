"""TimeDistributed leaves as one call of its inner layer, for any length."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import export
from export.errors import ParityError
from export.lowering import registry
from export.onnx_graph import nodes
from tests.export.user_models import randomize

FEATURES = 4
layers = keras.layers
FORMATS = ("onnx", "litert")
each_length = pytest.mark.parametrize("steps", [7, None])


def leave(inputs, outputs, folder, formats=FORMATS, **options):
    """Exports a model, which compares the files with Keras."""
    model = randomize(keras.Model(inputs, outputs))
    return model, export.export(model, folder, formats, **options)


def answer(path, arrays):
    """Runs a file with one output."""
    if path.suffix == ".tflite":
        interpreter = Interpreter(model_path=str(path))
        runner = interpreter.get_signature_runner("serving_default")
        (found,) = runner(**arrays).values()
        return found
    return onnxruntime.InferenceSession(path).run(None, arrays)[0]


def sizes(path):
    """Returns the sizes of the first output of an ONNX file."""
    shape = onnx.load(path).graph.output[0].type.tensor_type.shape
    return [size.dim_value or size.dim_param for size in shape.dim]


@each_length
def test_one_product_serves_all_steps(steps, tmp_path):
    x = keras.Input((steps, FEATURES), name="x")
    y = layers.TimeDistributed(layers.Dense(3, activation="tanh"))(x)
    model, done = leave(x, y, tmp_path)
    assert not done.notes
    assert done.formats["onnx"].operators["MatMul"] == 1
    assert done.formats["litert"].operators["FULLY_CONNECTED"] == 1
    assert sizes(done.paths["onnx"]) == ["batch", steps or "time", 3]
    for batch, time in ((1, 1), (2, 5)):
        shape = (batch, steps or time, FEATURES)
        data = np.random.default_rng(1).normal(size=shape).astype("float32")
        for path in done.paths.values():
            found = answer(path, {"x": data})
            np.testing.assert_allclose(found, model(data), atol=1e-5)


def test_encoder_and_decoder_leave(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.RepeatVector(6)(layers.LSTM(5)(x))
    y = layers.GRU(3, return_sequences=True)(y)
    y = layers.TimeDistributed(layers.Dense(4))(y)
    _, done = leave(x, y, tmp_path)
    assert sizes(done.paths["onnx"]) == ["batch", 6, 4]


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    """A layer that has to know how many items an axis has."""

    def __init__(self, axis, **options):
        super().__init__(**options)
        self.axis = axis

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, x):
        items = tf.unstack(x, axis=self.axis)
        scaled = [item * 0.9**i for i, item in enumerate(items)]
        return tf.stack(scaled, axis=self.axis)


def test_fixed_sizes_stay_known(tmp_path):
    x = keras.Input(batch_shape=(2, 7, FEATURES), name="x")
    y = layers.TimeDistributed(layers.Dense(3))(x)
    leave(x, {"batch": Scaled(0)(y), "time": Scaled(1)(y)}, tmp_path)


def test_recurrent_layer_keeps_a_fixed_length(tmp_path):
    x = keras.Input((7, FEATURES), name="x")
    masked = layers.Masking()(x)
    outputs = {}
    for cell in (layers.SimpleRNN, layers.GRU, layers.LSTM):
        for name, given in (("all", x), ("masked", masked)):
            y = cell(3, return_sequences=True)(given)
            outputs[f"{cell.__name__}_{name}"] = Scaled(1)(y)
    leave(x, outputs, tmp_path, ["onnx"])


def test_images_in_a_film_keep_their_open_sizes(tmp_path):
    x = keras.Input((None, None, None, 3), name="film")
    y = layers.TimeDistributed(layers.Conv2D(2, 3, padding="same"))(x)
    leave(x, y, tmp_path)


@each_length
def test_models_inside_and_their_masks_are_called_once(steps, tmp_path):
    x = keras.Input((steps, FEATURES), name="x")
    inner = keras.Sequential(
        [keras.Input((FEATURES,)), layers.Dense(3), layers.Dropout(0.5)]
    )
    y = layers.TimeDistributed(inner)(layers.Masking()(x))
    leave(x, y, tmp_path)


# Slow: a length that is kept is quick below, without a mask.
@pytest.mark.parametrize(
    "steps", [pytest.param(7, marks=pytest.mark.slow), None]
)
def test_mask_of_every_step_reaches_a_recurrent_layer_inside(steps, tmp_path):
    ids = keras.Input((steps, 5), dtype="int32", name="ids")
    embedded = layers.Embedding(9, FEATURES, mask_zero=True)(ids)
    y = layers.TimeDistributed(layers.GRU(3))(embedded)
    data = np.random.default_rng(1).integers(0, 3, (2, 7, 5))
    _, done = leave(ids, y, tmp_path, samples=data)
    graph = onnx.load(done.paths["onnx"]).graph
    assert [node.op_type for node in nodes(graph)].count("GRU") == 1


@keras.saving.register_keras_serializable("tests")
class Centred(layers.Layer):
    """A layer that looks at the whole batch."""

    def call(self, x):
        return x - tf.reduce_mean(x, axis=0, keepdims=True)

    def compute_output_shape(self, shape):
        return shape


def lambda_layer():
    return layers.Lambda(lambda x: x - keras.ops.mean(x, 0, keepdims=True))


def along_the_batch():
    return layers.UnitNormalization(axis=0)


def operation_in_a_model():
    x = keras.Input((FEATURES,))
    return keras.Model(x, x - keras.ops.mean(x, axis=0, keepdims=True))


MIXING = {
    "Centred": Centred,
    "Lambda": lambda_layer,
    "UnitNormalization": along_the_batch,
    "operation": operation_in_a_model,
}


def test_layer_that_may_mix_samples_is_called_for_every_step(tmp_path):
    x = keras.Input((5, FEATURES), name="x")
    outputs = {
        name: layers.TimeDistributed(make(), name=f"apart_{name}")(x)
        for name, make in MIXING.items()
    }
    _, done = leave(x, outputs, tmp_path)
    assert len(done.notes) == len(MIXING) * len(FORMATS)
    for name in MIXING:
        notes = [note for note in done.notes if f"apart_{name} " in note]
        assert len(notes) == len(FORMATS)
        for note in notes:
            reason = note.split(f"apart_{name} ")[1]
            assert name in reason and "each of the 5 steps" in reason


@pytest.mark.parametrize("kind", FORMATS)
def test_layer_that_mixes_samples_is_found_with_open_length(kind, tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.TimeDistributed(Centred())(x)
    with pytest.raises(ParityError, match="does not equal"):
        leave(x, y, tmp_path, [kind])
    leave(x, y, tmp_path, [kind], fixed={"time": 5})


@keras.saving.register_keras_serializable("tests")
class Shifted(layers.Layer):
    """A layer of a user's that treats every sample by itself."""

    def call(self, x):
        return 2.0 * x + 1.0

    def compute_output_shape(self, shape):
        return shape


def test_layer_of_a_user_leaves_with_open_length(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    leave(x, layers.TimeDistributed(Shifted())(x), tmp_path)


def test_mask_of_one_value_a_sample_is_never_folded_for_nothing(tmp_path):
    x = keras.Input(batch_shape=(FEATURES, 3, FEATURES), name="x")
    y = layers.TimeDistributed(layers.Softmax())(layers.Masking()(x))
    leave(x, y, tmp_path)


def test_its_lowering_is_found_by_exact_class():
    class Other(layers.TimeDistributed):
        """Another layer."""

    inner = layers.Dense(1)
    assert registry.find(layers.TimeDistributed(inner), "onnx")
    assert registry.find(Other(inner), "onnx") is None
