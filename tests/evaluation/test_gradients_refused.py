"""What cannot be checked is refused, with what to do about it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.evaluation.own_layers import RNG, X, Y, behind_dense, net
from toolkit import models
from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import check_gradients

pytestmark = pytest.mark.usefixtures("settings_stay")


def test_what_cannot_be_made_again_is_refused():
    class Held(keras.Model):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def call(self, x):
            return self.layer(x)

    model = Held(layers.Dense(2))
    model(X)
    with pytest.raises(ConfigError, match="`get_config` that returns"):
        check_gradients(model, X, Y, "mse")
    with pytest.raises(ConfigError, match="a lambda. Use `def`"):
        check_gradients(
            keras.Sequential(
                [keras.Input((4,)), layers.Dense(2, lambda x: ops.sin(x))]
            ),
            X,
            Y,
            "mse",
        )


def test_config_that_forgets_an_argument_is_refused():
    class Forgetful(layers.Layer):
        def __init__(self, factor=1.0, **options):
            super().__init__(**options)
            self.factor = factor

        def call(self, x):
            return self.factor * x

        def get_config(self):
            return super().get_config()

    with pytest.raises(ConfigError, match="gives another answer"):
        check_gradients(behind_dense(Forgetful(3.0)), X, X[:, :3], "mse")


def test_fixed_dtypes_are_refused_with_their_place():
    class Fixed(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(
                name="scale", shape=shape[-1:], dtype="float32"
            )

        def call(self, x):
            return x * ops.cast(self.scale, x.dtype)

    with pytest.raises(ConfigError, match=r'fixed/scale" \(float32\). Leave'):
        check_gradients(behind_dense(Fixed(name="fixed")), X, X[:, :3], "mse")

    def low(x):
        return ops.cast(ops.tanh(ops.cast(x, "float32")), x.dtype)

    with pytest.raises(
        ConfigError, match="Less than that is computed in: .*low"
    ):
        check_gradients(
            behind_dense(layers.Lambda(low, name="low")), X, X[:, :3], "mse"
        )

    class Cell(layers.SimpleRNNCell):
        def call(self, x, states, training=False):
            y, states = super().call(x, states, training)
            return ops.cast(ops.cast(y, "float32"), x.dtype), states

    steps = keras.Sequential([keras.Input((3, 4)), layers.RNN(Cell(2))])
    with pytest.raises(ConfigError, match="is computed in: .*/while"):
        check_gradients(steps, RNG.normal(size=(6, 3, 4)), Y, "mse")

    def constant(x):
        return x * tf.ones(3, tf.float32)

    with pytest.raises(ConfigError, match="does not run in float64"):
        check_gradients(behind_dense(constant), X, X[:, :3], "mse")


def test_two_layers_of_one_name_are_refused():
    def make(factor):
        class Twin(layers.Layer):
            def call(self, x):
                return factor * x

        return Twin()

    model = keras.Sequential([keras.Input((4,)), make(2.0), make(3.0)])
    model.add(layers.Dense(2))
    with pytest.raises(ConfigError, match='2 different.*"Twin".*Register'):
        check_gradients(model, X, Y, "mse")


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="not compiled with a loss"):
        check_gradients(net(), X, Y)
    with pytest.raises(ConfigError, match="has no weights yet"):
        check_gradients(keras.Sequential([layers.Dense(2)]), X, Y, "mse")
    with pytest.raises(ConfigError, match="must be a keras.Model"):
        check_gradients(layers.Dense(2), X, Y, "mse")
    frozen = net()
    frozen.trainable = False
    with pytest.raises(ConfigError, match="has no trainable weight"):
        check_gradients(frozen, X, Y, "mse")
    with pytest.raises(ConfigError, match="`entries` must be.*entries=0"):
        check_gradients(net(), X, Y, "mse", entries=0)
    with pytest.raises(ConfigError, match="`tolerance` must be above 0"):
        check_gradients(net(), X, Y, "mse", tolerance=0.0)
    with pytest.raises(ConfigError, match="The loss is nan"):
        check_gradients(net(), X * np.nan, Y, "mse")

    def drawn(x):
        return x + tf.random.normal(tf.shape(x), dtype=x.dtype)

    with pytest.raises(ConfigError, match="same twice.*SeedGenerator"):
        check_gradients(behind_dense(drawn), X, X[:, :3], "mse")


def test_settings_are_put_back_when_the_loss_fails():
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_floatx("float16")
    try:
        with pytest.raises(ValueError, match="of the loss"):

            def broken(y, p):
                raise ValueError("of the loss")

            check_gradients(net(), X, Y, broken)
        assert keras.config.floatx() == "float16"
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def test_loss_that_casts_down_is_refused():
    class Low(keras.losses.Loss):
        def call(self, y, p):
            return ops.mean(ops.cast(p, "float32") - ops.cast(y, "float32"))

    with pytest.raises(ConfigError, match="`self.dtype` of the loss"):
        check_gradients(net(), X, Y, Low())


def test_batches_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"one example.*x of shape \(0, 4\)"):
        check_gradients(net(), X[:0], Y[:0], "mse")
    for y, name in ((Y[:5], "y"), (Y[:0], "y"), (Y, "sample_weight")):
        weights = np.ones(5) if name == "sample_weight" else None
        shape = "(5,)" if weights is not None else str(y.shape)
        with pytest.raises(DataError) as error:
            check_gradients(net(), X, y, "mse", sample_weight=weights)
        assert str(error.value) == (
            f"`{name}` must have as many examples as `x`. Received: x of "
            f"shape (6, 4), {name} of shape {shape}."
        )
    two = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(two, layers.Dense(2)(layers.add(two)))
    with pytest.raises(DataError, match=r"\[\(6, 4\), \(5, 4\)\]"):
        check_gradients(model, [X, X[:5]], Y, "mse")


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ],
)
def test_labels_that_are_no_class_are_refused(loss):
    model = models.mlp((4,), [3], 2)
    for labels, text in (
        ([1, 2, 1, 2, 1, 2], "from 1 to 2"),
        ([-1, 0, 1, 0, 1, 0], "from -1 to 1"),
    ):
        with pytest.raises(
            DataError, match=f"classes from 0 to 1, .*{text}. Number"
        ):
            check_gradients(model, X, labels, loss)


def test_labels_that_the_loss_passes_over_are_taken():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    labels = np.array([-1, 0, 1, 0, 1, -1])
    assert check_gradients(models.mlp((4,), [3], 2), X, labels, loss).passed


def test_targets_of_another_shape_are_named():
    with pytest.raises(
        ConfigError, match=r"y of shape \(6, 3\).*model gives \(6, 2\)"
    ):
        check_gradients(net(), X, Y[:, [0, 1, 0]], "mse")


def test_targets_of_answers_that_are_not_one_per_example_are_taken():
    x = keras.Input(batch_shape=(6, 4))
    model = keras.Model(x, ops.reshape(layers.Dense(2)(x), (3, 4)))
    y = np.ones((3, 4))
    assert check_gradients(model, X, y, "mse").passed


def test_many_checks_are_not_taken_for_one_function(monkeypatch, caplog):
    import logging

    from tensorflow.python.eager.polymorphic_function import (
        polymorphic_function as private,
    )

    fresh = private._FrequentTracingDetectorManager()
    monkeypatch.setattr(private, "_frequent_tracing_detector_manager", fresh)
    logger = logging.getLogger("tensorflow")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level("WARNING", "tensorflow"):
            for _ in range(6):
                check_gradients(net(), X, Y, "mse", entries=1)
            tf.get_logger().warning("heard")
    finally:
        logger.removeHandler(caplog.handler)
    assert "heard" in caplog.text and "retracing" not in caplog.text
