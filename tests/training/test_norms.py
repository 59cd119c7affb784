"""Gradient norms, held against unrolled nets, NumPy and what must vanish."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.layers import PeepholeLSTM
from toolkit.models.recurrent import CELLS
from toolkit.training import GradientNorms, gradient_norms
from toolkit.training.norms import stepwise

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
layers = keras.layers
each_cell = pytest.mark.parametrize("cell", CELLS)


def randomize(model, seed=1, size=0.6):
    """Distinct random weights, biases and peepholes too."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.normal(0, size, w.shape) for w in model.get_weights()]
    )
    return model


def given(batch=BATCH, time=TIME, seed=0):
    """Sequences, and what weighs the outputs in the loss."""
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(batch, time, FEATURES)),
        rng.normal(size=(batch, UNITS)),
    )


def product(targets, outputs):
    return tf.reduce_sum(targets * outputs)


def one_layer(layer, masked=False):
    x = keras.Input((None, FEATURES), dtype=layer.dtype)
    y = layers.Masking(-1.0, dtype=layer.dtype)(x) if masked else x
    return randomize(keras.Model(x, layer(y)))


@each_cell
def test_gradient_is_the_sum_over_the_unrolled_net(cell):
    layer = CELLS[cell](UNITS, dtype="float64", name="rnn")
    model = one_layer(layer)
    x, weights = map(tf.constant, given())
    with tf.GradientTape() as tape:
        loss = product(weights, model(x, training=True))
    together = tape.gradient(loss, [v.value for v in layer.weights])

    # A net of six layers, each with weights of its own.
    copies = []
    for _ in range(TIME):
        copy = type(layer.cell).from_config(layer.cell.get_config())
        copy.build((BATCH, FEATURES))
        copy.set_weights(layer.cell.get_weights())
        copies.append(copy)
    states = layer.cell.get_initial_state(BATCH)
    with tf.GradientTape() as tape:
        states = keras.tree.flatten(states)
        for step, copy in enumerate(copies):
            output, states = copy(x[:, step], states)
        unrolled = product(weights, output)
    parts = tape.gradient(
        unrolled, [[v.value for v in copy.weights] for copy in copies]
    )
    assert float(loss) == pytest.approx(float(unrolled), rel=1e-12)
    sums = [sum(column) for column in zip(*parts, strict=True)]
    for found, expected in zip(together, sums, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    norms = gradient_norms(model, x, weights, product)
    assert norms["layers/rnn"] == pytest.approx(
        float(tf.linalg.global_norm(sums)), rel=1e-6
    )
    assert set(norms) == {"layers/rnn", "steps/rnn"}


def test_steps_of_an_elman_net_are_those_of_numpy():
    layer = layers.SimpleRNN(UNITS, name="rnn", dtype="float64")
    model = one_layer(layer)
    kernel, recurrent, bias = layer.get_weights()
    x, weights = given()
    states = [np.zeros((BATCH, UNITS))]
    for step in range(TIME):
        states.append(
            np.tanh(x[:, step] @ kernel + states[-1] @ recurrent + bias)
        )
    gradient, expected = weights, []
    for state in states[:0:-1]:
        expected.append(np.linalg.norm(gradient, axis=1).mean())
        gradient = (gradient * (1 - state**2)) @ recurrent.T
    found = gradient_norms(model, x, weights, product)["steps/rnn"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert len(set(expected)) == TIME


def factors(layer, scale, time=30):
    """What the gradient is multiplied by at each step back."""
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, layer(x))
    layer.cell.recurrent_kernel.assign(
        scale * np.tile(np.eye(UNITS), len(layer.get_weights()[1][0]) // UNITS)
    )
    x, weights = given(time=time)
    found = gradient_norms(
        model, x.astype("float32"), weights.astype("float32"), product
    )["steps/rnn"]
    assert found.shape == (time,) and (found > 0).all()
    return found[1:] / found[:-1]


def test_elman_net_vanishes_with_small_weights_and_explodes_with_large():
    linear = {"activation": "linear", "name": "rnn"}
    np.testing.assert_allclose(
        factors(layers.SimpleRNN(UNITS, **linear), 0.5), 0.5, rtol=1e-4
    )
    np.testing.assert_allclose(
        factors(layers.SimpleRNN(UNITS, **linear), 1.5), 1.5, rtol=1e-4
    )
    assert np.all(factors(layers.SimpleRNN(UNITS, name="rnn"), 0.5) < 0.51)


@pytest.mark.parametrize("make", [layers.LSTM, PeepholeLSTM])
def test_open_forget_gates_carry_the_gradient_all_the_way(make):
    bias = np.zeros(4 * UNITS)
    bias[UNITS : 2 * UNITS] = 20.0
    found = factors(
        make(
            UNITS,
            name="rnn",
            unit_forget_bias=False,
            bias_initializer=lambda shape, dtype=None: tf.constant(bias, dtype),
        ),
        0.1,
    )
    # The first step back drops h; from there on c hands the error on.
    assert 0.9 < np.prod(found[1:]) < 2
    closed = factors(make(UNITS, name="rnn", unit_forget_bias=False), 0.1)
    assert np.prod(closed[1:]) < 1e-3


@each_cell
def test_padding_hands_the_gradient_on(cell):
    x, weights = given()
    padded = np.concatenate([x, np.full((BATCH, 2, FEATURES), -1.0)], axis=1)
    layer = CELLS[cell](UNITS, dtype="float64", name="rnn")
    plain = gradient_norms(one_layer(layer), x, weights, product)
    layer = CELLS[cell](UNITS, dtype="float64", name="rnn")
    masked = gradient_norms(one_layer(layer, True), padded, weights, product)
    steps = plain["steps/rnn"]
    np.testing.assert_allclose(
        masked["steps/rnn"], [steps[0], steps[0], *steps], rtol=1e-6
    )
    assert masked["layers/rnn"] == pytest.approx(plain["layers/rnn"], rel=1e-6)


class Projected(layers.Layer):
    """A cell whose output is not its state."""

    def __init__(self, **options):
        super().__init__(**options)
        self.state_size, self.output_size = UNITS, 2

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1] + UNITS, UNITS))
        self.output_kernel = self.add_weight((UNITS, 2))

    def call(self, x, states, training=False):
        h = keras.ops.tanh(
            keras.ops.concatenate([x, states[0]], axis=1) @ self.kernel
        )
        return h @ self.output_kernel, [h]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        *(lambda c=c, **o: CELLS[c](UNITS, **o) for c in CELLS),
        lambda **o: layers.RNN(Projected(), **o),
        lambda **o: layers.RNN(
            layers.LSTMCell(UNITS), **o, zero_output_for_mask=True
        ),
        lambda **o: layers.Bidirectional(layers.GRU(UNITS, **o)),
        lambda **o: layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], **o),
    ],
    ids=[*CELLS, "projected", "zeros", "bidirectional", "stacked_cells"],
)
def test_step_by_step_the_outputs_are_the_same(make, masked):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4, TIME, FEATURES)).astype("float32")
    if masked:
        values[0, 3:] = values[1, :2] = values[2, [1, 4]] = values[3] = -1
    x = keras.Input((None, FEATURES))
    y = layers.Masking(-1.0)(x) if masked else x
    model = randomize(
        keras.Model(x, [make(return_sequences=True)(y), make()(y)])
    )
    expected = model(values)
    with stepwise(model):
        found = model(values)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_layer_that_reads_backwards_starts_at_the_first_step():
    x, weights = given()
    forward, backward = (
        gradient_norms(
            one_layer(layers.GRU(UNITS, go_backwards=b, name="rnn")),
            np.float32(x[:, :: -1 if b else 1]), np.float32(weights), product,
        )
        for b in (False, True)
    )  # fmt: skip
    for name, value in forward.items():
        np.testing.assert_allclose(backward[name], value, rtol=1e-5)


def test_both_directions_are_noted():
    x = keras.Input((None, FEATURES))
    both = layers.Bidirectional(layers.LSTM(UNITS, name="rnn"))
    model = keras.Model(x, both(x))
    both.backward_layer.set_weights(both.forward_layer.get_weights())
    sequence, weights = map(np.float32, given())
    mirrored = np.concatenate([sequence, sequence[:, ::-1]], axis=1)
    norms = gradient_norms(
        model, mirrored, np.concatenate([weights, weights], axis=1), product
    )
    for kind in ("steps", "layers"):
        one, other = (norms[f"{kind}/{d}_rnn"] for d in ("forward", "backward"))
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert len(norms) == 4


def test_layers_that_share_a_name_are_told_apart():
    def inner(name, width):
        x = keras.Input((None, width))
        y = layers.LSTM(UNITS, return_sequences=True, name="rnn")(x)
        return keras.Model(x, layers.Dense(3, name="out")(y), name=name)

    x = keras.Input((None, FEATURES))
    y = inner("second", 3)(inner("first", FEATURES)(x))
    model = keras.Model(x, layers.LSTM(UNITS, name="last")(y))
    sequence, weights = map(np.float32, given())
    norms = gradient_norms(model, sequence, weights, product)
    names = {"first/rnn", "second/rnn", "last"}
    assert {n for n in norms if n[0] == "s"} == {f"steps/{n}" for n in names}
    names |= {"first/out", "second/out"}
    assert {n for n in norms if n[0] == "l"} == {f"layers/{n}" for n in names}
    with tf.GradientTape() as tape:
        loss = product(weights, model(sequence))
    weights = model.get_layer("first").get_layer("rnn").trainable_variables
    gradients = tape.gradient(loss, [v.value for v in weights])
    assert norms["layers/first/rnn"] == pytest.approx(
        float(tf.linalg.global_norm(gradients)), rel=1e-5
    )


def test_stacked_cells_have_one_norm_together():
    x = keras.Input((None, FEATURES))
    cells = [layers.GRUCell(3), layers.LSTMCell(UNITS)]
    model = keras.Model(x, layers.RNN(cells, name="rnn")(x))
    norms = gradient_norms(model, *map(np.float32, given()), product)
    assert set(norms) == {"layers/rnn"} and norms["layers/rnn"] > 0


def test_model_is_itself_again_after_an_error():
    model = one_layer(layers.GRU(UNITS, name="rnn"))
    sequence, weights = map(np.float32, given())
    before = model(sequence)

    def broken(targets, outputs):
        raise ArithmeticError("no loss")

    with pytest.raises(ArithmeticError, match="no loss"):
        gradient_norms(model, sequence, weights, broken)
    assert all("call" not in vars(x) for x in model._flatten_layers())
    np.testing.assert_array_equal(model(sequence), before)


def test_of_answers_at_every_step_the_last_counts():
    x = keras.Input((None, FEATURES))
    y = layers.SimpleRNN(UNITS, return_sequences=True, name="rnn")(x)
    model = keras.Model(x, y)
    last = one_layer(layers.SimpleRNN(UNITS, name="rnn"))
    model.set_weights(last.get_weights())
    sequence, weights = map(np.float32, given())
    targets = np.repeat(weights[:, None], TIME, axis=1)
    found = gradient_norms(model, sequence, targets, product)
    expected = gradient_norms(last, sequence, weights, product)
    np.testing.assert_allclose(
        found["steps/rnn"], expected["steps/rnn"], rtol=1e-5
    )


def test_callback_notes_every_epoch_and_goes_on_from_its_state():
    keras.utils.set_random_seed(0)
    x = keras.Input((None, FEATURES))
    y = layers.Dense(2, name="out")(layers.LSTM(UNITS, name="rnn")(x))
    model = keras.Model(x, y)
    model.compile("sgd", "mse")
    sequence, _ = map(np.float32, given())
    targets = np.ones((BATCH, 2), np.float32)
    norms = GradientNorms(sequence, targets)
    settings = {"verbose": 0, "shuffle": False, "batch_size": 1}
    expected = [gradient_norms(model, sequence, targets)]
    model.fit(sequence, targets, epochs=2, callbacks=[norms], **settings)
    expected.append(gradient_norms(model, sequence, targets))
    arrays = norms.arrays()
    assert {k: v.shape for k, v in arrays.items()} == {
        "steps/rnn": (3, TIME), "layers/rnn": (3,), "layers/out": (3,),
    }  # fmt: skip
    for name, values in arrays.items():
        np.testing.assert_array_equal(values[0], expected[0][name])
        np.testing.assert_array_equal(values[-1], expected[1][name])
    other = GradientNorms(sequence, targets)
    other.restore(norms.state())
    model.fit(sequence, targets, epochs=1, callbacks=[other], **settings)
    for name, values in other.arrays().items():
        assert len(values) == 4
        np.testing.assert_array_equal(values[:3], arrays[name])


def answering(masked=True):
    """A model that answers at every step, with a loss of Keras'."""
    x = keras.Input((None, FEATURES))
    y = layers.Masking(-1.0)(x) if masked else x
    y = layers.GRU(UNITS, return_sequences=True, name="rnn")(y)
    model = randomize(keras.Model(x, layers.Dense(UNITS, name="out")(y)))
    model.compile(loss="mse")
    return model


def test_a_last_step_that_is_padding_is_left_out_as_keras_does():
    model = answering()
    sequence, _ = map(np.float32, given())
    targets = np.random.default_rng(3).normal(size=(BATCH, TIME, UNITS))
    targets = targets.astype("float32")
    sequence[0, 4:] = -1
    expected = gradient_norms(model, sequence, targets)
    targets[0, -1] = 1e4  # what stands beside padding
    found = gradient_norms(model, sequence, targets)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    # Keras' own masked loss, of which no step but the last counts.
    weights = np.zeros((BATCH, TIME), np.float32)
    weights[:, -1] = 1
    with tf.GradientTape() as tape:
        outputs = model(sequence)
        loss = model.compute_loss(sequence, targets, outputs, weights)
    variables = model.get_layer("rnn").trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    # It divides by all steps that count, we by those that are last.
    counted = (BATCH * TIME - 2) / (BATCH - 1)
    assert found["layers/rnn"] == pytest.approx(
        counted * float(tf.linalg.global_norm(gradients)), rel=1e-4
    )
    # Those that count are alone in a batch of their own.
    alone = gradient_norms(model, sequence[1:], targets[1:])
    assert found["layers/out"] == pytest.approx(alone["layers/out"], rel=1e-5)
    with_loss = gradient_norms(
        model, sequence, targets, keras.losses.MeanSquaredError()
    )
    assert with_loss["layers/rnn"] == pytest.approx(found["layers/rnn"])


def test_a_batch_that_ends_in_padding_is_refused():
    sequence, _ = map(np.float32, given())
    sequence[:, -1] = -1
    targets = np.zeros((BATCH, TIME, UNITS), np.float32)
    with pytest.raises(ConfigError, match="ends in padding.*Cut the steps"):
        gradient_norms(answering(), sequence, targets)
    gradient_norms(answering(masked=False), sequence, targets)


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_several_outputs_are_refused(kind):
    x = keras.Input((None, FEATURES))
    y = layers.GRU(UNITS, name="rnn")(x)
    outputs = {"a": y, "b": layers.Dense(2)(y)}
    if kind is not dict:
        outputs = kind(outputs.values())
    model = keras.Model(x, outputs, name="two")
    model.compile(loss="mse")
    sequence, weights = map(np.float32, given())
    message = f'one output.*The model "two" returns a {kind.__name__}.*Measure'
    with pytest.raises(ConfigError, match=message):
        gradient_norms(model, sequence, [weights, weights[:, :2]])
    assert all("call" not in vars(layer) for layer in model._flatten_layers())


def test_targets_that_do_not_fit_are_refused():
    sequence, weights = map(np.float32, given())
    model = one_layer(layers.GRU(UNITS, name="rnn"))
    with pytest.raises(ConfigError, match="one tensor `y`.*of type dict"):
        gradient_norms(model, sequence, {"rnn": weights}, product)
    model = answering()
    with pytest.raises(ConfigError, match="each of 6 steps.*shape \\(3,\\)"):
        gradient_norms(model, sequence, weights[:, 0])
    with pytest.raises(ConfigError, match="each of 6 steps.*shape \\(3, 5\\)"):
        gradient_norms(model, sequence, weights)
