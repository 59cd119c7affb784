"""The parts of LeNet-5 as published, against NumPy."""

import re

import keras
import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.layers import (
    LENET5_C3,
    ConnectedConv2D,
    MAPLoss,
    RBFOutput,
    ScaledTanh,
    SmallestPenaltyAccuracy,
    TrainableSubsampling2D,
    digit_codes,
)
from toolkit.models import lenet5_published

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


# ScaledTanh


def test_scaled_tanh_is_the_papers():
    x = normal(50)
    expected = 1.7159 * np.tanh(2 / 3 * x)
    np.testing.assert_allclose(ScaledTanh()(x), expected, rtol=1e-5)


def test_scaled_tanh_meets_its_targets():
    y = np.asarray(ScaledTanh()(np.array([1.0, -1.0], "float32")))
    np.testing.assert_allclose(y, [1.0, -1.0], atol=1e-4)


def test_scaled_tanh_refuses():
    with pytest.raises(ConfigError, match="amplitude=0"):
        ScaledTanh(amplitude=0)
    with pytest.raises(ConfigError, match="slope=-1"):
        ScaledTanh(slope=-1)


# TrainableSubsampling2D


@pytest.mark.parametrize(("size", "shape"), [(2, (6, 8)), (3, (7, 11))])
def test_subsampling_sums_scales_and_shifts(size, shape):
    x = normal(2, *shape, 4)
    layer = TrainableSubsampling2D(size)
    layer.build(x.shape)
    coefficient, bias = normal(4), normal(4)
    layer.set_weights([coefficient, bias])
    rows, columns = shape[0] // size, shape[1] // size
    expected = np.zeros((2, rows, columns, 4))
    for i in range(rows):
        for j in range(columns):
            square = x[:, i * size : (i + 1) * size, j * size : (j + 1) * size]
            expected[:, i, j] = coefficient * square.sum(axis=(1, 2)) + bias
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_subsampling_starts_as_the_mean():
    x = normal(1, 4, 4, 2)
    expected = x.reshape(1, 2, 2, 2, 2, 2).mean(axis=(2, 4))
    found = TrainableSubsampling2D(2)(x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_subsampling_refuses():
    with pytest.raises(ConfigError, match="size=0"):
        TrainableSubsampling2D(0)
    with pytest.raises(ConfigError, match=r"Received: \(2, 3\)"):
        TrainableSubsampling2D(2)(np.zeros((2, 3), "float32"))


# ConnectedConv2D


@pytest.mark.parametrize("use_bias", [True, False])
def test_connected_convolution_sees_its_maps_only(use_bias):
    x = normal(2, 7, 6, 6)
    layer = ConnectedConv2D(LENET5_C3, (3, 2), use_bias=use_bias)
    layer.build(x.shape)
    kernel, bias = normal(3, 2, 60), normal(16)
    layer.set_weights([kernel, bias][: 1 + use_bias])
    table = np.array([[c == "X" for c in row] for row in LENET5_C3])
    pairs = {tuple(p): i for i, p in enumerate(np.argwhere(table))}
    expected = np.zeros((2, 5, 5, 16)) + (bias if use_bias else 0)
    for (source, target), pair in pairs.items():
        for i in range(5):
            for j in range(5):
                patch = x[:, i : i + 3, j : j + 2, source]
                expected[:, i, j, target] += np.sum(
                    patch * kernel[..., pair], axis=(1, 2)
                )
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_connection_table_is_table_1_of_the_paper():
    seen = [{k for k in range(6) if LENET5_C3[k][c] == "X"} for c in range(16)]
    neighbours = [{(i + d) % 6 for d in range(3)} for i in range(6)]
    assert seen[:6] == neighbours
    assert seen[6:12] == [{(i + d) % 6 for d in range(4)} for i in range(6)]
    assert seen[12:15] == [{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5}]
    assert seen[15] == set(range(6))


def test_full_table_is_a_plain_convolution():
    x = normal(2, 6, 6, 3)
    ours = ConnectedConv2D(np.ones((3, 4)), 3)
    theirs = keras.layers.Conv2D(4, 3)
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights([ours.dense_kernel(), normal(4)])
    ours.set_weights([ours.get_weights()[0], theirs.get_weights()[1]])
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (("X.", "X"), r"one length.*\[2, 1\]"),
        (("X.", "X."), "output map 1 without any"),
        ((), "one length"),
    ],
)
def test_connected_convolution_refuses_tables(table, message):
    with pytest.raises(ConfigError, match=message):
        ConnectedConv2D(table, 3)


def test_connected_convolution_refuses_inputs_and_kernels():
    with pytest.raises(ConfigError, match=r"6 input maps.*\(1, 9, 9, 5\)"):
        ConnectedConv2D(LENET5_C3, 5)(np.zeros((1, 9, 9, 5), "float32"))
    for size in (0, (5, 0), (0, 5), (5, 5, 5)):
        with pytest.raises(ConfigError, match=re.escape(f"kernel_size={size}")):
            ConnectedConv2D(LENET5_C3, size)


# RBFOutput and its codes


def test_penalties_are_squared_distances():
    x, codes = normal(5, 7), normal(3, 7)
    expected = ((x[:, None] - codes[None]) ** 2).sum(axis=-1)
    layer = RBFOutput(codes)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)
    assert not layer.trainable_weights


def test_rbf_refuses():
    with pytest.raises(ConfigError, match=r"\(classes, features\).*\(3,\)"):
        RBFOutput([1, 2, 3])
    with pytest.raises(ConfigError, match=r"84 features.*\(2, 5\)"):
        RBFOutput(digit_codes())(np.zeros((2, 5), "float32"))


def test_digit_codes_are_pictures_that_differ():
    codes = digit_codes()
    assert codes.shape == (10, 84) and set(np.unique(codes)) == {-1.0, 1.0}
    distances = ((codes[:, None] - codes[None]) ** 2).sum(-1) / 4
    assert distances[~np.eye(10, dtype=bool)].min() >= 10
    picture = codes[1].reshape(12, 7)
    assert picture[:, 3:5].mean() > 0.5 and picture[:9, 0].max() == -1
    # 8 and 3 look alike, 8 and 1 do not.
    assert distances[8, 3] < distances[8, 1]


def test_other_codes_are_drawn_the_same_each_time():
    np.testing.assert_array_equal(digit_codes(26), digit_codes(26))
    assert len(np.unique(digit_codes(26), axis=0)) == 26
    with pytest.raises(ConfigError, match="classes=1"):
        digit_codes(1)


# MAPLoss


def test_map_loss_is_equation_9():
    penalties = RNG.random((6, 4)) * 30
    labels = np.array([0, 3, 1, 2, 2, 0])
    expected = np.mean(
        [
            y[d] + np.log(np.exp(-10.0) + np.exp(-y).sum())
            for y, d in zip(penalties, labels, strict=True)
        ]
    )
    found = MAPLoss(10.0)(labels, penalties.astype("float32"))
    assert float(found) == pytest.approx(expected, rel=1e-5)
    column = MAPLoss(10.0)(labels[:, None], penalties.astype("float32"))
    assert float(column) == pytest.approx(expected, rel=1e-5)


def test_map_loss_does_not_overflow_and_pushes_up_near_rivals_only():
    import tensorflow as tf

    far = tf.constant([[0.0, 5.0, 1000.0]])
    with tf.GradientTape() as tape:
        tape.watch(far)
        loss = MAPLoss(10.0)(np.array([0]), far)
    gradient = tape.gradient(loss, far).numpy()[0]
    assert np.isfinite(float(loss))
    assert gradient[0] > 0 > gradient[1] and gradient[2] == 0.0


def test_map_loss_refuses():
    with pytest.raises(ConfigError, match="j=0"):
        MAPLoss(j=0)


def test_accuracy_counts_smallest_penalties():
    metric = SmallestPenaltyAccuracy()
    metric.update_state([0, 1, 1], [[1.0, 2.0], [1.0, 2.0], [3.0, 2.0]])
    assert float(metric.result()) == pytest.approx(2 / 3)
    again = SmallestPenaltyAccuracy.from_config(metric.get_config())
    assert again.name == "accuracy"


# The whole


def test_published_net_has_the_papers_parameters_and_sizes():
    model = lenet5_published()
    counts = {
        layer.name: layer.count_params()
        for layer in model.layers
        if layer.count_params()
    }
    assert counts == {
        "c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120,
        "f6": 10164, "penalties": 840,
    }  # fmt: skip
    assert sum(w.numpy().size for w in model.trainable_weights) == 60000
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    assert shapes["s2"] == (14, 14, 6) and shapes["c3"] == (10, 10, 16)
    assert shapes["s4"] == (5, 5, 16) and shapes["c5"] == (1, 1, 120)
    with pytest.raises(ConfigError, match=r"\(10, 84\).*\(2, 84\)"):
        lenet5_published(codes=np.zeros((2, 84)))
