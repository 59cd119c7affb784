"""How surprised a language model is, token by token, as a coloured text."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from markupsafe import Markup

from recipes._report.figures import svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from recipes._report.templates import render
from toolkit import plots
from toolkit.errors import ConfigError, DataError
from toolkit.io import atomic_write
from toolkit.text.running_text import END_OF_LINE, UNKNOWN_WORD

SHOWN = 2_000  # tokens of a page; more would make it long to read and to load
LEVELS = 9  # of the colours in surprise.css
STEP = {"character": 1, "word": 2}  # bits from one colour to the next
BEFORE = {"character": 30, "word": 8}  # tokens before a surprising one
WORST = 15  # rows of the table
NEW_LINE = "\u21b5"


def section(run: RunFiles) -> Section | None:
    """The first tokens of the test text, each on the colour of its surprise."""
    if not run.surprise:
        return None
    found = run.surprise
    return surprise_section(
        found["tokens"],
        found["bits"],
        found["unit"],
        "the test text",
        found["total"],
    )


def write_surprise_page(
    path: str | Path,
    tokens: Sequence[str],
    losses: Sequence[float],
    *,
    unit: str = "word",
    text: str = "the text",
    model: str = "",
    total: int | None = None,
) -> Path:
    """Writes a self-contained page on how surprising a text is to a model.

    It shows the first 2,000 tokens at most, and says so.

    Args:
        path: the page; replaced as a whole.
        tokens: the text's, spelled, `<eos>` at the end of a line, `<unk>` for
            an unknown word; the first one has no loss.
        losses: -log P(token | those before) in nats, one for every token but
            the first, as `toolkit.evaluation.token_losses` returns them. With
            `streams=1` no state begins anew within the text.
        unit: what a token is, `word` or `character`.
        text: what the text is called, such as its file.
        model: what the model is called, such as its run.
        total: losses of the whole text, if these are its first ones only.

    Returns:
        The page's path.

    Raises:
        ConfigError: another unit.
        DataError: numbers of tokens and losses that do not fit, or a loss that
            is no number or below 0.
        OSError: the page cannot be written; an old one stays as it was.
    """
    text, model = _visible(text), _visible(model)
    losses = np.asarray(losses, np.float64)
    found = surprise_section(
        tokens,
        losses / math.log(2),
        unit,
        text,
        len(losses) if total is None else total,
    )
    page = render(
        "sections_page.html.j2",
        title="Surprise",
        subtitle=f"{text}, read by {model}" if model else text,
        more=[found],
    )
    atomic_write(path, page)
    return Path(path)


def surprise_section(
    tokens: Sequence[str],
    bits: Sequence[float],
    unit: str,
    text: str,
    total: int,
) -> Section:
    """Returns the coloured text, its most surprising tokens, a histogram.

    Args:
        tokens: as for `write_surprise_page`.
        bits: -log2 P(token | those before), one for every token but the first.
        unit: what a token is.
        text: what the text is called.
        total: tokens with a loss in the whole text.

    Raises:
        ConfigError: another unit.
        DataError: as `write_surprise_page` raises it.
    """
    bits = _checked(tokens, bits, unit)[:SHOWN]
    tokens = list(tokens)[: len(bits) + 1]
    seen = f"all {total:,}"
    if total > len(bits):
        seen = f"the first {len(bits):,} of {total:,}"
    figure = plots.histogram(bits, "surprise, bits", f"share of the {unit}s, %")
    return Section(
        id="surprise",
        title="What surprises it",
        text=f"How surprising each {unit} of {text} is after all those before "
        "it: -log2 P, in bits; one more is half the probability, 0 is "
        f"certain. Here are {seen} {unit}s, {bits.mean():.2f} bits each on "
        "average. "
        f"Point at a {unit} for its numbers.",
        parts=[
            Part(markup=_coloured(tokens, bits, unit)),
            Part(
                title=f"The most surprising {unit}s",
                head=(unit, "after", "bits", "probability"),
                rows=_worst(tokens, bits, unit),
                left=2,
            ),
            Part(
                title="How the surprises are distributed",
                figures=[svg(figure, f"distribution of surprise per {unit}")],
                large=True,
            ),
        ],
        style=_style(),
    )


def _checked(
    tokens: Sequence[str], bits: Sequence[float], unit: str
) -> np.ndarray:
    if unit not in STEP:
        raise ConfigError(
            f"`unit` must be one of {', '.join(STEP)}. Received: {unit!r}."
        )
    found = np.round(np.asarray(bits, np.float64), 4) + 0.0  # no -0
    if found.ndim != 1 or not len(found) or len(tokens) != len(found) + 1:
        raise DataError(
            "There must be a loss for every token but the first, at least "
            f"one. Received: {len(tokens)} tokens and losses of the shape "
            f"{found.shape}."
        )
    if not np.isfinite(found).all() or found.min() < 0:
        raise DataError(
            "Losses must be finite and at least 0. Received: "
            f"{found.min()} to {found.max()} bits."
        )
    return found


def _coloured(tokens: list[str], bits: np.ndarray, unit: str) -> Markup:
    step = STEP[unit]
    first = f"{_named(tokens[0])}: the first one, predicted from nothing"
    shown = [_token(tokens[0], unit, "first", first)]
    for token, value in zip(tokens[1:], bits, strict=True):
        level = min(int(value // step), LEVELS - 1)
        title = f"{_named(token)}: {value:.2f} bits, P = {_probability(value)}"
        shown.append(_token(token, unit, f"s{level}", title))
    scale = [f"{step * k} to {step * (k + 1)}" for k in range(LEVELS - 1)]
    known = unit == "character" or UNKNOWN_WORD not in tokens
    html = render(
        "surprise.html.j2",
        tokens=shown,
        unit=unit,
        scale=[*scale, f"{step * (LEVELS - 1)} and more"],
        unknown="" if known else UNKNOWN_WORD,
    )
    return Markup(html)


def _token(token: str, unit: str, kind: str, title: str) -> dict[str, str]:
    """Returns what the template shows of a token."""
    ends = token == (END_OF_LINE if unit == "word" else "\n")
    if unit == "word" and token == UNKNOWN_WORD:
        kind += " unknown"
    after = "\n" if ends else " " if unit == "word" else ""
    return {
        "text": NEW_LINE if ends else _visible(token),
        "kind": kind,
        "title": title,
        "after": after,
    }


def _worst(
    tokens: list[str], bits: np.ndarray, unit: str
) -> list[tuple[str, ...]]:
    """Returns rows on the most surprising tokens: the earlier of equal ones."""
    between = " " if unit == "word" else ""
    rows = []
    for place in np.argsort(-bits, kind="stable")[:WORST]:
        before = tokens[max(0, place + 1 - BEFORE[unit]) : place + 1]
        shown = between.join(_flat(token) for token in before)
        value = bits[place]
        rows.append(
            (
                _named(tokens[place + 1]),
                shown,
                f"{value:.2f}",
                _probability(value),
            )
        )
    return rows


def _flat(token: str) -> str:
    """Returns a token that stands in a line."""
    return NEW_LINE if token in ("\n", END_OF_LINE) else _visible(token)


def _named(token: str) -> str:
    """Returns a token as a sentence calls it."""
    if token in ("\n", END_OF_LINE):
        return f"{NEW_LINE} (end of line)"
    return {" ": "blank", "\t": "tab"}.get(token, _visible(token))


def _visible(token: str) -> str:
    """Returns a token without characters that a page cannot show."""
    return "".join(
        c
        if c in "\t\n" or unicodedata.category(c) not in ("Cc", "Cs")
        else f"\\u{ord(c):04x}"
        for c in token
    )


def _probability(bits: float) -> str:
    return f"{2.0**-bits:.2g}"


def _style() -> Markup:
    file = resources.files("recipes._report").joinpath("surprise.css")
    return Markup(file.read_text("utf-8"))
