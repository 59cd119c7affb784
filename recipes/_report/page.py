"""From a run directory to report.html."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recipes._report import (
    autoencoding,
    beside,
    beside_runs,
    encoding,
    files,
    gradients,
    hidden_units,
    lengths,
    sections,
    surprise,
    translations,
    words,
    writing,
)
from recipes._report.templates import render
from toolkit.io import atomic_write

REPORT = "report.html"


def write_report(path: str | Path, others: Sequence[str | Path] = ()) -> Path:
    """Writes the page of a run: self-contained, without outside links.

    A section whose data is not there (yet) is left out. There is no script but
    that of the map of words, if the run learned vectors of words; without it
    the page shows the rest.

    Args:
        path: the run directory.
        others: runs of the same recipe that stand beside it on the page.

    Returns:
        The page's path.

    Raises:
        ConfigError: a run is named twice, or there are more than 7 others.
        RunError: a file of a run is damaged, or another run is missing or
            cannot be compared with this one.
    """
    run = files.read(Path(path))
    runs = beside_runs.read_beside(run, others) if others else []
    page = render(
        "page.html.j2",
        headline=sections.headline(run),
        curves=sections.curves(run),
        confusion=sections.confusion(run),
        more=[
            found
            for section in (
                lambda run: beside.section(run, runs),
                encoding.section,
                writing.section,
                surprise.section,
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
