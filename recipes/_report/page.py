"""From a run directory to report.html."""

from __future__ import annotations

from pathlib import Path

import jinja2

from recipes._report import (
    autoencoding,
    encoding,
    files,
    gradients,
    hidden_units,
    lengths,
    sections,
    translations,
    words,
    writing,
)
from toolkit.io import atomic_write

REPORT = "report.html"


def write_report(path: str | Path) -> Path:
    """Writes the page of a run: self-contained, without outside links.

    A section whose data is not there (yet) is left out. There is no script but
    that of the map of words, if the run learned vectors of words; without it
    the page shows the rest.

    Args:
        path: the run directory.

    Returns:
        The page's path.

    Raises:
        RunError: a file of the run is damaged.
    """
    run = files.read(Path(path))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("recipes._report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(
        headline=sections.headline(run),
        curves=sections.curves(run),
        confusion=sections.confusion(run),
        more=[
            found
            for section in (
                encoding.section,
                writing.section,
                translations.section,
                words.section,
                hidden_units.section,
                autoencoding.reconstructions,
                autoencoding.code_map,
                autoencoding.walk,
                autoencoding.anomalies,
                lengths.section,
                gradients.section,
            )
            if (found := section(run)) is not None
        ],
        mistakes=sections.mistakes(run),
        robustness=sections.robustness(run),
        inside=sections.inside(run),
        exports=sections.exports(run),
        settings=sections.settings(run),
    )
    target = run.path / REPORT
    atomic_write(target, page)
    return target
