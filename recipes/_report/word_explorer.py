"""A map of words to search: what its script needs to know."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from recipes._report.section import Part
from toolkit.evaluation.reconstruction import principal_components
from toolkit.text import WordVectors

LISTED = 5_000  # words with neighbours, which a page of 3 MB has room for
NEAREST = 10
TRIED = 8  # words that the page proposes
SCORES = 1 << 24  # cosines held at once, 64 MB
EDGE = 32_767  # of the map, int16
COSINE = 10_000  # times the cosine, int16


def part(vectors: WordVectors, named: Sequence[str]) -> Part:
    """The most frequent words on a map that finds neighbours.

    Args:
        vectors: all words that neighbours are looked for among.
        named: words that are on the map even if they are rare; the first ones
            are proposed.
    """
    data, share = map_data(vectors, named)
    template = resources.files("recipes._report").joinpath("words.html.j2")
    html = jinja2.Template(
        template.read_text("utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).render(
        data=embedded(data),
        listed=f"{data['listed']:,}",
        share=f"{share:.0%}",
        size=vectors.size,
        nearest=NEAREST,
    )
    return Part(markup=Markup(html))


def map_data(
    vectors: WordVectors, named: Sequence[str]
) -> tuple[dict[str, Any], float]:
    """Returns what the script reads.

    Arrays are little endian in base64. Behind the words with neighbours come
    those that only occur among neighbours.

    Returns:
        A dict of

        - words, and their counts or null
        - listed: how many have neighbours
        - tried: words to propose, by place
        - places: int16 `(words, 2)`, in the plane of the principal components
        - neighbours: int32 `(listed, 10)`, -1 where there are no more
        - cosines: int16 `(listed, 10)`, times 10,000

        and the share of the variance that the plane holds.
    """
    numbers = vectors.vocabulary.encode(named)
    rows = _unique([*range(min(LISTED, len(vectors))), *numbers.tolist()])
    found, cosines = nearest(vectors, np.array(rows))
    shown = _unique([*rows, *found[found >= 0].tolist()])
    place = np.full(len(vectors) + 1, -1, np.int32)  # the last is for -1
    place[shown] = np.arange(len(shown))
    plane, share = _plane(vectors.normalized, len(rows), np.array(shown))
    counts = vectors.vocabulary.counts
    data = {
        "words": vectors.vocabulary.decode(shown),
        "counts": None if counts is None else counts[shown].tolist(),
        "listed": len(rows),
        "tried": place[numbers[:TRIED]].tolist(),
        "places": _packed(np.rint(EDGE * plane), "<i2"),
        "neighbours": _packed(place[found], "<i4"),
        "cosines": _packed(np.rint(COSINE * cosines), "<i2"),
    }
    return data, share


def nearest(
    vectors: WordVectors, rows: np.ndarray, k: int = NEAREST
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the neighbours of many words, as `WordVectors.neighbours` does.

    Args:
        vectors: where they are looked for.
        rows: numbers of the words, `(N,)`.
        k: how many.

    Returns:
        Numbers int32 and cosines float32, `(N, k)`; where there are no more,
        or the vector is zeros, -1 and 0.
    """
    units = vectors.normalized
    numbers = np.full((len(rows), k), -1, np.int32)
    cosines = np.zeros((len(rows), k), np.float32)
    k = min(k, len(units))
    step = max(1, SCORES // len(units))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        scores = units[block] @ units.T
        scores[np.arange(len(block)), block] = -np.inf
        scores[:, vectors.zeros] = -np.inf
        best = np.argpartition(scores, len(units) - k, axis=1)[:, -k:]
        best.sort(axis=1)  # of equal words the lower number comes first
        reached = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-reached, axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        reached = np.take_along_axis(reached, order, axis=1)
        there = np.isfinite(reached) & units[block].any(axis=1)[:, None]
        part = slice(start, start + len(block))
        numbers[part, :k] = np.where(there, best, -1)
        cosines[part, :k] = np.where(there, reached, 0)
    return numbers, cosines


def embedded(data: Any) -> Markup:
    """Returns JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def asset(name: str) -> Markup:
    """Returns a style sheet or a script of this package."""
    file = resources.files("recipes._report").joinpath(name)
    return Markup(file.read_text("utf-8"))


def _plane(
    units: np.ndarray, fitted: int, rows: np.ndarray
) -> tuple[np.ndarray, float]:
    """Returns places in [-1, 1], `(rows, 2)`, and their share of variance."""
    chosen = units[rows]
    if not np.ptp(chosen[:fitted], axis=0).any():
        return np.zeros((len(rows), 2)), 0.0
    width = min(2, fitted, units.shape[1])
    components = principal_components(chosen[:fitted], width)
    plane = np.zeros((len(rows), 2))
    plane[:, :width] = components.transform(chosen)
    plane /= np.abs(plane).max() or 1.0
    return plane, float(components.explained_variance_ratio_.sum())


def _unique(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.asarray(values, kind).tobytes()).decode()
