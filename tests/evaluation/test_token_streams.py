"""Losses of a text without TensorFlow, by a model fed chunk by chunk."""

import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import chunk_losses, token_losses

WORDS = 9
TEXT = np.random.default_rng(0).integers(0, WORDS, 203)


class Recurrence:
    """h(t) = tanh(E[token] + U h(t-1)), scores V h(t); sizes may be fixed."""

    def __init__(self, batch=None, steps=None):
        rng = np.random.default_rng(1)
        self.table, self.kernel, self.scores = (
            rng.normal(size=size) for size in ((WORDS, 5), (5, 5), (5, WORDS))
        )
        self.sizes = {"batch": batch, "steps": steps}
        self.hidden = None
        self.chunks = []

    def reset(self):
        self.hidden = None

    def read(self, tokens):
        self.chunks.append(tokens.shape)
        for wanted, got in zip(self.sizes.values(), tokens.shape, strict=True):
            assert wanted in (None, got)
        found = np.empty((*tokens.shape, WORDS))
        if self.hidden is None:
            self.hidden = np.zeros((len(tokens), 5))
        for t in range(tokens.shape[1]):
            new = self.table[tokens[:, t]] + self.hidden @ self.kernel
            self.hidden = np.tanh(new)
            found[:, t] = self.hidden @ self.scores
        return found


def expected(streams):
    """Each stream read at once from no state."""
    each = -(-(len(TEXT) - 1) // streams)
    losses = []
    for start in range(0, len(TEXT) - 1, each):
        part = TEXT[start : start + each + 1]
        logits = Recurrence().read(part[None, :-1])[0]
        shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        losses += (-np.log(shares[np.arange(len(part) - 1), part[1:]])).tolist()
    return losses


@pytest.mark.parametrize("streams", [1, 3, 8])
@pytest.mark.parametrize("batch", [None, 1, 4])
@pytest.mark.parametrize("steps", [None, 1, 7])
def test_losses_do_not_depend_on_the_sizes_of_chunks(streams, batch, steps):
    model = Recurrence(batch, steps)
    found = chunk_losses(
        model.read, model.reset, TEXT, WORDS, streams, **model.sizes
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(streams), rtol=1e-5, atol=1e-6)


def test_a_large_vocabulary_is_read_in_windows(monkeypatch):
    monkeypatch.setattr(
        "toolkit.evaluation.token_streams.LOGITS", 7 * 2 * WORDS
    )
    model = Recurrence()
    found = chunk_losses(model.read, model.reset, TEXT, WORDS, 2)
    assert max(model.chunks) == (2, 7)
    np.testing.assert_allclose(found, expected(2), rtol=1e-5, atol=1e-6)


def test_impossible_tokens_cost_infinitely_and_large_scores_do_not_overflow():
    scores = np.array([[0, 1e30], [-1e30, 0]], np.float32)
    found = chunk_losses(
        lambda tokens: scores[tokens], lambda: None, [0, 1, 1, 0], 2, 1
    )
    np.testing.assert_array_equal(found, np.float32([0, 0, 1e30]))


@pytest.mark.parametrize(
    ("tokens", "streams", "error", "message"),
    [
        ([3], 8, DataError, "at least two tokens.*Received: 1"),
        ([3, 9], 8, DataError, "knows the tokens 0 to 8.*Received: 3 to 9"),
        ([3, 4], 0, ConfigError, "streams=0"),
    ],
)
def test_what_cannot_be_measured_is_refused(tokens, streams, error, message):
    model = Recurrence()
    with pytest.raises(error, match=message):
        chunk_losses(model.read, model.reset, tokens, WORDS, streams)


def test_a_keras_model_has_the_same_losses():
    from toolkit.models import language_model
    from toolkit.training import reset_carried_state, with_carried_state

    model = language_model(WORDS, "lstm", units=6, embedding=4)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    twin = with_carried_state(model, 4)
    found = chunk_losses(
        lambda tokens: twin(tokens, training=False).numpy(),
        lambda: reset_carried_state(twin),
        TEXT,
        WORDS,
        batch=4,
        steps=9,
    )
    np.testing.assert_allclose(found, token_losses(model, TEXT), atol=1e-5)
