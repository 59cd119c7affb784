"""Every cell in every form, for the tests of all formats."""

import keras
import pytest
import tensorflow as tf

from toolkit.layers import PeepholeLSTM

FEATURES, UNITS = 4, 3
layers = keras.layers


def gru_reset_before(units, **options):
    return layers.GRU(units, reset_after=False, **options)


CELLS = {
    "elman": (layers.SimpleRNN, "RNN", 1),
    "lstm": (layers.LSTM, "LSTM", 2),
    "gru": (layers.GRU, "GRU", 1),
    "gru_reset_before": (gru_reset_before, "GRU", 1),
    "peephole_lstm": (PeepholeLSTM, "LSTM", 2),
}
each_cell = pytest.mark.parametrize("cell", CELLS)


def each_cell_slowly(*quick):
    """Parametrizes a test of seconds: but for some cells it is slow.

    The forms are lowered in one place for all cells; what is a cell's own is
    tested quickly for each of them in test_recurrent_cells.py.

    Args:
        quick: the cells of `make test`.
    """
    return pytest.mark.parametrize(
        "cell",
        [
            pytest.param(cell, marks=() if cell in quick else pytest.mark.slow)
            for cell in CELLS
        ],
    )


def forms(make, states, x, **given):
    """Every form of a layer, as outputs of one model; and how many layers."""
    full = {"return_sequences": True}

    def stacked():
        return make(2, **full)(make(UNITS, **full)(x, **given), **given)

    h = [keras.Input((UNITS,), name=f"state_{i}") for i in range(states)]
    outputs = {
        "plain": make(UNITS, **full)(x, **given),
        "last": make(UNITS)(x, **given),
        "stacked": stacked(),
        "bidirectional": layers.Bidirectional(make(UNITS, **full))(x, **given),
        "bidirectional_last": layers.Bidirectional(make(UNITS))(x, **given),
        "backwards": make(UNITS, go_backwards=True, **full)(x, **given),
        "backwards_last": make(UNITS, go_backwards=True)(x, **given),
        "with_state": make(UNITS, return_state=True, **full)(x, **given),
        "from_state": make(UNITS, return_state=True)(
            x, initial_state=h, **given
        ),
        "backwards_from_state": make(
            UNITS, return_state=True, go_backwards=True, **full
        )(x, initial_state=h, **given),
    }
    return h, outputs, 13


def compiled(model):
    """The Keras model as one graph for all sizes; eager loops are slow."""
    return tf.function(
        lambda given: model(given, training=False),
        input_signature=[
            {t.name: tf.TensorSpec(t.shape, t.dtype) for t in model.inputs}
        ],
    )


@keras.saving.register_keras_serializable("tests")
class Louder(layers.LSTM):
    """A subclass with its own `call`, which is no LSTM."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(2 * sequences, initial_state, mask, training)
