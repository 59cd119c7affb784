"""A section of the page that the template draws without knowing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Part:
    """A heading with figures, a table, pictures and a paragraph.

    Attributes:
        title: heading; none if empty.
        figures: inline SVG, side by side.
        narrow: whether a single figure has half the page.
        head: head of a table.
        rows: its rows.
        cards: pairs of a picture (data URI) and its caption.
        texts: pairs of a caption and a text that keeps its lines.
        text: paragraph under all that.
        words: whether the table holds words, which stand on the left.
        left: how many first columns hold words, if not all do.
        large: whether a single figure is as wide as the page, however high.
        sized: whether figures have the size they were drawn in.
        markup: what else the part shows, behind the paragraph.
    """

    title: str = ""
    figures: Sequence[Markup] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    cards: Sequence[tuple[str, str]] = ()
    texts: Sequence[tuple[str, str]] = ()
    text: str = ""
    narrow: bool = False
    words: bool = False
    left: int = 0
    large: bool = False
    sized: bool = False
    markup: Markup = Markup("")


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        id: anchor.
        title: heading.
        text: first paragraph.
        parts: what it shows.
        style: style sheet of its markup.
        script: what makes its markup move; the page works without.
    """

    id: str
    title: str
    text: str
    parts: Sequence[Part]
    style: Markup = Markup("")
    script: Markup = Markup("")
