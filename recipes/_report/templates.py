"""Filling the templates of pages."""

from __future__ import annotations

from typing import Any

import jinja2


def render(name: str, **values: Any) -> str:
    """Returns a template of this package, filled; text is escaped.

    Args:
        name: the template's file.
        values: what it shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("recipes._report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(values)
