import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import DataError


def test_runs_have_a_colour_each_and_kinds_their_dashes():
    found = {
        "one": {"after": ([0, 1, 2], [1.0, 0.1, 0.0]), "before": ([0], [1.0])},
        "$two": {"after": ([0, 1], [1.0, 0.5])},
    }
    figure = plots.run_lines(found, "norm", "step", log=True)
    (axes,) = figure.axes
    a, b, c = axes.lines
    np.testing.assert_array_equal(a.get_ydata(), [1.0, 0.1, 0.0])
    assert a.get_color() == b.get_color() != c.get_color()
    assert a.get_linestyle() == c.get_linestyle() == "-"
    assert b.get_linestyle() == "--" and b.get_marker() == "o"
    assert axes.get_yscale() == "log"
    figure.canvas.draw()
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "one", r"\$two", "after", "before",
    ]  # fmt: skip
    plain = plots.run_lines({"a": {"": ([1, 2], [3, 4])}}, "loss", "epoch")
    assert [t.get_text() for t in plain.legends[0].get_texts()] == ["a"]
    with pytest.raises(DataError, match="Received: 9 and 1"):
        nine = {str(i): {"": ([1], [1])} for i in range(9)}
        plots.run_lines(nine, "x", "y")
    with pytest.raises(DataError, match=r'"a".*\(2,\) and \(1,\)'):
        plots.run_lines({"a": {"": ([1, 2], [3])}}, "loss", "epoch")
