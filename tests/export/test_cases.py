"""The inputs of a comparison: what they reach, and what the model refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import export
from export.answers import is_saturated
from export.cases import with_answers
from export.draws import KINDS, masked
from export.errors import UnsupportedModelError
from export.program import trace
from export.reach import reaches
from export.signatures import resolve
from tests.export.test_wrong_files import Function


def asked(model, samples=None, fixed=None, **options):
    """Returns the signature of a model and the answers to its cases."""
    program = trace(model, resolve(model), dict(fixed or {}))
    program, answers = with_answers(program, samples, **options)
    entry = program.entries[0]
    return entry, answers[entry.name]


def values(found, name="x"):
    return np.concatenate([c.inputs[name].ravel() for c in found.cases])


def sizes(found, name="x", axis=0):
    return {case.inputs[name].shape[axis] for case in found.cases}


@keras.saving.register_keras_serializable("tests")
class Strict(layers.Layer):
    """Takes widths that a multiple of a number divides, from one on."""

    def __init__(self, multiple=1, least=1, **options):
        super().__init__(**options)
        self.multiple, self.least = multiple, least

    def call(self, x):
        steps = tf.shape(x)[1]
        checks = [
            tf.debugging.assert_equal(steps % self.multiple, 0),
            tf.debugging.assert_greater_equal(steps, self.least),
        ]
        if tf.executing_eagerly():
            return tf.identity(x)
        with tf.control_dependencies(checks):
            return tf.identity(x)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


# Numbers


def test_floats_are_of_many_kinds():
    x = keras.Input((4,), name="x")
    _, found = asked(keras.Model(x, layers.Dense(3)(x)))
    assert {case.kind for case in found.cases} == set(KINDS)
    drawn = values(found)
    for low, high in ((-300, -100), (-0.001, 0), (5.9, 6.1), (88.9, 90.1)):
        assert ((drawn > low) & (drawn < high)).any()
    assert (drawn == 255).any() and (drawn == 0).any()
    assert {1, 3} <= sizes(found) and max(sizes(found)) > 64


def test_indices_read_the_ends_and_rows_spread_over_their_own_table():
    text = keras.Input((None,), dtype="int32", name="text")
    language = keras.Input((), dtype="int32", name="language")
    words = layers.Embedding(30_000, 2)(text)
    y = ops.mean(words, 1) + layers.Embedding(3, 2)(language)
    entry, found = asked(keras.Model([text, language], y))
    rows = {name: r.rows for name, r in reaches(entry).items()}
    assert rows == {"text": 30_000, "language": 3}
    # Keras counts negative ones from the end.
    assert set(values(found, "language")) == {-3, -2, -1, 0, 1, 2}
    read = np.unique(values(found, "text") % 30_000)
    assert values(found, "text").min() < 0
    assert read[0] == 0 and read[-1] == 29_999
    assert np.diff(read).max() <= 30_000 / 64


def test_a_float_that_becomes_an_index_is_drawn_as_one():
    x = keras.Input((2,), name="x")
    y = layers.Embedding(7, 3)(x)
    _, found = asked(keras.Model(x, y))
    assert set(values(found) % 7) == set(range(7))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint8", 0, 255), ("uint16", 0, 60_000), ("int32", -9000, 9000)],
)
def test_whole_numbers_span_their_type(dtype, low, high):
    x = keras.Input((40,), dtype=dtype, name="x")
    y = layers.Dense(2)(ops.cast(x, "float32") / 100.0)
    _, found = asked(keras.Model(x, y))
    drawn = values(found).astype(int)
    assert drawn.min() <= low and drawn.max() >= high


def test_values_that_the_model_refuses_are_left_out():
    x = keras.Input((4,), dtype="int32", name="x")

    @keras.saving.register_keras_serializable("tests")
    class Positive(layers.Layer):
        def call(self, x):
            with tf.control_dependencies([tf.debugging.assert_non_negative(x)]):
                return tf.cast(x, tf.float32)

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, "float32")

    _, found = asked(keras.Model(x, Positive()(x)))
    assert values(found).min() == 0 and values(found).max() > 200


def test_codes_are_drawn_inside_their_classes_and_outside():
    x = keras.Input((6,), dtype="int32", name="x")
    y = layers.Dense(2)(ops.one_hot(x, 40))
    entry, found = asked(keras.Model(x, y))
    assert reaches(entry)["x"].classes == 40
    drawn = values(found)
    assert set(range(40)) <= set(drawn)
    assert drawn.min() < 0 and drawn.max() > 40


def test_saturated_answers_are_not_the_only_ones():
    x = keras.Input((4,), name="x")
    start = keras.initializers.RandomNormal(0, 3e5, seed=0)
    y = layers.Dense(3, "sigmoid", kernel_initializer=start)(x)
    _, found = asked(keras.Model(x, y))
    assert all(map(is_saturated, found.expected[:3]))
    assert not all(map(is_saturated, found.expected))


def test_answers_are_saturated_at_limits_or_where_nothing_varies():
    assert is_saturated({"y": np.eye(3)})
    assert is_saturated({"y": np.full((3, 2), 0.3)})
    assert not is_saturated({"y": np.array([[0.3], [0.4]])})
    assert not is_saturated({"n": np.eye(3, dtype=int)})


def test_lengths_are_drawn_up_to_the_longest_sequence():
    x = keras.Input((None, 2), name="x")
    length = keras.Input((), dtype="int32", name="length")
    steps = Function(lambda x, n: tf.sequence_mask(n, tf.shape(x)[1]))
    mask = ops.cast(steps(x, length), "float32")
    _, found = asked(keras.Model([x, length], ops.sum(mask, 1)))
    assert values(found, "length").max() > 100


def test_large_integers_and_missing_numbers_are_drawn_where_they_count():
    x = keras.Input((4,), dtype="int32", name="x")
    _, found = asked(keras.Model(x, ops.cast(x % 1009, "float32")))
    assert np.abs(values(found)).max() > 2**24
    x = keras.Input((4,), name="x")
    y = ops.where(ops.isnan(x), 7.0, x)
    _, found = asked(keras.Model(x, layers.Dense(2)(y)))
    assert np.isnan(values(found)).any()


def test_inputs_on_which_the_model_is_nan_are_left_out(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(2)(ops.log(x + 1e-3)))
    _, found = asked(model)
    assert "negative" not in {case.kind for case in found.cases}
    assert export.export(model, tmp_path, ["onnx"]).formats
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(2)(ops.sqrt(x - 5.0)), name="roots")
    with pytest.raises(UnsupportedModelError, match="cannot be compared.*NaN"):
        export.export(model, tmp_path, ["onnx"])
    real = np.full((40, 4), 9.0, "float32") + np.arange(40)[:, None]
    assert export.export(model, tmp_path, ["onnx"], samples=real).formats


# Masks


def test_masked_sequences_have_holes_and_one_has_nothing_left():
    rng = np.random.default_rng(0)
    for array in (
        rng.random((40, 3, 2), np.float32),
        rng.integers(1, 9, (40, 3)),
    ):
        hidden = masked(array, -1, False, rng) == -1
        steps = hidden.all(axis=2) if hidden.ndim == 3 else hidden
        assert 0.2 < steps.mean() < 0.6 and not steps.all(axis=1).any()
        steps = masked(array, -1, True, rng) == -1
        assert steps[0].all() and not steps[1].all()
    assert masked(rng.random((2, 3, 3, 1)), 0.0, False, rng) is None
    assert masked(rng.random((40, 3)), 0.0, False, rng) is None


def test_each_masked_input_is_masked_apart():
    ids = [keras.Input((None,), dtype="int32", name=n) for n in "ab"]
    y = [layers.LSTM(3)(layers.Embedding(9, 2, mask_zero=True)(x)) for x in ids]
    _, found = asked(keras.Model(ids, layers.Add()(y)))
    empty = {
        tuple(n for n in "ab" if (case.inputs[n] == 0).all(axis=1).any())
        for case in found.cases
        if "masked" in case.kind
    }
    assert {("a",), ("b",)} <= empty


# Sizes


def test_lengths_are_short_and_longer_than_any_buffer():
    x = keras.Input((None, 2), name="x")
    _, found = asked(keras.Model(x, layers.GRU(2)(x)))
    assert sizes(found, axis=1) == {1, 2, 9, 16, 131}


@pytest.mark.parametrize(("multiple", "least"), [(4, 4), (1, 32), (32, 32)])
def test_sizes_that_the_model_refuses_are_replaced(multiple, least):
    x = keras.Input((None, 2), name="x")
    y = Strict(multiple, least)(x)
    _, found = asked(keras.Model(x, ops.mean(layers.Dense(2)(y), axis=1)))
    taken = sizes(found, axis=1)
    assert len(taken) > 1
    assert all(n % multiple == 0 and n >= least for n in taken)


def test_sizes_and_samples_lead():
    x = keras.Input((None, 2), name="x")
    model = keras.Model(x, ops.mean(Strict(601, 601)(x), axis=1))
    with pytest.raises(UnsupportedModelError, match="time: 5, 8, 9.*`sizes=`"):
        asked(model)
    _, found = asked(model, sizes={"time": [601, 1202]})
    assert sizes(found, axis=1) == {601, 1202}
    samples = {"x": np.ones((3, 601, 2), "float32")}
    _, found = asked(model, samples)
    assert sizes(found, axis=1) == {601}
    with pytest.raises(UnsupportedModelError, match="axis width.*batch, time"):
        asked(model, samples, sizes={"width": 3})


def test_a_u_net_and_a_wide_convolution_are_exported(tmp_path):
    x = keras.Input((None, None, 1), name="x")
    small = layers.MaxPooling2D(4)(layers.Conv2D(2, 3, padding="same")(x))
    y = layers.Concatenate()(
        [x, layers.Conv2DTranspose(1, 4, strides=4)(small)]
    )
    net = keras.Model(x, layers.Conv2D(1, 1)(y), name="net")
    assert export.export(net, tmp_path, ["onnx"]).formats
    x = keras.Input((None, 2), name="x")
    wide = keras.Model(x, layers.Conv1D(2, 32)(x), name="wide")
    assert export.export(wide, tmp_path, ["onnx"]).formats


@pytest.mark.parametrize(
    "sizes",
    [
        {"time": []},
        {"time": 5.5},
        {"time": -3},
        {"time": "8"},
        [8],
        {"x": True},
    ],
)
def test_sizes_that_are_none_are_refused(sizes):
    x = keras.Input((None, 2), name="x")
    model = keras.Model(x, layers.Dense(2)(x))
    with pytest.raises(UnsupportedModelError, match="whole numbers.*Received"):
        asked(model, sizes=sizes)
    assert asked(model, sizes={"time": np.int64(7)})


def test_pictures_smaller_than_the_windows_of_a_net_are_left_out(tmp_path):
    """Keras computes with them, on tensors of no values."""
    y = x = keras.Input((None, None, 3), name="x")
    for _ in range(3):
        y = layers.MaxPooling2D()(layers.Conv2D(4, 3)(y))
    model = keras.Model(x, layers.GlobalAveragePooling2D()(y))
    _, found = asked(model)
    assert min(sizes(found, axis=1)) >= 22
    assert export.export(model, tmp_path, ["onnx", "litert"]).formats


def test_a_sequence_is_as_long_as_the_model_reaches():
    x = keras.Input((None, 2), name="x")
    y = layers.Conv1D(2, 2, dilation_rate=200, padding="causal")(x)
    _, found = asked(keras.Model(x, y))
    assert 203 in sizes(found, axis=1)


# Names of axes


def shapes(tensors):
    return {tensor.name: tensor.shape for tensor in tensors}


def test_axes_of_different_inputs_have_names_of_their_own(tmp_path):
    source = keras.Input((None, 2), name="source")
    target = keras.Input((None, 2), name="target")
    _, state = layers.GRU(3, return_state=True)(source)
    y = layers.GRU(3, return_sequences=True, name="y")(
        target, initial_state=state
    )
    model = keras.Model([source, target], y)
    entry, found = asked(model)
    assert shapes(entry.inputs) == {
        "source": ("batch", "time", 2),
        "target": ("batch", "time_2", 2),
    }
    assert shapes(entry.outputs) == {"y": ("batch", "time_2", 3)}
    lengths = {
        tuple(case.inputs[n].shape[1] for n in ("source", "target"))
        for case in found.cases
    }
    assert all(a != b for a, b in lengths)
    file = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    arrays = {
        "source": np.ones((2, 7, 2), "float32"),
        "target": np.ones((2, 9, 2), "float32"),
    }
    answer = export.runtime.load(file).run(arrays)["y"]
    np.testing.assert_allclose(answer, model(list(arrays.values())), atol=1e-5)


def test_axes_that_the_model_needs_equal_share_a_name():
    ids = keras.Input((None,), dtype="int32", name="ids")
    kinds = keras.Input((None,), dtype="int32", name="kinds")
    allowed = keras.Input((None, None), name="allowed")
    y = layers.Embedding(9, 2)(ids) + layers.Embedding(2, 2)(kinds)
    y = ops.matmul(allowed, y)
    entry, _ = asked(keras.Model([ids, kinds, allowed], y))
    named = shapes(entry.inputs)
    assert named["ids"] == named["kinds"] == ("batch", "time")
    assert named["allowed"][0] == "batch" and named["allowed"][2] == "time"
    assert named["allowed"][1] not in ("batch", "time")


def test_nodes_and_edges_of_a_graph_net_are_no_one_batch(tmp_path):
    nodes = keras.Input((3,), name="nodes")
    edges = keras.Input((2,), name="edges", dtype="float32")
    y = ops.concatenate([layers.Dense(2)(nodes), layers.Dense(2)(edges)], 0)
    model = keras.Model([nodes, edges], layers.Dense(2, name="y")(y))
    entry, _ = asked(model)
    assert shapes(entry.inputs)["edges"][0] == "batch_2"
    assert shapes(entry.outputs)["y"][0] not in ("batch", "batch_2")
    assert export.export(model, tmp_path, ["onnx", "litert"]).formats


def test_axes_of_outputs_are_named_by_their_sizes():
    x = keras.Input((None, 2), name="x")
    halved = layers.Conv1D(2, 2, strides=2, name="halved")(x)
    kept = layers.Dense(2, name="kept")(x)
    entry, _ = asked(keras.Model(x, [halved, kept]))
    assert shapes(entry.outputs) == {
        "halved": ("batch", "halved_axis_1", 2),
        "kept": ("batch", "time", 2),
    }


def test_a_fixed_axis_closes_those_of_all_inputs():
    ids = [keras.Input((None, 2), name=n) for n in "ab"]
    model = keras.Model(ids, layers.Add()([layers.GRU(2)(x) for x in ids]))
    entry, _ = asked(model, fixed={"time": 6})
    assert {shape[1] for shape in shapes(entry.inputs).values()} == {6}
    entry, _ = asked(model, fixed={"time_2": 6})
    assert shapes(entry.inputs)["a"][1] == "time"
    assert shapes(entry.inputs)["b"][1] == 6
