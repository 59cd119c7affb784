import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import DataError


def test_histogram_counts_shares_and_marks_the_mean():
    values = np.random.default_rng(0).exponential(size=400)
    axes = plots.histogram(values, "bits", "share, %").axes[0]
    heights, edges, _ = axes.patches[0].get_data()
    assert len(heights) == 20
    np.testing.assert_allclose(
        heights[:4].sum(), 100 * (values < edges[4]).mean()
    )
    assert heights.sum() == pytest.approx(100)
    assert axes.lines[0].get_xdata()[0] == pytest.approx(values.mean())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("bits", "share, %")
    assert len(plots.histogram([2.0], "x", "y").axes[0].patches) == 1
    for wrong in ([], [1.0, np.nan], [[1.0]]):
        with pytest.raises(DataError, match="finite numbers"):
            plots.histogram(wrong, "x", "y")
