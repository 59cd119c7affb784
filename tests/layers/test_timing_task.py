"""Gers' timing task: are two spikes 49 or 50 steps apart?"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.layers import PeepholeLSTM

SHORT, LONG = 49, 50
STEPS, UNITS, BATCH = LONG + 12, 8, 64


def sequences(count, rng):
    """Returns spikes, which distance it is, and where the second spike is."""
    longer = rng.integers(0, 2, count)
    begin = rng.integers(0, 10, count)
    end = begin + np.where(longer, LONG, SHORT)
    x = np.zeros((count, STEPS, 1), "float32")
    x[np.arange(count), begin] = x[np.arange(count), end] = 1
    return x, longer.astype("float32"), end


def train(layer_class, seed, most=8000):
    """Returns accuracy on fresh sequences, and after how many steps."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x = keras.Input((None, 1))
    recurrent = layer_class(UNITS, return_sequences=True)
    model = keras.Model(x, keras.layers.Dense(1)(recurrent(x)))
    # Gates that remember for 1 to 60 steps, as C. Tallec and Y. Ollivier
    # (2018) begin; both nets need it to learn this in minutes.
    open_gates = np.log(rng.uniform(1, STEPS, UNITS))
    bias = recurrent.cell.bias.numpy()
    bias[:UNITS], bias[UNITS : 2 * UNITS] = -open_gates, open_gates
    recurrent.cell.bias.assign(bias)
    optimizer = keras.optimizers.Adam(0.01, global_clipnorm=1.0)
    optimizer.build(model.trainable_variables)

    def answers(x, end):
        return tf.gather(model(x, training=True)[..., 0], end, batch_dims=1)

    @tf.function
    def step(x, longer, end):
        with tf.GradientTape() as tape:
            loss = tf.nn.sigmoid_cross_entropy_with_logits(
                longer, answers(x, end)
            )
        optimizer.apply(tape.gradient(loss, model.trainable_variables))

    x, longer, end = sequences(1000, np.random.default_rng(99))
    for number in range(1, most + 1):
        step(*sequences(BATCH, rng))
        if number % 400 == 0:
            right = (answers(x, end).numpy() > 0) == (longer > 0.5)
            if right.all():
                return 1.0, number
    return float(right.mean()), most


@pytest.mark.slow
def test_peephole_lstm_tells_49_steps_from_50():
    found = {
        layer.__name__: [train(layer, seed) for seed in (0, 2)]
        for layer in (PeepholeLSTM, keras.layers.LSTM)
    }
    print(found)  # the plain LSTM learns it too from such a beginning
    assert all(accuracy == 1.0 for accuracy, _ in found["PeepholeLSTM"])
