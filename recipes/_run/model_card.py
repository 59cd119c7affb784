"""The model card: README.md of a run, front matter as model hubs read it."""

from __future__ import annotations

import shlex
from pathlib import Path

import jinja2

from toolkit.io import atomic_write


def write_model_card(path: str | Path) -> Path:
    """Writes README.md of a run and returns its path.

    Args:
        path: the run directory.

    Raises:
        RunError: a file of the run is damaged.
    """
    from recipes._report import files, sections
    from recipes._run.exporting import load_metadata

    run = files.read(Path(path))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("recipes._run", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters |= {"shell": shlex.quote, "python": repr}
    text = environment.get_template("model_card.md.j2").render(
        title=run.title,
        recipe=run.config["recipe"],
        evaluation=run.evaluation,
        exports=sections.exports(run),
        settings=sections.settings(run),
        license=load_metadata(run.path).get("license"),
    )
    target = run.path / "README.md"
    atomic_write(target, text)
    return target
