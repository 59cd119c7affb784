"""Figures as text that goes into a page."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import warnings
from collections.abc import Iterator

import numpy as np
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from PIL import Image


@contextlib.contextmanager
def noting_glyphs() -> Iterator[list[str]]:
    """Makes warnings of characters that the font lacks a list.

    It is full when the block ends; other warnings are given then.
    """
    missing: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield missing
    for one in caught:
        text = str(one.message)
        if re.match("Glyph .* missing from", text):
            missing.append(text)
        else:
            warnings.warn_explicit(
                one.message, one.category, one.filename, one.lineno
            )


def svg(figure: Figure, description: str) -> Markup:
    """Returns a figure as inline SVG with a description for readers."""
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", transparent=False, metadata={"Date": None}
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Outside references to the SVG vocabulary only; a page needs none of it.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(
        "<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1
    )
    return Markup(f'<div class="figure">{text}</div>')


def png(image: np.ndarray) -> str:
    """Returns a uint8 image `(height, width, channels)` as a data URI."""
    picture = image[..., 0] if image.shape[-1] == 1 else image
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/png;base64,{text}"
