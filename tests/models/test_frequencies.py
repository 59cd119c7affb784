"""Outputs that begin with the frequencies of their tokens."""

import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.models import language_model, seq2seq

COUNTS = np.array([0, 5, 3, 2])  # the first one counts as 1
SHARES = np.log(np.array([1, 5, 3, 2]) / 11)
SIZES = {"units": 4, "embedding": 4}


def output_of_language_model(counts, **options):
    model = language_model(4, "gru", **SIZES, counts=counts, **options)
    return model.get_layer("logits")


def output_of_seq2seq(counts, **options):
    model = seq2seq(7, 4, "gru", **SIZES, counts=counts, **options)
    return model.decoder.get_layer("logits")


@pytest.mark.parametrize(
    "output", [output_of_language_model, output_of_seq2seq]
)
@pytest.mark.parametrize("tied", [False, True])
def test_bias_begins_at_the_logarithms_of_the_shares(output, tied):
    bias = np.asarray(output(COUNTS, tied=tied).bias)
    np.testing.assert_allclose(bias, SHARES, rtol=1e-6)
    if not tied:  # without counts at zeros, as Keras has it
        assert not np.any(output(None).bias)


@pytest.mark.parametrize(
    "output", [output_of_language_model, output_of_seq2seq]
)
def test_counts_of_other_tokens_are_refused(output):
    with pytest.raises(ConfigError, match=r"must be \(4,\)"):
        output(COUNTS[:3])
