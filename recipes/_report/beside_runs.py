"""Reading the runs that stand beside another one on its page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipes._report import files
from recipes._report.files import RunFiles
from recipes._run.directory import find
from recipes.catalog import CATALOG
from toolkit.errors import ConfigError, RunError
from toolkit.plots.run_lines import MOST_RUNS


def read_beside(run: RunFiles, paths: Sequence[str | Path]) -> list[RunFiles]:
    """Reads runs that can be compared with another one.

    Args:
        run: the run whose page they stand on.
        paths: run directories.

    Raises:
        ConfigError: a run that is named twice, or more than 7.
        RunError: one that is not there, damaged, not evaluated, or of another
            recipe or other data.
    """
    found = [find(path) for path in paths]
    _check_names([run.path, *found])
    others = [files.read(path) for path in found]
    for other in others:
        _check_recipe(other, run)
    for each in (run, *others):
        _check_evaluated(each)
    for other in others:
        _check_data(other, run)
    return others


def _check_names(paths: list[Path]) -> None:
    if len(paths) > MOST_RUNS:
        raise ConfigError(
            f"--beside takes at most {MOST_RUNS - 1} runs: no figure tells "
            f"more colours apart. Received: {len(paths) - 1}."
        )
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise ConfigError(
                f'The run "{path}" is named twice. Name each run once.'
            )
        seen.add(path.resolve())


def _check_recipe(other: RunFiles, run: RunFiles) -> None:
    theirs, ours = other.config["recipe"], run.config["recipe"]
    if theirs != ours:
        raise RunError(
            f'"{other.path}" is a run of {theirs}, "{run.path}" of {ours}. '
            f"Name runs of {ours}: no others can be compared with it."
        )


def _check_evaluated(run: RunFiles) -> None:
    if not run.evaluation:
        recipe = run.config["recipe"]
        name = recipe if recipe in CATALOG else f"./{recipe}.py"
        raise RunError(
            f'"{run.path}" has no evaluation.json: it has not finished. Go on '
            f"with it: toolkit train {name} --resume {run.path}"
        )


def _check_data(other: RunFiles, run: RunFiles) -> None:
    theirs, ours = _data(other.evaluation), _data(run.evaluation)
    if theirs != ours:
        raise RunError(
            f'"{other.path}" was evaluated on {_described(theirs)}, '
            f'"{run.path}" on {_described(ours)}: their numbers cannot be '
            "compared. Train both with the same --data and the same settings "
            "of the data."
        )


def _data(evaluation: dict[str, Any]) -> tuple[str, int, str]:
    """Returns what tells data apart: sha256 or source, and test examples."""
    known = evaluation.get("sha256") or evaluation["data"]["source"]
    return known, evaluation["count"], evaluation["examples"]


def _described(data: tuple[str, int, str]) -> str:
    known, count, examples = data
    return f"{count:,} {examples} of the data {known:.16}"
