import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import DataError


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


def test_curves_draw_the_numbers_they_are_given():
    figure = plots.curves([1, 2, 3], [3, 2, 1], [4, 3, 3.5], "loss, nats", 2)
    drawn = lines(figure)
    np.testing.assert_array_equal(drawn["training"].get_ydata(), [3, 2, 1])
    np.testing.assert_array_equal(drawn["validation"].get_ydata(), [4, 3, 3.5])
    assert figure.axes[0].get_xlabel() == "epoch"
    assert figure.axes[0].get_ylabel() == "loss, nats"
    with pytest.raises(DataError, match="one length"):
        plots.curves([1, 2], [3])
    with pytest.raises(DataError, match="one length"):
        plots.curves([], [])


def test_confusion_matrix_writes_the_counts():
    counts = np.array([[5, 1], [0, 7]])
    figure = plots.confusion_matrix(counts, ["cat", "dog"])
    axes = figure.axes[0]
    assert {t.get_text() for t in axes.texts} == {"5", "1", "7"}
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[5 / 6, 1 / 6], [0, 1]])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cat", "dog"]
    with pytest.raises(DataError, match=r"\(3, 3\) for 3 class"):
        plots.confusion_matrix(counts, ["a", "b", "c"])


def test_kernels_share_one_scale():
    weights = np.random.default_rng(0).normal(size=(5, 5, 1, 6))
    figure = plots.kernels(weights)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    shown = [i for i in images if i.get_array().shape == (5, 5)]
    assert len(shown) == 6
    np.testing.assert_allclose(shown[3].get_array(), weights[:, :, 0, 3])
    assert len({i.get_clim() for i in shown}) == 1
    with pytest.raises(DataError, match=r"\(5, 5\)"):
        plots.kernels(np.zeros((5, 5)))
