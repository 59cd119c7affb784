"""State carried from window to window: where it begins, what cannot have it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.models import language_model
from toolkit.training import (
    CarriedState,
    reset_carried_state,
    with_carried_state,
)

layers = keras.layers
FEATURES = 3


def text(length, seed=0):
    return np.random.default_rng(seed).integers(0, 9, (2, length))


def large(model):
    """Gives a model weights with which its state has a say."""
    rng = np.random.default_rng(1)
    model.set_weights(
        [rng.normal(0, 0.7, w.shape) for w in model.get_weights()]
    )
    return model


def states(model):
    return [
        np.asarray(state)
        for layer in model._flatten_layers()
        if isinstance(layer, layers.RNN)
        for state in keras.tree.flatten(layer.states)
    ]


@pytest.fixture
def twin():
    """A model that carries its state, and that training does not change."""
    model = large(language_model(9, "gru", units=4, embedding=3))
    twin = with_carried_state(model, 2)
    twin.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return twin


def windows(tokens, size=4):
    """Batches of one sequence, each with what comes next."""
    starts = range(0, tokens.shape[1] - 1, size)
    x = [tokens[:, i : i + size] for i in starts]
    y = [tokens[:, i + 1 : i + size + 1] for i in starts]
    return tf.data.Dataset.from_tensor_slices((np.stack(x), np.stack(y)))


def loss_of(twin, batches):
    reset_carried_state(twin)
    return twin.evaluate(batches, verbose=0)


def test_epochs_and_validations_begin_anew(twin):
    train, validation = windows(text(13)), windows(text(9, seed=1))
    expected = loss_of(twin, train), loss_of(twin, validation)
    # From where the training text ends, the validation text is another one.
    loss_of(twin, train)
    assert abs(twin.evaluate(validation, verbose=0) - expected[1]) > 1e-3
    fitted = twin.fit(
        train,
        epochs=3,
        validation_data=validation,
        shuffle=False,
        callbacks=[CarriedState()],
        verbose=0,
    ).history
    np.testing.assert_allclose(fitted["loss"], expected[0], rtol=1e-5)
    np.testing.assert_allclose(fitted["val_loss"], expected[1], rtol=1e-5)


def test_state_goes_on_within_an_epoch(twin):
    train = windows(text(13))
    whole = text(13)
    model = language_model(9, "gru", units=4, embedding=3)
    model.set_weights(twin.get_weights())
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    expected = model.evaluate(whole[:, :-1], whole[:, 1:], verbose=0)
    fitted = twin.fit(
        train, callbacks=[CarriedState()], shuffle=False, verbose=0
    ).history
    assert fitted["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_between_epochs_there_is_no_state_to_remember(twin):
    callback = CarriedState()
    callback.set_model(twin)
    twin(text(3))
    assert callback.state() is None
    callback.restore(None)
    callback.on_epoch_begin(1)
    assert all(not state.any() for state in states(twin))


def test_a_twin_begins_with_no_state(twin):
    assert all(not state.any() for state in states(twin))
    again = with_carried_state(twin, 1)
    twin(text(3))
    before = states(twin)
    assert all(state.any() for state in before)
    # A twin of a twin leaves the state of the first as it is.
    with_carried_state(twin, 3)
    for a, b in zip(states(twin), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [state.shape for state in states(again)] == [(1, 4)]


@pytest.mark.parametrize(
    "streams", [0, -2, True, 2.5, None, "3", float("nan"), [1]]
)
def test_streams_must_be_a_positive_integer(streams):
    model = language_model(9, units=4, embedding=3)
    with pytest.raises(ConfigError, match="`streams`.*Received: streams="):
        with_carried_state(model, streams)


def test_streams_may_be_an_integer_of_numpy():
    model = language_model(9, units=4, embedding=3)
    twin = with_carried_state(model, np.int64(2))
    assert twin.input_shape == (2, None)


@keras.saving.register_keras_serializable("tests")
class Hiding(layers.Layer):
    """A layer that builds its recurrent layer by itself."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.inner = layers.GRU(units, return_sequences=True, name="inner")

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.inner = layers.GRU(4)

    def call(self, x):
        return self.inner(x)


def functional(make):
    x = keras.Input((None, FEATURES))
    y = make(x)
    return keras.Model(x, y, name="mine")


def hidden():
    return functional(Hiding(4))


def started():
    x, h = keras.Input((None, FEATURES)), keras.Input((4,))
    return keras.Model([x, h], layers.GRU(4, name="reader")(x, initial_state=h))


def started_by_position():
    x, h = keras.Input((None, FEATURES)), keras.Input((4,))
    return keras.Model([x, h], layers.GRU(4, name="reader")(x, h))


def started_inside():
    x, h = keras.Input((None, FEATURES)), keras.Input((4,))
    return keras.Model([x, h], started()([x, h]))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 2, FEATURES)))
    return model


def convolved():
    return functional(
        lambda x: layers.GRU(4, return_sequences=True)(
            layers.Conv1D(5, 3, padding="causal")(x)
        )
    )


def shortened():
    return functional(lambda x: layers.GRU(4)(layers.Conv1D(5, 4)(x)))


def pooled():
    return functional(
        lambda x: layers.GlobalAveragePooling1D()(
            layers.GRU(4, return_sequences=True)(x)
        )
    )


def shared():
    layer = layers.GRU(FEATURES, return_sequences=True)
    return functional(lambda x: layer(layer(x)))


def within_a_step():
    x = keras.Input((None, 6, FEATURES))
    y = layers.TimeDistributed(layers.GRU(4))(x)
    return keras.Model(x, layers.GRU(4, return_sequences=True)(y))


def unbuilt():
    return keras.Sequential([layers.GRU(4)], name="later")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (hidden, 'layer "hiding.*inner" is built by the class around it.*Put'),
        (started, '"reader" begins every call with a given `initial_state`'),
        (started_by_position, '"reader" begins every call with a given'),
        (started_inside, '"reader" begins every call with a given'),
        (subclassed, 'model "subclassed" is a Subclassed.*Functional'),
        (convolved, '"mine" gives something else window by window.*convol'),
        (shortened, '"mine" gives something else window by window.*convol'),
        (pooled, '"mine" gives something else window by window.*pooling'),
        (shared, '"mine" gives something else window.*shares a recurrent'),
        (within_a_step, "gives something else window by window"),
        (unbuilt, '"later" has no weights yet.*keras.Input'),
    ],
)
def test_a_model_that_would_not_carry_is_refused(make, message):
    # Some weights let windows differ by less than rounding may.
    keras.utils.set_random_seed(0)
    with pytest.raises(ConfigError, match=message):
        with_carried_state(make(), 2)


def masked():
    x = keras.Input((None,), dtype="int32")
    y = layers.Embedding(5, 3, mask_zero=True)(x)
    return keras.Model(x, layers.LSTM(4, return_sequences=True)(y))


def floating_tokens():
    x = keras.Input((None,))
    y = layers.Embedding(5, 3)(x)
    return keras.Model(x, layers.LSTM(4, return_sequences=True)(y))


def by_name():
    x, style = keras.Input((None, 3), name="x"), keras.Input((2,), name="a")
    y, h = layers.GRU(5, return_sequences=True, return_state=True)(x)
    h = layers.Concatenate()([h, style])
    return keras.Model({"x": x, "a": style}, {"steps": y, "end": h})


def nested():
    inner = functional(layers.SimpleRNN(4, return_sequences=True))
    x = keras.Input((None, FEATURES))
    return keras.Model(x, layers.LSTM(5)(inner(x)))


def sequential():
    return keras.Sequential(
        [keras.Input((None, 3)), layers.GRU(4), layers.Dense(5)]
    )


def half():
    return functional(
        layers.LSTM(16, return_sequences=True, dtype="mixed_bfloat16")
    )


def of_one_length():
    x = keras.Input((4, FEATURES))
    return keras.Model(x, layers.GRU(4)(x))


@pytest.mark.parametrize(
    "make",
    [
        masked,
        floating_tokens,
        by_name,
        nested,
        sequential,
        half,
        of_one_length,
    ],
)
def test_a_model_that_carries_is_taken(make):
    twin = with_carried_state(large(make()), 2)
    assert all(not state.any() for state in states(twin))
    assert all(shape.shape[0] == 2 for shape in twin.inputs)


def test_padding_is_not_taken_for_mixing():
    # A window that begins with padding shows zeros; Keras' losses mind it.
    with_carried_state(large(masked()), 64)


def test_weights_that_are_no_numbers_are_not_taken_for_mixing():
    model = language_model(9, units=4, embedding=3)
    model.set_weights([w * np.nan for w in model.get_weights()])
    with_carried_state(model, 1)
