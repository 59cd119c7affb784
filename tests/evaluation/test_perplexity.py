"""Exact losses of a language model, token by token."""

import keras
import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import perplexity_metrics, token_losses
from toolkit.models import language_model

WORDS = 9
TEXT = np.random.default_rng(0).integers(0, WORDS, 200)
KINDS = {
    "softmax": {},
    "tied": {"tied": True},
    "sampled": {"objective": "sampled_softmax", "sampled": 2},
    "hierarchical": {
        "objective": "hierarchical_softmax",
        "counts": [9, 8, 7, 6, 5, 4, 3, 2, 1],
    },
}


def make(kind):
    keras.utils.set_random_seed(1)
    model = language_model(
        WORDS, "peephole_lstm", 6, 2, embedding=6, dropout=0.5, **KINDS[kind]
    )
    rng = np.random.default_rng(2)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return model


@pytest.mark.parametrize(
    "kind",
    [  # Slow: kinds that answer with logits, as the tied one does.
        pytest.param("softmax", marks=pytest.mark.slow),
        "tied",
        pytest.param("sampled", marks=pytest.mark.slow),
        "hierarchical",
    ],
)
def test_one_stream_is_the_whole_text_at_once(kind):
    model = make(kind)
    logits = np.asarray(model(TEXT[None, :-1])[0], float)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -logits[np.arange(199), TEXT[1:]]
    np.testing.assert_allclose(
        token_losses(model, TEXT, streams=1), expected, atol=1e-4
    )


def test_streams_begin_without_a_state_and_lose_no_token():
    model = make("tied")
    found = token_losses(model, TEXT, streams=8)
    assert found.shape == (199,)
    for start in range(0, 199, 25):  # ceil(199 / 8) tokens each
        np.testing.assert_allclose(
            found[start : start + 25],
            token_losses(model, TEXT[start : start + 26], streams=1),
            atol=1e-5,
        )


def test_windows_of_a_large_vocabulary_carry_the_state(monkeypatch):
    model = make("softmax")
    whole = token_losses(model, TEXT, streams=2)
    monkeypatch.setattr(
        "toolkit.evaluation.token_streams.LOGITS", 7 * 2 * WORDS
    )
    np.testing.assert_allclose(
        token_losses(model, TEXT, streams=2), whole, atol=1e-5
    )


def test_metrics():
    found = perplexity_metrics(np.log([2.0, 8.0], dtype="float32"))
    assert found["perplexity"] == pytest.approx(4)
    assert found["loss"] == pytest.approx(np.log(4))
    assert np.isfinite(perplexity_metrics(np.array([1e6]))["perplexity"])


def test_texts_that_cannot_be_measured_are_refused():
    model = make("softmax")
    with pytest.raises(DataError, match="at least two tokens.*Received: 1"):
        token_losses(model, [3])
    with pytest.raises(DataError, match="knows the tokens 0 to 8.*0 to 9"):
        token_losses(model, np.arange(10))
    with pytest.raises(ConfigError, match="streams=0"):
        token_losses(model, TEXT, streams=0)
