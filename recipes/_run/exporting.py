"""Exporting the model of a run with what is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import RunError


def export_run(run, formats: str | Iterable[str], **options: Any):
    """Exports a run's model into its `export` directory.

    Args:
        run: a `Run` that has its model.
        formats: names of formats.
        options: as for `export.export`.

    Returns:
        The report of `export.export`.

    Raises:
        RunError: the run has no model yet.
    """
    import export

    if run.model is None:
        raise RunError(f"The run {run.path} has no trained model yet.")
    metadata = dict(run.metadata)
    for name in ("signatures", "streaming"):
        if name in metadata:
            options.setdefault(name, metadata.pop(name))
    run.check_directory()
    report = export.export(
        run.model,
        run.path / "export",
        formats,
        name=run.recipe,
        metadata=metadata,
        samples=run.samples,
        **options,
    )
    for line in str(report).splitlines():
        run.say(line)
    return report


def fitting_samples(
    samples: np.ndarray | None, fixed: Mapping[str, int]
) -> np.ndarray | None:
    """Returns a run's real inputs at the sizes that an export fixes.

    Args:
        samples: batch first, time second where there is one; None for none.
        fixed: axis name -> size.

    Returns:
        So many rows, some of them twice if there are too few, with their first
        steps; None if they are too short.
    """
    if samples is None:
        return None
    if "time" in fixed and samples.ndim > 1:
        if samples.shape[1] < fixed["time"]:
            return None
        samples = samples[:, : fixed["time"]]
    rows = max(fixed.get("batch", 1), len(samples))
    return np.resize(samples, (rows, *samples.shape[1:]))


def load_metadata(path: Path) -> dict[str, Any]:
    """Returns what a run knows of its model for the exported files.

    Raises:
        RunError: the file is damaged.
    """
    file = path / "metadata.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:  # no JSON, or no UTF-8
        raise RunError(
            f'"{file}" is damaged: {error}. Copy the run again, or train anew.'
        ) from error
    if not isinstance(found, dict):
        raise RunError(
            f'"{file}" is damaged: it holds no object. Copy the run again, or '
            "train anew."
        )
    return found


def load_samples(path: Path) -> np.ndarray | None:
    """Returns the real inputs that a run kept for comparisons."""
    try:
        return np.load(path / "samples" / "inputs.npy")
    except FileNotFoundError:
        return None
