"""The whole state of a training run in one file.

Keras' own files hold neither seed generators nor metric totals; here every
variable is held, by position.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from toolkit.errors import RunError
from toolkit.io import atomic_write

VERSION = 1


def save_state(
    path: str | Path, model: keras.Model, position: dict[str, Any]
) -> None:
    """Writes weights, optimizer, seed generators and metric totals, atomically.

    Args:
        path: the file, an .npz: `header` (JSON), `variable_0`, ...,
            `metric_0`, ...
        model: a compiled model.
        position: where the run stands, such as `{"epoch": 3}`; JSON.

    Raises:
        OSError: the disk is full or not writable; the old file stays.
    """
    variables = _variables(model)
    arrays = {f"variable_{i}": np.asarray(v) for i, v in enumerate(variables)}
    for i, v in enumerate(model.metrics_variables):
        arrays[f"metric_{i}"] = np.asarray(v)
    header = {
        "version": VERSION,
        "paths": [v.path for v in variables],
        "position": position,
    }
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(json.dumps(header)), **arrays)
    atomic_write(path, buffer.getvalue())


def load_state(path: str | Path, model: keras.Model) -> dict[str, Any]:
    """Puts the state of a file into a model of the same architecture.

    Metric totals are put back where the model has made its metrics, which
    Keras does at the first step; at the start of an epoch they are 0 anyway.

    Args:
        path: a file of `save_state`.
        model: a compiled model, built as the saved one was.

    Returns:
        The position that was saved.

    Raises:
        RunError: the file is missing or damaged, or of another model; the
            model is left as it was.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file, np.load(file) as archive:
            header = json.loads(str(archive["header"]))
            arrays = [
                archive[f"variable_{i}"] for i in range(len(header["paths"]))
            ]
            totals = [
                archive[name] for name in archive if name.startswith("metric_")
            ]
    except FileNotFoundError as error:
        raise RunError(f'There is no checkpoint "{path}".') from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            f'The checkpoint "{path}" is damaged: {error}.'
        ) from error
    if header["version"] != VERSION:
        raise RunError(
            f'The checkpoint "{path}" has version {header["version"]}; this '
            f"toolkit reads version {VERSION}."
        )
    variables = _variables(model)
    ours = [(tuple(v.shape), str(v.dtype)) for v in variables]
    theirs = [(a.shape, str(a.dtype)) for a in arrays]
    if ours != theirs:
        difference = next(
            (
                f"variable {i} is {b[1]}{list(b[0])} in the file and "
                f"{a[1]}{list(a[0])} in the model"
                for i, (a, b) in enumerate(zip(ours, theirs, strict=False))
                if a != b
            ),
            f"{len(theirs)} variables in the file, {len(ours)} in the model",
        )
        raise RunError(
            f'The checkpoint "{path}" is of another model: {difference}.'
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    if len(totals) == len(model.metrics_variables):
        for variable, array in zip(
            model.metrics_variables, totals, strict=True
        ):
            variable.assign(array)
    return header["position"]


def _variables(model: keras.Model) -> list:
    variables = list(model.variables)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        variables += optimizer.variables
    seen: set[int] = set()
    return [v for v in variables if not (id(v) in seen or seen.add(id(v)))]
