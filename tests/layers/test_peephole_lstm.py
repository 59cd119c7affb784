"""The peephole LSTM against NumPy, ONNX's reference, and its own cell."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper
from onnx.reference import ReferenceEvaluator

from toolkit.errors import ConfigError
from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell

BATCH, TIME, FEATURES, UNITS = 3, 7, 4, 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recurrence(x, weights, hidden, cell, mask):
    """The equations of Gers et al., step by step; outputs, h and c."""
    kernel, recurrent, bias, peepholes = (
        weights[name]
        for name in ("kernel", "recurrent_kernel", "bias", "peephole_kernel")
    )
    w_i, w_f, w_c, w_o = np.split(kernel, 4, axis=1)
    r_i, r_f, r_c, r_o = np.split(recurrent, 4, axis=1)
    b_i, b_f, b_c, b_o = np.split(bias, 4)
    p_i, p_f, p_o = peepholes
    outputs, shown = [], np.zeros_like(hidden)
    for t in range(x.shape[1]):
        v = x[:, t]
        i = sigmoid(v @ w_i + hidden @ r_i + p_i * cell + b_i)
        f = sigmoid(v @ w_f + hidden @ r_f + p_f * cell + b_f)
        new_cell = f * cell + i * np.tanh(v @ w_c + hidden @ r_c + b_c)
        o = sigmoid(v @ w_o + hidden @ r_o + p_o * new_cell + b_o)
        new_hidden = o * np.tanh(new_cell)
        counts = mask[:, t, None]
        hidden = np.where(counts, new_hidden, hidden)
        cell = np.where(counts, new_cell, cell)
        shown = np.where(counts, new_hidden, shown)
        outputs.append(shown)
    return np.stack(outputs, axis=1), hidden, cell


@pytest.fixture
def given():
    """Random inputs, non-zero states, a mask with holes and an empty row."""
    rng = np.random.default_rng(0)
    mask = rng.random((BATCH, TIME)) < 0.6
    mask[0] = False
    return {
        "x": rng.normal(size=(BATCH, TIME, FEATURES)),
        "hidden": rng.normal(size=(BATCH, UNITS)),
        "cell": rng.normal(size=(BATCH, UNITS)),
        "mask": mask,
    }


def randomize(layer, seed=1):
    """Gives a float64 layer distinct weights; returns them by name."""
    layer.build((None, TIME, FEATURES))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.weights])
    return {w.name: w.numpy() for w in layer.weights}


def make(**options):
    return PeepholeLSTM(
        UNITS,
        return_sequences=True,
        return_state=True,
        dtype="float64",
        **options,
    )


def call(layer, given, masked):
    return layer(
        tf.constant(given["x"]),
        initial_state=[tf.constant(given[n]) for n in ("hidden", "cell")],
        mask=tf.constant(given["mask"]) if masked else None,
    )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"go_backwards": True}, {"unroll": True}]
)
def test_layer_is_the_recurrence(given, masked, options):
    layer = make(**options)
    weights = randomize(layer)
    turn = -1 if layer.go_backwards else 1
    counts = given["mask"] if masked else np.ones((BATCH, TIME), bool)
    expected = recurrence(
        given["x"][:, ::turn], weights, given["hidden"], given["cell"],
        counts[:, ::turn],
    )  # fmt: skip
    for found, wanted in zip(call(layer, given, masked), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_every_peephole_counts(given, row):
    layer = make()
    weights = randomize(layer)
    without = weights["peephole_kernel"].copy()
    without[row] = 0
    expected = recurrence(
        given["x"], weights | {"peephole_kernel": without},
        given["hidden"], given["cell"], np.ones((BATCH, TIME), bool),
    )  # fmt: skip
    outputs, *_ = call(layer, given, False)
    assert np.abs(outputs - expected[0]).max() > 1e-3
    layer.cell.peephole_kernel.assign(without)
    np.testing.assert_allclose(
        call(layer, given, False)[0], expected[0], atol=1e-12
    )


def test_without_peepholes_it_is_the_lstm(given):
    ours, theirs = make(), keras.layers.LSTM(
        UNITS, return_sequences=True, return_state=True, dtype="float64"
    )  # fmt: skip
    weights = randomize(ours)
    ours.cell.peephole_kernel.assign(np.zeros((3, UNITS)))
    theirs.build((None, TIME, FEATURES))
    theirs.set_weights(
        [weights[n] for n in ("kernel", "recurrent_kernel", "bias")]
    )
    for a, b in zip(
        call(ours, given, True), call(theirs, given, True), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_onnx_reference_agrees(given):
    """ONNX's own definition of P, with gates in its order i, o, f, c."""
    layer = make()
    weights = randomize(layer)

    def gates(array):
        i, f, c, o = np.split(array, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1).T[None]

    p_i, p_f, p_o = weights["peephole_kernel"]
    bias = gates(weights["bias"][None])[:, :, 0]
    values = {
        "X": given["x"].transpose(1, 0, 2),
        "W": gates(weights["kernel"]),
        "R": gates(weights["recurrent_kernel"]),
        "B": np.concatenate([bias, np.zeros_like(bias)], axis=1),
        "H": given["hidden"][None],
        "C": given["cell"][None],
        "P": np.concatenate([p_i, p_o, p_f])[None],
    }
    graph = helper.make_graph(
        [
            helper.make_node(
                "LSTM",
                ["X", "W", "R", "B", "", "H", "C", "P"],
                ["Y"],
                hidden_size=UNITS,
            )
        ],
        "reference",
        [
            helper.make_tensor_value_info(n, onnx.TensorProto.DOUBLE, v.shape)
            for n, v in values.items()
        ],
        [helper.make_tensor_value_info("Y", onnx.TensorProto.DOUBLE, None)],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    (found,) = ReferenceEvaluator(model).run(None, values)
    np.testing.assert_allclose(
        call(layer, given, False)[0],
        found[:, 0].transpose(1, 0, 2),
        atol=1e-12,
    )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_those_of_the_cell_step_by_step(
    given, masked, backwards, training
):
    ours = make(go_backwards=backwards)
    weights = randomize(ours)
    stepped = keras.layers.RNN(
        PeepholeLSTMCell(UNITS, dtype="float64"),
        return_sequences=True, return_state=True, go_backwards=backwards,
        dtype="float64",
    )  # fmt: skip
    stepped.build((None, TIME, FEATURES))
    stepped.set_weights(list(weights.values()))
    rng = np.random.default_rng(5)
    share = tf.constant(rng.normal(size=(BATCH, TIME, UNITS)))

    def gradients(layer):
        point = {n: tf.constant(given[n]) for n in ("x", "hidden", "cell")}
        with tf.GradientTape() as tape:
            tape.watch(point)
            outputs, hidden, cell = layer(
                point["x"],
                initial_state=[point["hidden"], point["cell"]],
                mask=tf.constant(given["mask"]) if masked else None,
                training=training,
            )
            # Every output and both last states have a share in the loss.
            loss = tf.reduce_sum(outputs * share) + tf.reduce_sum(
                hidden**2 + cell**3
            )
        return tape.gradient(
            loss, [*point.values(), *layer.trainable_variables]
        )

    for a, b in zip(gradients(ours), gradients(stepped), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


def test_gradients_with_dropout_are_those_of_central_differences(given):
    layer = PeepholeLSTM(
        UNITS, dropout=0.3, recurrent_dropout=0.4, seed=3, dtype="float64",
        return_sequences=True,
    )  # fmt: skip
    randomize(layer)
    x = tf.constant(given["x"])
    generators = [layer.cell.seed_generator]

    def loss():
        for generator in generators:
            generator.state.assign([3, 0])  # the same draw every time
        return tf.reduce_sum(layer(x, training=True) ** 2)

    with tf.GradientTape() as tape:
        value = loss()
    found = tape.gradient(value, layer.trainable_variables)
    assert abs(float(value - tf.reduce_sum(layer(x) ** 2))) > 1e-3
    rng = np.random.default_rng(6)
    for variable, gradient in zip(
        layer.trainable_variables, found, strict=True
    ):
        before, way = variable.numpy(), rng.normal(size=variable.shape)
        sides = []
        for step in (1e-6, -1e-6):
            variable.assign(before + step * way)
            sides.append(float(loss()))
        variable.assign(before)
        np.testing.assert_allclose(
            np.sum(gradient * way), (sides[0] - sides[1]) / 2e-6, rtol=1e-6
        )


def test_recurrent_dropout_is_one_draw_for_a_sequence():
    layer = PeepholeLSTM(64, recurrent_dropout=0.5, seed=0)
    layer(np.ones((2, 6, 3), "float32"))
    drawn = layer.cell.get_recurrent_dropout_mask(tf.ones((2, 64)))
    assert set(np.unique(drawn)) == {0.0, 2.0}
    assert layer.cell.get_recurrent_dropout_mask(tf.ones((2, 64))) is drawn


def test_cell_drops_its_inputs_in_training_alone():
    cell = PeepholeLSTMCell(UNITS, dropout=0.5, seed=0)
    x, zeros = np.ones((3, 4), "float32"), np.zeros((3, UNITS), "float32")
    whole, _ = cell(x, [zeros, zeros])
    mask = cell.get_dropout_mask(x)
    assert set(np.unique(mask)) == {0.0, 2.0}
    dropped, _ = cell(x, [zeros, zeros], training=True)
    np.testing.assert_array_equal(dropped, cell(x * mask, [zeros, zeros])[0])
    assert np.abs(dropped - whole).max() > 1e-3


def test_stateful_layer_goes_on_where_it_stopped(given):
    layer = PeepholeLSTM(UNITS, stateful=True, return_sequences=True)
    x = given["x"].astype("float32")
    parts = [layer(x[:, :3]), layer(x[:, 3:])]
    layer.reset_state()
    np.testing.assert_allclose(
        np.concatenate(parts, axis=1), layer(x), atol=1e-6
    )


# Slow: three trainings; the contract trains and saves a single layer, and the
# quick tests of export have it in both directions.
@pytest.mark.slow
def test_stacked_bidirectional_model_trains_and_survives_saving(
    given, tmp_path
):
    keras.utils.set_random_seed(0)
    x = keras.Input((None, FEATURES))
    y = keras.layers.Masking()(x)
    y = keras.layers.Bidirectional(
        PeepholeLSTM(UNITS, return_sequences=True, dropout=0.1)
    )(y)
    y = PeepholeLSTM(
        3,
        kernel_regularizer="l2",
        peephole_constraint="max_norm",
        unit_forget_bias=False,
    )(y)
    model = keras.Model(x, keras.layers.Dense(1)(y))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    target = given["x"][:, :, 0].sum(axis=1)
    history = model.fit(
        given["x"], target, epochs=30, verbose=0, shuffle=False
    ).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(
        loaded.predict(given["x"], verbose=0),
        model.predict(given["x"], verbose=0),
    )
    config = loaded.layers[-2].get_config()
    assert config["unit_forget_bias"] is False
    assert config["peephole_constraint"]["class_name"] == "MaxNorm"


def test_forget_gates_begin_open():
    layer = PeepholeLSTM(2)
    layer.build((None, 3, 4))
    np.testing.assert_array_equal(
        layer.cell.bias, [0, 0, 1, 1, 0, 0, 0, 0]
    )  # i, f, c, o


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` must be a whole number of at least 1.*units=0"),
        ({"units": 2.5}, r"units=2.5 \(of type float\)"),
        ({"units": 2, "dropout": 1.0}, r"in \[0, 1\). Received: dropout=1.0"),
        ({"units": 2, "recurrent_dropout": -0.1}, "recurrent_dropout=-0.1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        PeepholeLSTM(**arguments)


def test_inputs_that_do_not_fit_are_refused(given):
    layer = PeepholeLSTM(UNITS)
    x = given["x"].astype("float32")
    with pytest.raises(ConfigError, match=r"`mask` must be.*\(3, 8\)"):
        layer(x, mask=np.ones((BATCH, TIME + 1), bool))
    with pytest.raises(ConfigError, match=r"h and c.*\(3, 5\).*\(3, 4\)"):
        layer(x, initial_state=[np.ones((3, 5)), np.ones((3, 4))])
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layer(x[0])
