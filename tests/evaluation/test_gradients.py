"""The check itself is checked: right gradients pass, wrong ones are named."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from toolkit import models
from toolkit.errors import ConfigError, DataError, GradientError
from toolkit.evaluation import check_gradients
from toolkit.layers import (
    ConnectedConv2D,
    RBFOutput,
    ScaledTanh,
    TrainableSubsampling2D,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype("float32")
Y = RNG.normal(size=(6, 2)).astype("float32")
IMAGES = RNG.random((4, 8, 8, 1), np.float32)
IMAGES[:, :3] = 0  # where biases that are 0 lie at the kink of ReLU
LABELS = np.array([0, 1, 2, 1])


@pytest.fixture(autouse=True)
def settings_stay():
    keras.utils.set_random_seed(0)
    yield
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


# Layers of a user's: none of them registered.


class Product(layers.Layer):
    """x W + b, whose gradients are those of TensorFlow times factors."""

    def __init__(self, units, kernel=None, bias=1.0, inputs=1.0, **options):
        super().__init__(**options)
        self.units, self.factors = units, (inputs, kernel, bias)

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(4, self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,))

    def call(self, x):
        @tf.custom_gradient
        def product(x, w, b):
            def backward(dy):
                right = (
                    tf.matmul(dy, w, transpose_b=True),
                    tf.matmul(x, dy, transpose_a=True),
                    tf.reduce_sum(dy, axis=0),
                )
                factors = (1.0 if f is None else f for f in self.factors)
                return [
                    g * tf.cast(f, g.dtype)
                    for g, f in zip(right, factors, strict=True)
                ]

            return tf.matmul(x, w) + b, backward

        return product(x, *map(tf.convert_to_tensor, (self.kernel, self.bias)))

    def get_config(self):
        inputs, kernel, bias = self.factors
        return {
            **super().get_config(),
            "units": self.units,
            "kernel": kernel,
            "bias": bias,
            "inputs": inputs,
        }


def net(**factors):
    x = keras.Input((4,))
    y = layers.Dense(4, "tanh", name="first")(x)
    y = Product(3, **factors, name="own")(y)
    return keras.Model(x, layers.Dense(2, name="last")(ops.tanh(y)))


def behind_dense(layer):
    if not isinstance(layer, layers.Layer):
        layer = layers.Lambda(layer)
    return keras.Sequential([keras.Input((4,)), layers.Dense(3), layer])


# Right gradients


def test_mlp_with_penalty_and_dropout_passes():
    model = models.mlp((4,), [6, 5], 3, dropout=0.1, l2=0.01)
    labels = [0, 1, 2, 1, 0, 2]
    loss = "sparse_categorical_crossentropy"
    report = check_gradients(model, X, labels, loss)
    assert report.passed and report.wrong == ()
    assert [w.name for w in report.weights] == [w.path for w in model.weights]
    kernel = report.weights[0]
    assert (kernel.shape, kernel.entries) == ((4, 6), 21)  # and a direction
    assert report.weights[1].entries == 6
    assert 0 < kernel.error < 1e-6


@pytest.mark.parametrize("training", [False, True])
def test_convolution_at_kinks_with_max_pooling_and_batch_norm_passes(training):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", name="c"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, "softmax", kernel_regularizer="l2"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    report = check_gradients(model, IMAGES, LABELS, training=training)
    bias = report.weights[1]
    assert bias.name.endswith("c/bias") and bias.kinks >= 3
    assert bias.entries == 4  # a little beside the kinks


def test_layers_of_lenet5_pass():
    x = keras.Input((8, 8, 1))
    y = ConnectedConv2D(["XXX"], 3)(x)
    y = ScaledTanh()(TrainableSubsampling2D(2)(y))
    y = layers.Dense(3)(layers.Flatten()(y))
    codes = [[1, -1, 1], [2, 0, 0], [-1, 1, 1]]
    model = keras.Model(x, RBFOutput(codes)(y))
    report = check_gradients(model, IMAGES, LABELS, lambda t, p: p[:, 0])
    assert len(report.weights) == 6  # the codes are fixed


def test_tied_autoencoder_passes_with_one_kernel_for_both_uses():
    model = models.autoencoder((4,), [5, 4], 2, "elu", tied=True)
    report = check_gradients(model, X, X, "mse")
    assert len(report.weights) == len(model.trainable_weights) == 9


def test_recurrent_layers_with_mask_and_embedding_pass():
    x = keras.Input((None,), dtype="int32")
    y = layers.Embedding(9, 5, mask_zero=True, name="words")(x)
    y = layers.LSTM(3, return_sequences=True)(y)
    y = layers.GRU(3, return_sequences=True)(y)
    model = keras.Model(x, layers.Dense(9, "softmax")(y))
    ids = RNG.integers(1, 9, (3, 5))
    ids[0, 3:], ids[2, 1:] = 0, 0
    report = check_gradients(model, ids, ids, "sparse_categorical_crossentropy")
    assert report.weights[0].name == "words/embeddings"


class Pair(keras.Model):
    """Two inputs, two outputs, by name."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.words = layers.Embedding(7, 3)
        self.hidden = layers.Dense(units, "relu")
        self.output_layer = layers.Dense(2)
        self.drop = layers.Dropout(0.5)

    def call(self, inputs, training=False):
        words = ops.mean(self.words(inputs["words"]), axis=1)
        hidden = self.drop(self.hidden(inputs["numbers"]), training=training)
        joined = ops.concatenate([words, hidden], axis=-1)
        return {"joined": self.output_layer(joined), "words": words}

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@pytest.fixture
def pair():
    model = Pair(5)
    words = RNG.integers(0, 7, (6, 3)).astype("int64")
    x = {"numbers": X, "words": words}
    model(x)
    return model, x, {"joined": Y, "words": X[:, :3]}


@pytest.mark.parametrize("training", [False, True])
def test_subclass_with_several_inputs_and_losses_passes(pair, training):
    model, x, y = pair
    losses = {"joined": keras.losses.MeanSquaredError(), "words": "mse"}
    factors = {"joined": 1.0, "words": 0.5}
    model.compile("adam", losses, loss_weights=factors)
    weights = np.arange(6.0)
    one = check_gradients(model, x, y, training=training)
    if not training:
        expected = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
        assert one.loss == pytest.approx(expected, rel=1e-5)
    two = check_gradients(
        model, x, y, sample_weight={"joined": weights, "words": weights}
    )
    assert one.loss != two.loss


def test_list_of_inputs_and_outputs_passes():
    one, two = keras.Input((4,)), keras.Input((3,), dtype="int32")
    words = layers.Flatten()(layers.Embedding(7, 2)(two))
    outputs = [layers.Dense(2)(one), layers.Dense(2)(words)]
    model = keras.Model([one, two], outputs)
    x = [X, RNG.integers(0, 7, (6, 3))]
    check_gradients(model, x, [Y, Y], ["mse", "mae"])


def test_loss_is_that_of_the_model_and_its_penalties():
    model = net()
    model.compile("adam", "mse")
    expected = model.evaluate(X, Y, verbose=0)
    report = check_gradients(model, X, Y)
    assert report.loss == pytest.approx(expected, rel=1e-5)
    own = models.mlp((4,), [3], 2, l2=0.5, output_activation="linear")
    penalty = float(ops.sum(own.losses))
    report = check_gradients(own, X, None)
    assert report.loss == pytest.approx(penalty, rel=1e-5)


def test_own_compute_loss_and_eager_models_pass():
    modes = []

    class Fourth(keras.Model):
        def compute_loss(
            self, x=None, y=None, y_pred=None, sample_weight=None, training=None
        ):
            modes.append(training)
            return ops.mean((y_pred - y) ** 4)

    x = keras.Input((4,))
    check_gradients(Fourth(x, layers.Dense(2)(x)), X, Y, training=True)
    assert set(modes) == {True}

    class Older(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ops.mean((y_pred - y) ** 4)

    check_gradients(Older(x, layers.Dense(2)(x)), X, Y)
    model = net()
    model.compile("adam", "mse", run_eagerly=True)
    check_gradients(model, X, Y, entries=2)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
def test_low_precision_model_is_checked_in_float64(policy):
    x = keras.Input((4,))
    y = layers.Dense(3, "tanh", dtype=policy)(x)
    check_gradients(
        keras.Model(x, layers.Dense(2, dtype=policy)(y)), X, Y, "mse"
    )


def test_states_of_seeds_and_of_recurrent_layers_stay():
    class Noise(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.generator = keras.random.SeedGenerator(3)

        def call(self, x):
            return x + keras.random.normal(
                ops.shape(x), dtype=x.dtype, seed=self.generator
            )

    model = keras.Sequential(
        [
            keras.Input((3, 4), batch_size=6),
            layers.GRU(2, stateful=True),
            Noise(),
            layers.Dense(2),
        ]
    )
    steps = RNG.normal(size=(6, 3, 4))
    model(steps)
    drawn = random.getstate()
    before = [
        np.asarray(v).copy()
        for v in [*model.variables, *model.layers[0].states]
    ]
    check_gradients(model, steps, Y, "mse", entries=3)
    assert random.getstate() == drawn
    after = [*model.variables, *model.layers[0].states]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_normalization_that_was_adapted_passes():
    normalize = layers.Normalization()
    normalize.adapt(5 * X + 3)
    model = keras.Sequential([keras.Input((4,)), normalize, layers.Dense(2)])
    check_gradients(model, 5 * X + 3, Y, "mse")


def test_frozen_weights_are_left_out():
    model = net()
    model.get_layer("own").trainable = False
    names = [w.name for w in check_gradients(model, X, Y, "mse").weights]
    assert names == ["first/kernel", "first/bias", "last/kernel", "last/bias"]


# Wrong gradients


@pytest.mark.parametrize("weight", ["kernel", "bias"])
@pytest.mark.parametrize("factor", [2.0, -1.0, 1.0001])
def test_the_one_weight_with_a_wrong_gradient_is_named(weight, factor):
    with pytest.raises(GradientError, match=f"1 of 6.*\n  own/{weight} ") as e:
        check_gradients(net(**{weight: factor}), X, Y, "mse")
    assert e.value.report.wrong == (f"own/{weight}",)
    assert "dense" not in str(e.value)


def test_wrong_gradient_of_the_inputs_shows_in_the_weights_before():
    report = check_gradients(net(inputs=1.5), X, Y, "mse", raises=False)
    assert report.wrong == ("first/kernel", "first/bias")
    assert "the last layer of these first" in report.message()


def test_wrong_bias_is_found_though_all_of_it_lies_at_kinks():
    class Shift(layers.Layer):
        def build(self, shape):
            self.shift = self.add_weight(
                name="shift", shape=shape[-1:], initializer="zeros"
            )

        def call(self, x):
            wrong = self.shift * 1.01
            return x + wrong + ops.stop_gradient(self.shift - wrong)

    model = keras.Sequential(
        [keras.Input((8, 8, 1)), Shift(), layers.ReLU(), layers.Flatten()]
    )
    model.add(layers.Dense(2))
    report = check_gradients(model, IMAGES, Y[:4], "mse", raises=False)
    assert report.wrong == (model.weights[0].path,)
    assert report.weights[0].kinks == 1


def test_one_wrong_entry_of_many_is_caught_by_the_direction():
    class Big(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(name="kernel", shape=(4, 200))

        def call(self, x):
            change = np.zeros((4, 200))
            change[2, 117] = 0.5
            extra = self.kernel * ops.convert_to_tensor(change, x.dtype)
            kernel = self.kernel + extra - ops.stop_gradient(extra)
            return ops.matmul(x, kernel)

    model = keras.Sequential([keras.Input((4,)), Big(), layers.Dense(2)])
    report = check_gradients(model, X, Y, "mse", raises=False)
    assert report.wrong == (model.weights[0].path,)
    assert report.weights[0].where == "direction"


def test_missing_gradient_is_compared_as_zero():
    def cut(x):
        return ops.stop_gradient(ops.sin(x))

    report = check_gradients(
        behind_dense(cut), X, X[:, :3], "mse", raises=False
    )
    assert len(report.wrong) == 2
    assert not report.weights[0].connected
    assert report.weights[0].analytic == 0 != report.weights[0].numeric
    assert "the framework has no gradient" in report.message()


def test_gradient_that_is_not_a_number_is_wrong():
    def root(x):
        return ops.sqrt(ops.square(x) * 0)  # 0, with a gradient of 0 / 0

    with pytest.raises(GradientError, match="says nan.*error inf"):
        check_gradients(behind_dense(root), X, X[:, :3], "mse")


def test_straight_through_estimate_is_no_gradient():
    def rounded(x):
        return x + ops.stop_gradient(ops.round(x) - x)

    with pytest.raises(GradientError, match="differences say 0 "):
        check_gradients(behind_dense(rounded), X, X[:, :3], "mse")


def test_table_is_aligned_and_says_what_is_wrong():
    report = check_gradients(net(bias=0.0), X, Y, "mse", raises=False)
    head, *rows = str(report).splitlines()
    assert head.split()[:4] == ["weight", "shape", "error", "where"]
    assert len(rows) == 6
    assert all(row[head.index("shape")] == "(" for row in rows)
    assert [row.endswith("  wrong") for row in rows].index(True) == 3


# What cannot be checked


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
