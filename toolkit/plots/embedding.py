"""Word vectors in the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text

from toolkit.errors import DataError, closest
from toolkit.evaluation.reconstruction import principal_components
from toolkit.plots.label_placement import NEAR, place_labels
from toolkit.plots.lines import COLORS

POINTS = 8  # size of the labels
MARKERS = "os^Dv"  # with the colours, 40 groups
ROOM = 12.0  # area of the axes over that of the labels
SIDES = (4.4, 16.0)  # of the axes, in inches
LEADER = 2.0  # so many times as far off as need be, and a label gets a line
GREY, LINE = "#777777", "#aaaaaa"


def embedding_map(
    vectors: np.ndarray,
    labels: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    arrows: Sequence[tuple[str, str]] = (),
) -> Figure:
    """Draws vectors in the plane of their two principal components.

    No label lies upon another; one that had to move away from its point is
    tied to it by a line. Both axes have one scale, so distances compare. The
    picture grows with the labels.

    Args:
        vectors: `(N, size)`, of at least two words.
        labels: the words, `(N,)`, each once.
        groups: name of a group for each word, `(N,)`, for its colour; None
            for one colour.
        arrows: pairs of labels, drawn from the first to the second, such as
            `("france", "paris")`.

    Raises:
        DataError: sizes that do not fit, numbers that are not finite, labels
            that come twice or find no room, an arrow between words that are
            not there, or vectors that are all the same.

    Example:
    >>> import numpy as np
    >>> from toolkit.plots import embedding_map
    >>> figure = embedding_map(np.diag([3, 2, 1]), ["one", "two", "three"])
    >>> figure.axes[0].get_xlabel()
    'first component, 75 % of the variance'

    Source: Mikolov, Sutskever, Chen, Corrado, Dean: Distributed
    representations of words and phrases and their compositionality (2013),
    figure 2.
    """
    vectors = np.asarray(vectors)
    labels = list(map(str, labels))
    groups = [""] * len(labels) if groups is None else list(groups)
    _check(vectors, labels, groups, arrows)
    components = principal_components(vectors, 2)
    plane = components.transform(vectors)
    place = dict(zip(labels, plane, strict=True))
    ways = [(place[start], place[end]) for start, end in arrows]

    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(groups))
    for index, name in enumerate(names):
        chosen = [i for i, group in enumerate(groups) if group == name]
        axes.scatter(
            *plane[chosen].T,
            s=14,
            color=COLORS[index % len(COLORS)],
            marker=MARKERS[index // len(COLORS) % len(MARKERS)],
            linewidths=0,
            label=name,
            zorder=3,
        )
    for start, end in ways:
        style = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.8}
        axes.annotate("", end, start, arrowprops=style | {"shrinkB": 3})
    first, second = 100 * components.explained_variance_ratio_
    axes.set_xlabel(f"first component, {first:.0f} % of the variance")
    axes.set_ylabel(f"second component, {second:.0f} % of the variance")
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.tick_params(labelsize=POINTS)
    axes.grid(alpha=0.25)
    if len(names) > 1:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    _label(axes, plane, labels, ways)
    return figure


def label_boxes(figure: Figure) -> np.ndarray:
    """Returns left, bottom, right and top of the labels, `(N, 4)` in pixels.

    Args:
        figure: of `embedding_map`.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()
    return np.array(
        [
            # Its own method would count the leader in.
            Text.get_window_extent(text, renderer).extents
            for text in figure.axes[0].texts
            if text.get_text()
        ]
    )


def _label(
    axes: Axes, plane: np.ndarray, labels: list[str], ways: list
) -> None:
    """Writes the labels; settles the size and the layout of the figure."""
    figure = axes.figure
    notes = [_note(axes, *one) for one in zip(labels, plane, strict=True)]
    boxes = label_boxes(figure)
    sizes = boxes[:, 2:] - boxes[:, :2]
    area = (sizes / figure.dpi).prod(axis=1).sum()
    side = float(np.clip(np.sqrt(ROOM * area), *SIDES))
    beside = 0.8 + (1.0 if figure.legends else 0.0)
    figure.set_size_inches(1.15 * side + beside, 0.87 * side + 0.7)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # pixels stay where they are now
    to_pixels = axes.transData.transform
    along = np.linspace(0, 1, 50)[:, None]
    offsets = place_labels(
        to_pixels(plane),
        sizes,
        axes.bbox.extents,
        to_pixels(
            np.concatenate(
                [np.empty((0, 2)), *(s + along * (e - s) for s, e in ways)]
            )
        ),
    )
    if offsets is None:
        raise DataError(
            f"There is no room for the labels of {len(labels)} words; draw "
            "fewer."
        )
    for note, offset, size in zip(notes, offsets, sizes, strict=True):
        note.set_position(offset * 72 / figure.dpi)
        gap = np.linalg.norm(np.maximum(np.abs(offset) - size / 2, 0))
        note.arrow_patch.set_visible(bool(gap > LEADER * NEAR))


def _note(axes: Axes, label: str, point: np.ndarray) -> Annotation:
    note = axes.annotate(
        label,
        point,
        (0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=POINTS,
        parse_math=False,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        arrowprops={
            "arrowstyle": "-",
            "color": LINE,
            "linewidth": 0.6,
            "shrinkA": 0,
            "shrinkB": 2,
        },
        zorder=4,
    )
    note.set_in_layout(False)
    return note


def _check(
    vectors: np.ndarray,
    labels: list[str],
    groups: list[str],
    arrows: Sequence[tuple[str, str]],
) -> None:
    if vectors.ndim != 2 or len(vectors) != len(labels) or len(labels) < 2:
        raise DataError(
            "`vectors` must be (N, size) for N `labels`, at least 2. "
            f"Received: {vectors.shape} for {len(labels)} labels."
        )
    if len(groups) != len(labels):
        raise DataError(
            f"`groups` must name a group for each of {len(labels)} labels. "
            f"Received: {len(groups)} names."
        )
    if not np.isfinite(vectors).all() or not np.ptp(vectors, axis=0).any():
        raise DataError(
            "`vectors` must be finite and not all the same, or there is no "
            "plane to draw them in."
        )
    twice = [label for i, label in enumerate(labels) if label in labels[:i]]
    if twice:
        raise DataError(f'`labels` must differ. "{twice[0]}" comes twice.')
    for label in (label for arrow in arrows for label in arrow):
        if label not in labels:
            raise DataError(
                f'`arrows` holds "{label}", which is none of the labels.'
                f"{closest(label, labels)}"
            )
