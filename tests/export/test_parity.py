"""How far a file's values may be from the Keras model's."""

import numpy as np
import pytest

from export import parity
from export.errors import ParityError


def outcome(expected, difference):
    expected = np.asarray(expected, np.float64)
    found = parity.Parity(parity.ATOL, parity.RTOL)
    found.add(
        parity.Case("drawn", {}), {"y": expected}, {"y": expected + difference}
    )
    return found


LOGITS = np.array([0.2, *np.linspace(-27, 20, 999)])


@pytest.mark.parametrize(
    ("expected", "allowed"),
    [
        (0.5, 1.5e-5),
        ([0.0], 1e-5),
        ([0.0, 30.0], 1e-5),  # of two the smaller one counts
        ([0.0, 2.0, 30.0], 3e-5),
        ([[0.0, 2.0, 30.0], [0.0, 0.0, 30.0]], 1e-5),  # rows stand alone
        (np.eye(9)[8], 1e-5),  # a softmax
        (LOGITS, 1e-5 + 1e-5 * np.median(np.abs(LOGITS))),
        ([0.0, -1e9, -1e9], 1e-5 + 1e-5 * 100),
        ([0.0, np.nan, np.nan], 1e-5),
    ],
)
def test_values_count_as_much_as_the_median_of_their_row(expected, allowed):
    difference = np.zeros(np.shape(expected))
    place = (*[-1] * (difference.ndim - 1), 0) if difference.ndim else ()
    difference[place] = 0.99 * allowed
    found = outcome(expected, difference)
    assert found.passed
    assert found.worst["allowed"] == pytest.approx(allowed, rel=2e-3)
    difference[place] = 1.02 * allowed
    with pytest.raises(ParityError, match=r"\(drawn; difference .*, allowed"):
        outcome(expected, difference).check("The file")


def test_whole_numbers_are_equal_or_not():
    found = parity.Parity(parity.ATOL, parity.RTOL)
    found.add(
        parity.Case("drawn", {}),
        {"y": np.array([1000, 2000])},
        {"y": np.array([1000, 2001])},
    )
    with pytest.raises(ParityError, match="is 2001 where .* 2000 .*allowed 0"):
        found.check("The file")
