import itertools

import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import ConfigError, DataError


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
    # One place for each kernel, and the scale.
    assert len(figure.axes) == 6 + 1
    rows = plots.kernels(weights, columns=4)
    assert len(rows.axes) == 2 * 4 + 1
    with pytest.raises(DataError, match=r"\(5, 5\)"):
        plots.kernels(np.zeros((5, 5)))


# Convolution arithmetic


def shown(axes):
    """The numbers that a panel shows, by place."""
    table = {}
    for text in axes.texts:
        column, row = text.get_position()
        table[int(row), int(column)] = float(text.get_text())
    shape = (1 + max(r for r, _ in table), 1 + max(c for _, c in table))
    return np.array(
        [[table[r, c] for c in range(shape[1])] for r in range(shape[0])]
    )


STRIDES = (1, 2, 3, (2, 1), (1, 3))
PADDINGS = ("valid", "same", 1, 2)
KERNELS = ((1, 1), (2, 2), (3, 2), (3, 3))
CHANNELS = (1, 3)


def chosen(stride, padding, kernel, channels):
    """Whether `make test` draws a case: any two settings meet in one."""
    return kernel == (stride + padding) % 4 and channels == (
        (stride + padding // 2) % 2
    )


def cases():
    """Yields every case by the places of its settings; most are slow."""
    lists = (STRIDES, PADDINGS, KERNELS, CHANNELS)
    for places in itertools.product(*(range(len(item)) for item in lists)):
        settings = [a[i] for a, i in zip(lists, places, strict=True)]
        # All 160 are one function at other sizes.
        marks = () if chosen(*places) else pytest.mark.slow
        yield pytest.param(*settings, marks=marks)


def test_any_two_settings_are_drawn_together():
    drawn = [case.values for case in cases() if not case.marks]
    assert len(drawn) == 20
    for one, other in itertools.combinations(range(4), 2):
        every = (STRIDES, PADDINGS, KERNELS, CHANNELS)
        together = {(values[one], values[other]) for values in drawn}
        assert together == set(itertools.product(every[one], every[other]))


@pytest.mark.parametrize(
    ("stride", "padding", "kernel_size", "channels"), [*cases()]
)
def test_convolution_arithmetic_shows_the_frameworks_numbers(
    padding, stride, kernel_size, channels
):
    import keras

    rng = np.random.default_rng(0)
    image = rng.integers(-3, 4, (6, 5, channels))
    kernel = rng.integers(-2, 3, (*kernel_size, channels, 2))
    bias = np.array([1.0, -2.0])
    around = padding if isinstance(padding, int) else 0
    given = np.pad(image, ((around, around), (around, around), (0, 0)))
    expected = keras.ops.conv(
        given[None].astype("float32"),
        kernel.astype("float32"),
        strides=stride,
        padding="valid" if around else padding,
    )
    expected = np.asarray(expected)[0] + bias
    at = tuple(n - 1 for n in expected.shape[:2])
    figure = plots.convolution_arithmetic(
        image, kernel, bias, stride=stride, padding=padding, at=at, output_map=1
    )
    *parts, output = figure.axes
    np.testing.assert_allclose(shown(output), expected[..., 1])
    rows, columns = expected.shape[:2]
    assert output.get_title() == f"output {rows} x {columns}"
    assert len(parts) == 2 * channels
    np.testing.assert_array_equal(shown(parts[1]), kernel[..., 0, 1])
    # The window that is framed makes the number that is framed.
    down, right = stride if isinstance(stride, tuple) else (stride, stride)
    total = 0.0
    for channel in range(channels):
        panel = parts[2 * channel]
        (frame,) = [p for p in panel.patches]
        assert frame.get_x() == at[1] * right - 0.5
        assert frame.get_y() == at[0] * down - 0.5
        left, top = at[1] * right, at[0] * down
        window = shown(panel)[
            top : top + kernel_size[0], left : left + kernel_size[1]
        ]
        total += (window * kernel[..., channel, 1]).sum()
    assert total + bias[1] == pytest.approx(expected[(*at, 1)])
    assert f"= {expected[(*at, 1)]:g}\n" in figure._supxlabel.get_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "full"}, "padding='full'"),
        ({"padding": -1}, "padding=-1"),
        ({"stride": 0}, "stride="),
        ({"at": (4, 0)}, "output of 3 x 3"),
        ({"output_map": 1}, "from 0 to 0"),
        ({"bias": np.zeros(3)}, r"\(1,\). Received: \(3,\)"),
    ],
)
def test_convolution_arithmetic_refuses(options, message):
    with pytest.raises(ConfigError, match=message):
        plots.convolution_arithmetic(
            np.zeros((4, 4, 1)), np.zeros((2, 2, 1, 1)), **options
        )


def test_convolution_arithmetic_refuses_shapes():
    with pytest.raises(ConfigError, match="2 channels and the kernel 1"):
        plots.convolution_arithmetic(
            np.zeros((4, 4, 2)), np.zeros((2, 2, 1, 1))
        )
    with pytest.raises(ConfigError, match="kernel of 5 does not fit"):
        plots.convolution_arithmetic(
            np.zeros((4, 4, 1)), np.zeros((5, 5, 1, 1))
        )


# Robustness, maps, kernels


def test_robustness_curves_have_a_panel_each_and_a_line_per_model():
    one = {
        "rotation": [
            {"strength": 0.0, "accuracy": 1.0},
            {"strength": 30.0, "accuracy": 0.5},
        ],
        "shift": [{"strength": 2.0, "accuracy": 0.75}],
    }
    figure = plots.robustness_curves(
        {"a": one, "b": one}, {"rotation": "degrees"}
    )
    panels = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_title() for axes in panels] == ["rotation", "shift"]
    assert panels[0].get_xlabel() == "degrees"
    assert len(panels[0].lines) == 2
    np.testing.assert_array_equal(panels[0].lines[0].get_ydata(), [100, 50])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["a", "b"]
    with pytest.raises(DataError, match="no distortion"):
        plots.robustness_curves({"a": {}})


def test_feature_maps_are_drawn_a_row_per_stage():
    maps = np.random.default_rng(0).random((4, 4, 3))
    units = np.arange(25.0).reshape(1, 1, 25)
    figure = plots.feature_maps(
        [("c1", maps), ("c5", units)], np.zeros((8, 8, 1))
    )
    assert [s.get_suptitle() for s in figure.subfigs] == ["image", "c1", "c5"]
    drawn = [a.images[0].get_array() for a in figure.subfigs[1].axes]
    np.testing.assert_array_equal(drawn[2], maps[..., 2])
    (cells,) = [a.images[0].get_array() for a in figure.subfigs[2].axes]
    assert cells.shape == (2, 20)
    np.testing.assert_array_equal(np.asarray(cells).ravel()[:25], range(25))
    with pytest.raises(DataError, match=r'"x" must be.*\(3,\)'):
        plots.feature_maps([("x", np.zeros(3))])
    with pytest.raises(DataError, match="no stages"):
        plots.feature_maps([])


def test_kernel_table_leaves_unconnected_pairs_empty():
    weights = np.random.default_rng(0).normal(size=(2, 2, 2, 3))
    weights[:, :, 1, 0] = 0
    figure = plots.kernel_table(weights)
    canvas = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    assert canvas.shape == (7, 10)
    np.testing.assert_array_equal(canvas[1:3, 4:6], weights[:, :, 0, 1])
    assert np.isnan(canvas[4:6, 1:3]).all()
    with pytest.raises(DataError, match=r"\(2, 2\)"):
        plots.kernel_table(np.zeros((2, 2)))


# Autoencoders


def test_pictures_stand_in_rows_under_titles():
    rng = np.random.default_rng(0)
    images, outputs = rng.random((2, 3, 4, 5, 1)) * 1.5 - 0.2
    figure = plots.picture_rows(
        [("image", images), ("output", outputs)], ["a", "b", "c"]
    )
    axes = figure.axes[0]
    canvas = axes.images[0].get_array()
    assert canvas.shape == (9, 17, 3)
    for i, row in enumerate((images, outputs)):
        for j in range(3):
            part = canvas[5 * i : 5 * i + 4, 6 * j : 6 * j + 5]
            expected = np.broadcast_to(np.clip(row[j], 0, 1), part.shape)
            np.testing.assert_allclose(part, expected, atol=1e-6)
    assert (canvas[4] == 1).all() and (canvas[:, 5] == 1).all()
    assert [t.get_text() for t in axes.get_yticklabels()] == ["image", "output"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]
    np.testing.assert_allclose(axes.get_yticks(), [1.5, 6.5])
    with pytest.raises(DataError, match="name the 3 columns"):
        plots.picture_rows([("image", images)], ["a"])
    with pytest.raises(DataError, match=r"\(3, 4, 5, 1\), \(2, 4, 5, 1\)"):
        plots.picture_rows([("image", images), ("output", outputs[:2])])
    with pytest.raises(DataError, match="no rows"):
        plots.picture_rows([])


def test_grid_of_pictures_has_its_first_row_at_the_bottom():
    rng = np.random.default_rng(0)
    pictures = rng.random((2, 3, 4, 4, 3))
    figure = plots.picture_grid(
        pictures, [-1.0, 0.0, 2.5], [10.0, 20.0], "first", "second"
    )
    axes = figure.axes[0]
    canvas = axes.images[0].get_array()
    np.testing.assert_allclose(canvas[5:, 10:], pictures[0, 2], atol=1e-6)
    np.testing.assert_allclose(canvas[:4, :4], pictures[1, 0], atol=1e-6)
    y = [t.get_text() for t in axes.get_yticklabels()]
    x = [t.get_text() for t in axes.get_xticklabels()]
    assert (x, y) == (["-1.0", "0.0", "2.5"], ["20.0", "10.0"])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("first", "second")
    with pytest.raises(DataError, match=r"must be \(3, 3, .*\(2, 3, 4, 4, 3"):
        plots.picture_grid(pictures, [1, 2, 3], [1, 2, 3], "x", "y")


@pytest.mark.parametrize("classes", [3, 40])
def test_class_map_draws_each_class_where_it_is(classes):
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(200, 2)), rng.integers(0, classes, 200)
    names = [f"class {i}" for i in range(classes)]
    figure = plots.class_map(points, labels, names, "x", "y")
    axes = figure.axes[0]
    drawn = {c.get_label(): c for c in axes.collections}
    for label in np.unique(labels):
        np.testing.assert_array_equal(
            drawn[names[label]].get_offsets(), points[labels == label]
        )
    colours = {tuple(c.get_facecolor()[0]) for c in axes.collections}
    assert len(colours) == len(np.unique(labels))
    if classes == 3:
        assert {t.get_text(): t.xy for t in axes.texts}.keys() == set(names)
        middle = np.median(points[labels == 1], axis=0)
        np.testing.assert_allclose(axes.texts[1].xy, middle)
    assert len(figure.legends) == (classes == 3)
    with pytest.raises(DataError, match=r"\(200, 2\) and 3 labels"):
        plots.class_map(points, labels[:3], names, "x", "y")
    cut = plots.class_map(
        points, labels, names, "x", "y", [[-1.0, -2.0], [3.0, 4.0]]
    )
    assert cut.axes[0].get_xlim() == (-1.0, 3.0)
    assert cut.axes[0].get_ylim() == (-2.0, 4.0)


def assert_tick_labels_stand_apart(figure):
    figure.canvas.draw()
    (axes,) = figure.axes
    labels = [
        label.get_window_extent()
        for label in axes.get_xticklabels(which="both")
        if label.get_text() and axes.bbox.x0 <= label.get_window_extent().x1
    ]
    labels = sorted(labels, key=lambda box: box.x0)
    assert len(labels) >= 3
    for left, right in zip(labels, labels[1:], strict=False):
        assert left.x1 < right.x0


def test_score_histogram_counts_each_kind_and_marks_the_threshold():
    rng = np.random.default_rng(0)
    usual, strange = rng.lognormal(size=300), rng.lognormal(2, size=200)
    figure = plots.score_histogram(
        {"usual": usual, "strange": strange}, 4.0, "error"
    )
    axes = figure.axes[0]
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "error"
    for patch, scores in zip(axes.patches, (usual, strange), strict=True):
        heights, edges, _ = patch.get_data()
        assert heights.sum() == pytest.approx(100)
        assert edges[0] < usual.min() and edges[-1] > strange.max()
        share = 100 * (scores < edges[20]).mean()
        assert heights[:20].sum() == pytest.approx(share)
    (line,) = axes.lines
    assert line.get_xdata()[0] == 4.0
    assert_tick_labels_stand_apart(figure)
    narrow = plots.score_histogram({"usual": [0.2, 1.0, 7.0]}, 3.0, "error")
    assert_tick_labels_stand_apart(narrow)
    with pytest.raises(DataError, match="above 0"):
        plots.score_histogram({"usual": [0.0, 1.0]}, 1.0, "error")
    with pytest.raises(DataError, match="none"):
        plots.score_histogram({}, 1.0, "error")


def test_lines_leave_zeros_out_of_a_logarithmic_axis():
    values = np.array([[1.0, 1e-3], [0.1, 0.0]])
    figure = plots.lines([0, 1], values, ["a", "b"], "norm", "step", log=True)
    assert figure.axes[0].get_yscale() == "log"
    drawn = lines(figure)
    np.testing.assert_array_equal(drawn["a"].get_ydata(), [1.0, 0.1])
    assert len(figure.legends) == 1
    figure.canvas.draw()
    # Nothing above 0: an axis of logarithms would have nothing to show.
    figure = plots.lines([0, 1], 0 * values, ["a", "b"], "norm", log=True)
    assert figure.axes[0].get_yscale() == "linear"
    assert not plots.lines([0, 1], values[:, :1], ["a"], "norm").legends
