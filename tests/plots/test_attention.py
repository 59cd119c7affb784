import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import DataError


def test_attention_map_has_a_row_for_each_token_written():
    weights = np.array([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]])
    figure = plots.attention_map(weights, ["a", "b", "c"], ["x", "y"])
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert [t.get_text() for t in axes.get_yticklabels()] == ["x", "y"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]
    with pytest.raises(DataError, match=r"must be \(1, 3\).*\(2, 3\)"):
        plots.attention_map(weights, ["a", "b", "c"], ["x"])


def test_attention_maps_share_the_size_of_cells_and_the_scale():
    long = ["a", "Donaudampfschifffahrt", " ", "$x_$", "</s>"]
    cells, limits = set(), set()
    for source, target in ((["a"], ["b", "c"]), (long, long * 9)):
        weights = np.full((len(target), len(source)), 0.3)
        figure = plots.attention_map(weights, source, target)
        (axes,) = figure.axes
        place = axes.get_position()
        wide, high = figure.get_size_inches()
        size = (place.width * wide / len(source),
                place.height * high / len(target))  # fmt: skip
        cells.add(tuple(np.round(size, 6)))
        limits.add(axes.images[0].get_clim())
        # The labels are inside the figure.
        box = axes.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= wide * figure.dpi and box.y1 <= high * figure.dpi
        names = axes.get_images()[0].get_cmap().name
    assert len(cells) == 1 and limits == {(0.0, 1.0)}
    labels = [t.get_text() for t in axes.get_xticklabels()]
    assert labels == [*long[:2], "\u2423", *long[3:]]
    assert [t.get_rotation() for t in axes.get_xticklabels()] == [
        0, 90, 0, 90, 90,
    ]  # fmt: skip
    (scale,) = plots.attention_scale().axes
    assert scale.get_xlim() == (0.0, 1.0)
    assert scale._colorbar.mappable.get_cmap().name == names
