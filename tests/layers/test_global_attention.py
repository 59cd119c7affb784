"""Attention, against NumPy."""

import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.layers import GlobalAttention

RNG = np.random.default_rng(0)
SOURCE = np.array([[4, 2, 0, 3], [1, 0, 0, 0]])


def expected(scores, memory):
    """Weights and contexts of one example; True scores only."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ memory, weights


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_attention_equals_numpy_without_the_places_of_padding(score):
    width = 6 if score == "dot" else 3
    states = RNG.normal(size=(2, 5, width)).astype("float32")
    memory = RNG.normal(size=(2, 4, 6)).astype("float32")
    layer = GlobalAttention(score)
    contexts, weights = layer([states, memory, SOURCE])
    for row in range(2):
        read = SOURCE[row] > 0
        m = memory[row][read]
        if score == "dot":
            scores = states[row] @ m.T
        else:
            kernel, vector = layer.get_weights()
            both = (states[row] @ kernel)[:, None] + m[None]
            scores = (np.tanh(both) @ vector)[..., 0]
        context, wanted = expected(scores, m)
        np.testing.assert_allclose(contexts[row], context, atol=1e-5)
        np.testing.assert_allclose(
            np.asarray(weights[row])[:, read], wanted, atol=1e-5
        )
        assert not np.asarray(weights[row])[:, ~read].any()


def test_large_scores_do_not_let_padding_in():
    memory = np.full((1, 3, 2), 1e4, "float32") * [[[1], [-1], [1]]]
    states = np.full((1, 1, 2), 1e4, "float32")
    layer = GlobalAttention()
    for read, wanted in (
        ([1, 1, 0], [1, 0, 0]),
        ([0, 1, 0], [0, 1, 0]),
        ([0, 0, 0], [0, 0, 0]),
    ):
        weights = layer([states, memory, np.array([read])])[1]
        np.testing.assert_array_equal(weights[0, 0], wanted)


def test_truth_values_tell_as_well_what_was_read():
    states, memory = np.ones((2, 1, 2)), RNG.normal(size=(2, 4, 2))
    layer = GlobalAttention()
    np.testing.assert_array_equal(
        layer([states, memory, SOURCE])[1],
        layer([states, memory, SOURCE > 0])[1],
    )


def test_attention_refuses():
    with pytest.raises(ConfigError, match='Did you mean "dot"'):
        GlobalAttention("dott")
    with pytest.raises(ConfigError, match="Received: 3 and 4.*Dense.3."):
        GlobalAttention()([np.ones((1, 1, 3)), np.ones((1, 2, 4)), SOURCE])
