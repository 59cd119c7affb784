"""The map of words: no label on another, true numbers."""

import string

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from toolkit import plots
from toolkit.errors import DataError
from toolkit.plots.label_placement import place_labels


def random_words(rng, count):
    letters = list(string.ascii_letters)
    return ["".join(rng.choice(letters, n)) for n in rng.integers(3, 13, count)]


def notes(figure):
    return [text for text in figure.axes[0].texts if text.get_text()]


def boxes(figure):
    """Left, bottom, right and top of the labels as they are drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    return np.array(
        [Text.get_window_extent(t, renderer).extents for t in notes(figure)]
    )


def overlaps(found):
    low, high = found[:, None, :2], found[:, None, 2:]
    both = (low < found[:, 2:]) & (high > found[:, :2])
    return int((both.all(axis=2).sum() - len(found)) // 2)


@pytest.mark.parametrize("spread", ["even", "one far off", "two places"])
def test_no_label_lies_upon_another(spread):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 20))
    if spread == "one far off":
        values[1:] *= 0.05
    if spread == "two places":
        values = np.repeat(values[:2], 30, axis=0)
    figure = plots.embedding_map(values, random_words(rng, 60))
    for dpi in (100, 160):  # as when it is saved at another resolution
        figure.set_dpi(dpi)
        found = boxes(figure)
        assert len(found) == 60 and overlaps(found) == 0
        frame = figure.axes[0].bbox.extents
        assert (found[:, :2] > frame[:2] - 1).all()
        assert (found[:, 2:] < frame[2:] + 1).all()


def test_overlaps_are_seen():
    figure = plots.embedding_map(np.eye(3), ["one", "two", "three"])
    for note in notes(figure)[:2]:
        note.xy, note.xyann = (0, 0), (0, 0)
    assert overlaps(boxes(figure)) == 1


def test_points_are_the_principal_components():
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(1)
    values = rng.normal(size=(12, 6)) * np.arange(1, 7)
    words, groups = random_words(rng, 12), ["b", "a", "b"] * 4
    figure = plots.embedding_map(values, words, groups=groups)
    peer = PCA(2, random_state=0).fit(values)
    expected = peer.transform(values)
    axes = figure.axes[0]
    drawn = {dots.get_label(): dots for dots in axes.collections}
    assert list(drawn) == ["b", "a"]
    for name, dots in drawn.items():
        chosen = [i for i, group in enumerate(groups) if group == name]
        np.testing.assert_allclose(dots.get_offsets(), expected[chosen])
    colors = {tuple(dots.get_facecolor()[0]) for dots in drawn.values()}
    assert len(colors) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["b", "a"]
    # A label belongs to its own point.
    assert [note.get_text() for note in notes(figure)] == words
    np.testing.assert_allclose([n.xy for n in notes(figure)], expected)
    first, second = 100 * peer.explained_variance_ratio_
    assert (
        axes.get_xlabel() == f"first component, {first:.0f} % of the variance"
    )
    assert axes.get_ylabel().startswith(f"second component, {second:.0f} % of")
    unit = axes.transData.transform([[0, 0], [1, 1]])
    assert np.ptp(np.diff(unit, axis=0)) == pytest.approx(0, abs=1e-6)


def test_arrows_lead_from_the_first_to_the_second():
    words = ["france", "paris", "italy", "rome"]
    values = np.array([[0, 0, 0], [3, 0, 0], [0, 2, 0.5], [3, 2, 0]])
    figure = plots.embedding_map(
        values, words, arrows=[("france", "paris"), ("italy", "rome")]
    )
    place = {note.get_text(): note.xy for note in notes(figure)}
    drawn = [text for text in figure.axes[0].texts if not text.get_text()]
    for arrow, (start, end) in zip(drawn, (words[:2], words[2:]), strict=True):
        np.testing.assert_allclose(arrow.xyann, place[start])
        np.testing.assert_allclose(arrow.xy, place[end])
    assert not figure.legends


def test_only_labels_that_moved_have_a_line():
    rng = np.random.default_rng(0)
    apart = plots.embedding_map(np.eye(4), ["a", "b", "c", "d"])
    crowd = plots.embedding_map(
        np.concatenate([np.eye(3), 1e-6 * rng.normal(size=(20, 3))]),
        random_words(rng, 23),
    )

    def tied(figure):
        return sum(note.arrow_patch.get_visible() for note in notes(figure))

    assert tied(apart) == 0
    assert 10 < tied(crowd) < 23


def test_the_same_words_give_the_same_picture():
    rng = np.random.default_rng(3)
    values, words = rng.normal(size=(30, 5)), random_words(rng, 30)
    first, second = (plots.embedding_map(values, words) for _ in range(2))
    np.testing.assert_array_equal(boxes(first), boxes(second))


def test_labels_make_way_for_points_and_arrows():
    frame, size = (0, 0, 400, 300), np.array([[60.0, 12.0]])
    free = np.empty((0, 2))
    here = np.array([[200.0, 150.0]])
    (alone,) = place_labels(here, size, frame, free)
    assert alone[0] > 30  # on the right
    way = here + np.linspace(0, 1, 40)[:, None] * [150, 0]
    (moved,) = place_labels(here, size, frame, way)
    low, high = here[0] + moved - size[0] / 2, here[0] + moved + size[0] / 2
    assert not ((way > low) & (way < high)).all(axis=1).any()
    edge = np.array([[395.0, 150.0]])
    (inside,) = place_labels(edge, size, frame, free)
    assert edge[0, 0] + inside[0] + 30 <= 400


def test_labels_without_room_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="no room for the labels of 2 words"):
        plots.embedding_map(np.eye(2), ["x" * 999, "y" * 999])
    assert (
        place_labels(
            rng.uniform(0, 50, (9, 2)),
            np.full((9, 2), 30.0),
            (0, 0, 50, 50),
            np.empty((0, 2)),
        )
        is None
    )


@pytest.mark.parametrize(
    ("values", "labels", "options", "message"),
    [
        (np.eye(3), ["a", "b"], {}, r"\(3, 3\) for 2 labels"),
        (np.eye(1), ["a"], {}, "at least 2"),
        (np.eye(3)[0], ["a", "b", "c"], {}, r"Received: \(3,\)"),
        (np.eye(2)[:, :1], ["a", "b"], {}, "needs a width from 1 to 1"),
        (np.ones((2, 2)), ["a", "b"], {}, "not all the same"),
        (np.eye(2) * np.nan, ["a", "b"], {}, "finite"),
        (np.eye(2), ["a", "a"], {}, '"a" comes twice'),
        (np.eye(2), ["a", "b"], {"groups": ["x"]}, "Received: 1 names"),
        (
            np.eye(2),
            ["paris", "rome"],
            {"arrows": [("pariss", "rome")]},
            '"pariss", which is none.* Did you mean "paris"',
        ),
    ],
)
def test_what_does_not_fit_is_refused(values, labels, options, message):
    with pytest.raises(DataError, match=message):
        plots.embedding_map(values, labels, **options)
