"""The whole state of a training run in one file.

Keras' own files hold neither seed generators nor metric totals; here every
variable is held, by position. The file ends in its own SHA-256: a byte that
was flipped on disk is noticed.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from toolkit.errors import RunError
from toolkit.io import atomic_path, atomic_write, duplicate

VERSION = 1
PUT_BACK = "Put the file back, or start a new run."
DIGEST = 32  # bytes


class OtherVersionError(RunError):
    """A checkpoint that another version of this toolkit wrote."""


def save_state(
    path: str | Path,
    model: keras.Model,
    position: dict[str, Any],
    keep_previous: bool = False,
) -> None:
    """Writes weights, optimizer, seed generators and metric totals, atomically.

    Args:
        path: the file, an .npz: `header` (JSON), `variable_0`, ...,
            `metric_0`, ..., and the SHA-256 of all that.
        model: a compiled model.
        position: where the run stands, such as `{"epoch": 3}`; JSON.
        keep_previous: whether the file that was there stays beside the new
            one, as `previous(path)`.

    Raises:
        OSError: the disk is full or not writable; the old file stays.
    """
    path = Path(path)
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
    content = buffer.getvalue()
    if keep_previous and path.exists():
        # A second name first: at no time is there no whole file.
        with atomic_path(previous(path)) as temporary:
            duplicate(path, temporary)
    atomic_write(path, content + hashlib.sha256(content).digest())


def previous(path: str | Path) -> Path:
    """Returns where `save_state` keeps the file before the last one."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def read_position(path: str | Path) -> dict[str, Any]:
    """Returns the position in a file of `save_state`, without a model.

    Raises:
        OtherVersionError: If another version of this toolkit wrote the file.
        RunError: If the file is missing or damaged.
    """
    return _read(Path(path))[0]["position"]


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
    header, arrays, totals = _read(Path(path))
    variables = _variables(model)
    ours = [(tuple(v.shape), str(v.dtype)) for v in variables]
    theirs = [(a.shape, str(a.dtype)) for a in arrays]
    if ours != theirs:
        difference = next(
            (
                f'variable {i} ("{name}") is {b[1]}{list(b[0])} in the file '
                f"and {a[1]}{list(a[0])} in the model"
                for i, (name, a, b) in enumerate(
                    zip(header["paths"], ours, theirs, strict=False)
                )
                if a != b
            ),
            f"{len(theirs)} variables in the file, {len(ours)} in the model",
        )
        raise RunError(
            f'The checkpoint "{path}" is of another model: {difference}. '
            "Build the model as it was, or start a new run."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    if len(totals) == len(model.metrics_variables):
        for variable, array in zip(
            model.metrics_variables, totals, strict=True
        ):
            variable.assign(array)
    return header["position"]


def _read(path: Path) -> tuple[dict, list[np.ndarray], list[np.ndarray]]:
    """Returns header, variables and metric totals of a file."""
    try:
        whole = path.read_bytes()
    except FileNotFoundError as error:
        raise RunError(
            f'There is no checkpoint "{path}". {PUT_BACK}'
        ) from error
    content, digest = whole[:-DIGEST], whole[-DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise RunError(
            f'The checkpoint "{path}" is damaged: its content does not match '
            f"its checksum. {PUT_BACK}"
        )
    try:
        with np.load(io.BytesIO(content)) as archive:
            header = json.loads(str(archive["header"]))
            version = header["version"]
            arrays, totals = (
                [
                    archive[f"{kind}_{i}"]
                    for i in range(
                        sum(n.startswith(f"{kind}_") for n in archive.files)
                    )
                ]
                for kind in ("variable", "metric")
            )
    except (
        OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile
    ) as error:  # fmt: skip
        raise RunError(
            f'"{path}" is not a checkpoint of this toolkit: {error}. {PUT_BACK}'
        ) from error
    if version != VERSION:
        raise OtherVersionError(
            f'The checkpoint "{path}" has version {version}; this toolkit '
            f"reads version {VERSION}. Train on with the version that wrote "
            "it."
        )
    missing = [key for key in ("paths", "position") if key not in header]
    if missing:
        raise RunError(
            f'"{path}" is not a checkpoint of this toolkit: its header lacks '
            f"{' and '.join(missing)}. {PUT_BACK}"
        )
    return header, arrays, totals


def _variables(model: keras.Model) -> list:
    variables = list(model.variables)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        variables += optimizer.variables
    # `model.variables` may hold the metrics, once they are made.
    seen = {id(v) for v in model.metrics_variables}
    return [v for v in variables if not (id(v) in seen or seen.add(id(v)))]
