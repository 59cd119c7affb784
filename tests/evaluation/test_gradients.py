"""The check itself is checked: right gradients pass, wrong ones are named."""

import random

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.evaluation.own_layers import RNG, X, Y, behind_dense, net
from toolkit import models
from toolkit.errors import GradientError
from toolkit.evaluation import check_gradients
from toolkit.layers import (
    ConnectedConv2D,
    RBFOutput,
    ScaledTanh,
    TrainableSubsampling2D,
)

pytestmark = pytest.mark.usefixtures("settings_stay")
IMAGES = RNG.random((4, 8, 8, 1), np.float32)
IMAGES[:, :3] = 0  # where biases that are 0 lie at the kink of ReLU
LABELS = np.array([0, 1, 2, 1])


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
