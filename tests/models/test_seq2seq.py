"""The encoder-decoder: masks, inner models, ties, training."""

import keras
import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.models import seq2seq

RNG = np.random.default_rng(0)
SOURCE = np.array([[3, 4, 5, 0, 0], [6, 7, 8, 3, 4]], "int32")
TARGET = np.array([[1, 4, 5, 6], [1, 6, 0, 0]], "int32")
FORMS = {
    "gru": {"layers": 2},
    "lstm": {"attention": "additive"},
    "elman": {"attention": None},
    "peephole_lstm": {"bidirectional": False, "tied": True},
}


def built(cell, **more):
    """Returns a small model with weights that are all different."""
    model = seq2seq(9, 7, cell, 6, embedding=5, **{**FORMS[cell], **more})
    model.set_weights(
        [RNG.normal(size=w.shape) / 2 for w in model.get_weights()]
    )
    return model


def told(model, source, target):
    return np.asarray(model({"source": source, "target": target}))


@pytest.mark.parametrize("cell", FORMS)
def test_padding_of_the_source_changes_nothing(cell):
    model = built(cell)
    logits = told(model, SOURCE, TARGET)
    alone = told(model, SOURCE[:1, :3], TARGET[:1])
    np.testing.assert_allclose(logits[:1], alone, atol=1e-5)
    other = told(model, SOURCE[:1, :2], TARGET[:1])
    assert np.abs(other - alone).max() > 1e-2


@pytest.mark.parametrize("cell", FORMS)
def test_steps_of_the_decoder_equal_the_whole_target(cell):
    model = built(cell)
    encoded = dict(model.encoder(SOURCE))
    states = {key: encoded.pop(key) for key in model.states}
    if encoded:
        assert list(encoded) == ["memory"]
        encoded["source"] = keras.ops.convert_to_tensor(SOURCE)
    steps = []
    for place in range(TARGET.shape[1]):
        token = keras.ops.convert_to_tensor(TARGET[:, place : place + 1])
        found = model.decoder({"target": token, **states, **encoded})
        states = {key: found[f"{key}_next"] for key in states}
        steps.append(np.asarray(found["logits"])[:, 0])
    np.testing.assert_allclose(
        np.stack(steps, axis=1), told(model, SOURCE, TARGET), atol=1e-5
    )


def test_attention_is_that_of_the_paper():
    model = built("gru", layers=1, bidirectional=False)
    decoder = model.decoder
    encoded = model.encoder(SOURCE)
    vectors = decoder.get_layer("target_embedding")(TARGET)
    states, _ = decoder.get_layer("decoder_1")(
        vectors, initial_state=[encoded["hidden_1"]]
    )
    np.testing.assert_allclose(
        encoded["hidden_1"], encoded["memory"][:, -1], atol=1e-6
    )
    scores = np.asarray(states) @ np.swapaxes(encoded["memory"], 1, 2)
    scores[0, :, 3:] = -np.inf
    weights = np.exp(scores)
    weights /= weights.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(
        model.attention_weights(SOURCE, TARGET), weights, atol=1e-5
    )
    both = np.concatenate([weights @ encoded["memory"], states], axis=-1)
    (kernel,) = decoder.get_layer("attentional").get_weights()
    kernel_out, bias_out = decoder.get_layer("logits").get_weights()
    np.testing.assert_allclose(
        told(model, SOURCE, TARGET),
        np.tanh(both @ kernel) @ kernel_out + bias_out,
        atol=1e-5,
    )


def test_both_directions_make_the_first_states():
    model = built("lstm")
    found = model.encoder(SOURCE)
    layer = model.encoder.get_layer("encoder_1")
    vectors = model.encoder.get_layer("source_embedding")(SOURCE)
    _, forward, cell, backward, cell_back = layer(vectors)
    for key, parts, activation in (
        ("hidden_1", (forward, backward), np.tanh),
        ("cell_1", (cell, cell_back), np.asarray),
    ):
        kernel, bias = model.encoder.get_layer(f"first_{key}").get_weights()
        wanted = activation(np.concatenate(parts, axis=-1) @ kernel + bias)
        np.testing.assert_allclose(found[key], wanted, atol=1e-5)


def test_tied_output_is_the_table_of_the_target(tmp_path):
    free, tied = (built("peephole_lstm", tied=t) for t in (False, True))
    assert tied.count_params() < free.count_params()
    tied.save(tmp_path / "tied.keras")
    loaded = keras.models.load_model(tmp_path / "tied.keras")
    before = told(loaded, SOURCE, TARGET)
    np.testing.assert_array_equal(before, told(tied, SOURCE, TARGET))
    table = loaded.decoder.get_layer("target_embedding").embeddings
    table.assign(table + np.eye(7, 5, -2, dtype="float32"))  # not of 0, 1
    first = told(loaded, SOURCE, TARGET)[:, 0] - before[:, 0]
    assert np.abs(first[:, :2]).max() < 1e-6  # of the start itself
    assert np.abs(first[:, 2:]).min() > 1e-3


def test_padding_of_the_target_has_no_part_in_the_loss():
    model = built("gru")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    inputs = {"source": SOURCE, "target": TARGET}
    wanted = np.array([[4, 5, 6, 2], [6, 2, 0, 0]])
    other = np.array([[4, 5, 6, 2], [6, 2, 3, 5]])
    logits = told(model, SOURCE, TARGET)
    logits = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    taken = np.take_along_axis(logits, wanted[..., None], axis=2)[..., 0]
    value, accuracy = model.evaluate(inputs, wanted, verbose=0)
    counts = TARGET > 0
    assert value == pytest.approx(-taken[counts].mean(), rel=1e-5)
    right = (logits.argmax(axis=-1) == wanted)[counts].mean()
    assert accuracy == pytest.approx(right)
    assert model.evaluate(inputs, other, verbose=0) == [value, accuracy]


# Slow: a training; the recipe's quick test learns dates with attention.
@pytest.mark.slow
def test_model_learns_to_turn_sequences_around():
    """The accuracy by chance is 1 in 4."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    source = rng.integers(3, 7, (512, 3))
    wanted = np.concatenate([source[:, ::-1], np.full((512, 1), 2)], axis=1)
    target = np.insert(wanted[:, :-1], 0, 1, axis=1)
    model = seq2seq(7, 7, units=24, embedding=8)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        {"source": source, "target": target},
        wanted,
        batch_size=64,
        epochs=10,
        verbose=0,
    )
    assert history.history["accuracy"][-1] > 0.95
    weights = np.asarray(model.attention_weights(source[:9], target[:9]))
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "grru"}, 'Did you mean "gru"'),
        ({"attention": "dott"}, 'Did you mean "dot"'),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"units": 0}, "`units` must be a positive integer"),
        ({"layers": [2]}, "Write layers=2"),
        ({"tied": "yes"}, "`tied` must be True or False. Received: tied='yes'"),
    ],
)
def test_seq2seq_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        seq2seq(**{"source_vocabulary": 9, "target_vocabulary": 7, **arguments})


def test_weights_of_a_model_without_attention_are_refused():
    with pytest.raises(ConfigError, match="has no attention. Build it with"):
        built("elman").attention_weights(SOURCE, TARGET)
