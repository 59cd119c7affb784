"""An export leaves the user's model as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import export
from export import runtime
from export.errors import UnsupportedModelError
from export.program import trace
from export.signatures import resolve
from tests.export.test_operator_replacements import applied


@keras.saving.register_keras_serializable("tests")
class Inside(layers.Layer):
    """Calls another layer as in training."""

    def __init__(self, inner, **options):
        super().__init__(**options)
        self.inner = inner

    def call(self, x):
        return self.inner(x, training=True)


@keras.saving.register_keras_serializable("tests")
class Counter(layers.Layer):
    """Adds the number of its calls."""

    def __init__(self, kind, **options):
        super().__init__(**options)
        self.kind = kind

    def build(self, shape):
        if self.kind == "tensorflow":
            self.count = tf.Variable(0.0, trainable=False, name="calls")
        else:
            self.count = self.add_weight(shape=(), name="calls")

    def call(self, x):
        def counted():
            self.count.assign_add(1.0)
            return x + self.count

        if self.kind != "branch":
            return counted()
        return tf.cond(tf.reduce_sum(x) > 0, counted, lambda: x)


@keras.saving.register_keras_serializable("tests")
class Noise(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + keras.random.normal((3,), seed=self.seeds)


WRITERS = {
    "statistics": (
        lambda: Inside(layers.BatchNormalization(name="norm"), name="outer"),
        r'"outer/norm" \(BatchNormalization\).*"outer/norm/moving_mean"',
    ),
    "dropout": (
        lambda: Inside(layers.Dropout(0.5, name="drop"), name="outer"),
        r'drop" \(Dropout\).*seed_generator_state',
    ),
    "counter": (
        lambda: Counter("keras", name="counter"),
        '"counter".*"counter/calls"',
    ),
    "branch": (
        lambda: Counter("branch", name="counter"),
        '"counter".*"counter/calls"',
    ),
    "tensorflow": (
        lambda: Counter("tensorflow", name="counter"),
        '"counter".*calls"',
    ),
    "seeds": (lambda: Noise(name="noise"), '"noise".*seed_generator_state'),
}


@pytest.mark.parametrize("name", WRITERS)
def test_layer_that_writes_a_variable_is_named_and_not_called(name, tmp_path):
    make, told = WRITERS[name]
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Dense(2)(make()(x)), name=name)
    before = [variable.numpy().copy() for variable in model.variables]
    with pytest.raises(UnsupportedModelError, match=told) as raised:
        export.export(model, tmp_path / "out")
    assert "training=training" in str(raised.value)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert not (tmp_path / "out").exists()


def test_variables_are_the_same_bits_after_an_export(tmp_path):
    x = keras.Input((4,), name="x")
    y = layers.BatchNormalization()(layers.Dense(3, activation="silu")(x))
    model = keras.Model(x, layers.Dropout(0.5)(y), name="same")
    before = [variable.numpy().copy() for variable in model.variables]
    export.export(model, tmp_path)
    for variable, value in zip(model.variables, before, strict=True):
        assert variable.numpy().tobytes() == value.tobytes()


@pytest.mark.parametrize(
    "make",
    [lambda: layers.Dropout(0.5), lambda: layers.BatchNormalization()],
    ids=["dropout", "statistics"],
)
def test_node_called_with_training_is_exported_as_predicted(make, tmp_path):
    x = keras.Input((3,), name="x")
    inner = keras.Model(x, make()(x, training=True), name="inner")
    outer = keras.Input((3,), name="x")
    model = keras.Model(outer, inner(outer), name="outer")
    if len(inner.layers[1].weights):
        inner.layers[1].moving_mean.assign([1.0, 2.0, 3.0])
    done = export.export(model, tmp_path)
    (note,) = done.notes
    assert inner.layers[1].name in note and "training=True" in note
    values = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    predicted = model.predict(values, verbose=0)
    assert np.abs(predicted - model(values)).max() > 0.1
    for path in done.paths.values():
        (found,) = runtime.load(path).run({"x": values}).values()
        np.testing.assert_allclose(found, predicted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_variable_that_is_no_number_is_refused_unless_asked_for(
    value, tmp_path
):
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Dense(2, name="broken")(x))
    kernel = model.layers[1].kernel
    kernel.assign(np.where(np.arange(6).reshape(3, 2) == 1, value, 1.0))
    told = '"broken/kernel" holds 1 of 6 values'
    with pytest.raises(UnsupportedModelError, match=told):
        export.export(model, tmp_path / "out", ["onnx"])
    assert trace(model, resolve(model), {}, allow_nan=True).entries


def test_constant_may_be_infinite():
    model = applied(lambda x: tf.where(x > 0, x, -np.inf))
    assert trace(model, resolve(model), {}).entries
