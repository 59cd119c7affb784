"""A run beside others of its recipe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from recipes._report import gradients, sections
from recipes._report.figures import svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from recipes._run.exporting import load_metadata
from toolkit import plots

AFTER, BEFORE = "after the last epoch", "before training"
ROOM = 32  # characters of a run in a legend
SIDES = ("source", "target")  # of tokenizers


def section(run: RunFiles, others: Sequence[RunFiles]) -> Section | None:
    """Numbers, validation losses and gradients of several runs.

    Args:
        run: the run whose page this is.
        others: from `beside_runs.read_beside`.
    """
    if not others:
        return None
    runs = [run, *others]
    names = labels(runs)
    parts = [
        Part(head=_head(runs), rows=_rows(runs), left=2, text=_warning(runs)),
        Part(
            title="Validation loss",
            figures=_losses(names, runs),
            text="Measured at the end of an epoch.",
            large=True,
        ),
        _back_in_time(names, runs),
    ]
    return Section(
        id="beside",
        title="Beside other runs",
        text="Runs of one recipe on the same test examples; the first one is "
        "that of this page.",
        parts=[part for part in parts if part.figures or part.rows],
    )


def differing(runs: Sequence[RunFiles]) -> list[dict[str, str]]:
    """Returns of each run the settings that not all of them share."""
    names = dict.fromkeys(name for run in runs for name in run.config)
    told = [
        name
        for name in names
        if len({str(run.config.get(name)) for run in runs}) > 1
    ]
    return [
        {name: str(run.config.get(name, "unknown")) for name in told}
        for run in runs
    ]


def labels(runs: Sequence[RunFiles]) -> list[str]:
    """Returns what a legend calls each run: its number and some settings."""
    numbers = [run.path.resolve().name for run in runs]
    if len(set(numbers)) < len(runs):
        numbers = [str(run.path) for run in runs]
    settings = differing(runs)
    shown: list[str] = []
    room = ROOM
    for name in settings[0]:
        longest = max(len(f", {name} {s[name]}") for s in settings)
        if longest <= room:
            room -= longest
            shown.append(name)
    return [
        ", ".join([f"run {number}", *(f"{name} {s[name]}" for name in shown)])
        for number, s in zip(numbers, settings, strict=True)
    ]


def _metrics(runs: Sequence[RunFiles]) -> list[str]:
    return list(
        dict.fromkeys(name for r in runs for name in r.evaluation["metrics"])
    )


def _head(runs: Sequence[RunFiles]) -> list[str]:
    return [
        "run",
        "settings that differ",
        "parameters",
        *(name.replace("_", " ") for name in _metrics(runs)),
        "training time",
        f"{runs[0].evaluation['examples']}/s",
    ]


def _rows(runs: Sequence[RunFiles]) -> list[tuple[str, ...]]:
    rows = []
    for run, settings in zip(runs, differing(runs), strict=True):
        found = run.evaluation
        rows.append(
            (
                str(run.path),
                ", ".join(f"{k} {v or '-'}" for k, v in settings.items())
                or "none",
                f"{found['parameters']:,}",
                *(_number(found["metrics"].get(m)) for m in _metrics(runs)),
                sections.duration(found["train_seconds"]),
                sections.speed(run) or "-",
            )
        )
    return rows


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:#.4g}"


def _warning(runs: Sequence[RunFiles]) -> str:
    """Returns what to mind where models know different tokens."""
    first, *rest = (
        [found.get("vocabulary"), *(text.get(side) for side in SIDES)]
        for found in (load_metadata(run.path) for run in runs)
        for text in (found.get("text") or {},)
    )
    if all(other == first for other in rest):
        return ""
    return (
        "These models know different tokens: their losses and perplexities "
        "cannot be compared."
    )


def _losses(names: list[str], runs: Sequence[RunFiles]) -> list[Markup]:
    """Returns a figure for each kind of loss, so for one mostly."""
    kinds: dict[str, dict] = {}
    for name, run in zip(names, runs, strict=True):
        rows = [row for row in run.metrics or () if "val_loss" in row]
        if rows:
            points = (
                [row["epoch"] for row in rows],
                [row["val_loss"] for row in rows],
            )
            kinds.setdefault(run.evaluation["loss"], {})[name] = {"": points}
    return [
        svg(
            plots.run_lines(found, f"validation {loss}", "epoch"),
            f"validation {loss} per epoch, of {len(found)} runs",
        )
        for loss, found in kinds.items()
    ]


def _back_in_time(names: list[str], runs: Sequence[RunFiles]) -> Part:
    """Returns gradient norms by step back, a figure per recurrent layer."""
    layers: dict[str, dict] = {}
    rows: list[tuple[str, ...]] = []
    for name, run in zip(names, runs, strict=True):
        for key, values in (run.gradient_norms or {}).items():
            if not key.startswith("steps/"):
                continue
            lines = {AFTER: values[-1]} if len(values) > 1 else {}
            lines[BEFORE] = values[0]
            layer = key.removeprefix("steps/")
            layers.setdefault(layer, {})[name] = {
                when: (np.arange(len(norms)), norms)
                for when, norms in lines.items()
            }
            rows += [
                (name, layer, when, *gradients.ends(norms))
                for when, norms in lines.items()
            ]
    return Part(
        title="Gradients, step back by step back",
        figures=[
            svg(
                plots.run_lines(
                    found,
                    f"norm of the gradient, {layer}",
                    "steps back from the last one read",
                    log=True,
                ),
                f"norm of the gradient by step back, {layer}, of "
                f"{len(found)} runs",
            )
            for layer, found in layers.items()
        ],
        head=("run", *gradients.HEAD),
        rows=rows,
        left=3,
        large=True,
        text="Norms of the gradient of the last step's loss with respect to "
        "the state that each step hands on, on one batch of training "
        "examples. A straight line falls by one factor per step: over many "
        "steps the gradient vanishes. A line ends where no norm above 0 is "
        "left in float32.",
    )
