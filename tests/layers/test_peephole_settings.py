"""Every setting of `PeepholeLSTM` acts, and acts as its cell has it."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell
from toolkit.layers.peephole_lstm import peephole_lstm_step

FEATURES, UNITS = 3, 4
RNG = np.random.default_rng(0)
OF_RNN = {"zero_output_for_mask", "go_backwards"}
QUICK = ((1, True), (3, False), (4, True), (5, False), (9, True))


def pair(**options):
    """The layer, and `RNN` around its cell, with the same random weights."""
    shared = {k: options.pop(k) for k in OF_RNN & set(options)}
    full = {"return_sequences": True, "dtype": "float64", **shared}
    layer = PeepholeLSTM(UNITS, **full, **options)
    cell = PeepholeLSTMCell(UNITS, dtype="float64", **options)
    around = keras.layers.RNN(cell, **full)
    for item in (layer, around):
        item.build((None, None, FEATURES))
        item.set_weights(
            [
                np.random.default_rng(7).normal(0, 0.7, w.shape)
                for w in item.weights
            ]
        )
    return layer, around


def step(layer, jit=False, **options):
    """A function to outputs and all gradients, those of the inputs too."""

    @tf.function(jit_compile=jit, autograph=False, **options)
    def run(x, mask=None):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, mask=mask, training=True)
            loss = tf.reduce_sum(y * tf.cos(tf.cumsum(y, axis=1)))
        return [y, *tape.gradient(loss, [x, *layer.trainable_variables])]

    return run


@functools.cache
def plain_cell(masked):
    """`step` of the cell without settings, traced once for all lengths."""
    specs = [tf.TensorSpec((3, None, FEATURES), tf.float64)]
    specs += [tf.TensorSpec((3, None), tf.bool)] * masked
    return step(pair()[1], input_signature=specs)


def assert_same(layer, expected, steps, masked, jit=False):
    given = [tf.constant(RNG.normal(size=(3, steps, FEATURES)))]
    if masked:
        given.append(tf.constant(RNG.random((3, steps)) < 0.6))
    found = step(layer, jit)(*given)
    for ours, theirs in zip(found, expected(*given), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


# Slow but for the lengths around a round of four steps.
@pytest.mark.parametrize(
    ("steps", "masked"),
    [
        pytest.param(
            steps,
            masked,
            marks=() if (steps, masked) in QUICK else pytest.mark.slow,
        )
        for steps in (1, 2, 3, 4, 5, 8, 9)
        for masked in (False, True)
    ],
)
def test_any_length_trains_as_the_cell_does(steps, masked):
    assert_same(pair()[0], plain_cell(masked), steps, masked)


OF_THE_CELL = {
    "use_bias": False,
    "activation": "relu",
    "recurrent_activation": "hard_sigmoid",
}
OF_THE_LOOP = {"zero_output_for_mask": True, "go_backwards": True}


# Slow: each alone; that each acts is tested below.
@pytest.mark.parametrize(
    "options",
    [
        OF_THE_CELL,
        OF_THE_LOOP,
        *(
            pytest.param({name: value}, marks=pytest.mark.slow)
            for name, value in (OF_THE_CELL | OF_THE_LOOP).items()
        ),
    ],
)
def test_any_setting_trains_as_the_cell_does(options):
    plain, _ = pair()
    layer, around = pair(**options)
    assert_same(layer, step(around), 6, masked=True)
    x = RNG.normal(size=(3, 6, FEATURES))
    mask = tf.constant(RNG.random((3, 6)) < 0.5)
    assert np.abs(layer(x, mask=mask) - plain(x, mask=mask)).max() > 1e-3


@pytest.mark.parametrize(("name", "value"), (OF_THE_CELL | OF_THE_LOOP).items())
def test_every_setting_changes_the_output(name, value):
    x = RNG.normal(size=(3, 6, FEATURES))
    mask = tf.constant(RNG.random((3, 6)) < 0.5)
    plain, changed = (
        layer(x, mask=mask) for layer in (pair()[0], pair(**{name: value})[0])
    )
    assert np.abs(changed - plain).max() > 1e-3


def test_compiled_by_xla_it_trains_as_the_cell_does():
    assert_same(pair()[0], plain_cell(True), 6, masked=True, jit=True)


def test_padding_may_hold_anything():
    layer, around = pair()
    x = RNG.normal(size=(2, 7, FEATURES))
    x[:, 2] = np.nan
    x[1, 5:] = np.inf
    mask = tf.constant(np.isfinite(x).all(axis=2))
    for training in (False, True):
        found = layer(x, mask=mask, training=training)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, around(x, mask=mask), atol=1e-12)


@pytest.mark.parametrize(
    "name", ["kernel", "recurrent", "peephole", "bias", "activity"]
)
def test_every_regularizer_adds_to_the_loss(name):
    regularizer = keras.regularizers.L2(0.5)
    layer = PeepholeLSTM(UNITS, **{f"{name}_regularizer": regularizer})
    x = RNG.normal(size=(2, 3, FEATURES)).astype("float32")
    y = layer(x)
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.weights])
    y = layer(x)
    if name == "activity":
        wanted = 0.5 * np.sum(np.square(y)) / len(x)
    else:
        place = ["kernel", "recurrent", "bias", "peephole"].index(name)
        wanted = 0.5 * np.sum(np.square(layer.get_weights()[place]))
    assert float(sum(layer.losses)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", ["kernel", "recurrent", "peephole", "bias"])
def test_every_constraint_and_initializer_holds(name):
    class Three(keras.constraints.Constraint):
        def __call__(self, w):
            return keras.ops.full_like(w, 3.0)

    layer = PeepholeLSTM(
        UNITS,
        unit_forget_bias=False,
        **{f"{name}_constraint": Three(), f"{name}_initializer": "ones"},
    )
    model = keras.Sequential([keras.Input((3, FEATURES)), layer])
    names = ["kernel", "recurrent", "bias", "peephole"]
    starts = {
        n: np.all(w == 1)
        for n, w in zip(names, layer.get_weights(), strict=True)
    }
    assert starts == {n: n == name for n in names}
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(np.ones((2, 3, FEATURES)), np.zeros((2, UNITS)), verbose=0)
    ends = {
        n: np.all(w == 3)
        for n, w in zip(names, layer.get_weights(), strict=True)
    }
    assert ends == {n: n == name for n in names}


def test_trainable_and_seed_reach_the_cell():
    layer = PeepholeLSTM(UNITS, trainable=False)
    layer.build((None, None, FEATURES))
    assert not layer.trainable_weights and len(layer.weights) == 4
    x = np.ones((2, 5, FEATURES), "float32")
    drawn = []
    for seed in (1, 1, 2):
        layer = PeepholeLSTM(UNITS, dropout=0.5, seed=seed)
        layer.build(x.shape)
        layer.set_weights(
            [np.full(w.shape, 0.3, "float32") for w in layer.weights[:4]]
            + [w.numpy() for w in layer.weights[4:]]
        )
        drawn.append(layer(x, training=True).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 1e-3


@pytest.mark.parametrize("masked", [False, True])
def test_recurrent_dropout_drops_the_same_units_at_every_step(masked):
    layer, _ = pair(recurrent_dropout=0.5, seed=3)
    x = RNG.normal(size=(3, 6, FEATURES))
    mask = RNG.random((3, 6)) < 0.7 if masked else np.ones((3, 6), bool)
    drawn = layer.cell.get_recurrent_dropout_mask(
        tf.zeros((3, UNITS), "float64")
    )
    layer.cell.get_recurrent_dropout_mask = lambda like: drawn
    found = layer(x, mask=tf.constant(mask), training=True)
    assert 0 < np.mean(drawn == 0) < 1
    hidden = carry = np.zeros((3, UNITS))
    kernel, recurrent, bias, peepholes = layer.get_weights()[:4]
    cell = layer.cell
    for t in range(6):
        z = x[:, t] @ kernel + (hidden * drawn) @ recurrent + bias
        new = peephole_lstm_step(
            z, carry, peepholes, (cell.activation, cell.recurrent_activation)
        )
        counts = mask[:, t, None]
        hidden, carry = (
            np.where(counts, a, b)
            for a, b in zip(new, (hidden, carry), strict=True)
        )
        np.testing.assert_allclose(found[:, t], hidden, atol=1e-12)


def test_settings_can_be_read_as_keras_layers_have_them():
    theirs = keras.layers.LSTM(3, dropout=0.25)
    ours = PeepholeLSTM(np.int64(3), dropout=0.25)
    for name in theirs.get_config():
        if name not in ("name", "seed"):
            found, wanted = getattr(ours, name), getattr(theirs, name)
            assert type(found) is type(wanted), name
    assert ours.units == 3 and ours.peephole_initializer is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": True}, "Received: units=True"),
        ({"units": "4"}, "Received: units='4'"),
        ({"units": 0}, "Received: units=0"),
        ({"units": 2, "dropout": "0.1"}, "Received: dropout='0.1'"),
        ({"units": 2, "recurrent_dropout": None}, "recurrent_dropout=None"),
        ({"units": 2, "dropout": float("nan")}, "dropout=nan"),
    ],
)
def test_settings_that_are_none(settings, message):
    with pytest.raises(ConfigError, match=message):
        PeepholeLSTM(**settings)
