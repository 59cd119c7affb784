"""Loading a Keras model that a user named: a run or a .keras file."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from recipes._run.directory import find
from toolkit._backend import load_tensorflow
from toolkit.errors import DataError, ToolkitError


class ModelFileError(ToolkitError):
    """A .keras file that cannot be loaded."""


def load_model(path: str | Path):
    """Loads a `keras.Model` from a .keras file or a run directory.

    Raises:
        ModelFileError: missing, truncated, foreign, or holding a Lambda.
    """
    path = Path(path)
    if path.is_dir():
        path = find(path) / "model.keras"
        if not path.is_file():
            raise ModelFileError(
                f'The run "{path.parent}" has no model.keras: it has not '
                "finished training."
            )
    if not path.is_file():
        raise ModelFileError(f'There is no model file "{path}".')
    if path.suffix != ".keras":
        raise ModelFileError(
            f'"{path}" is not a .keras file. Save the model with '
            '`model.save("model.keras")`.'
        )
    if not zipfile.is_zipfile(path):
        raise ModelFileError(
            f'"{path}" is damaged: not a whole .keras archive '
            f"({path.stat().st_size} bytes). Save or copy it again."
        )
    load_tensorflow()
    import keras

    import toolkit.layers
    import toolkit.models  # noqa: F401  both register our classes by name

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises what its parts raise
        text = str(error)
        if "lambda" in text.lower():
            raise ModelFileError(
                f'"{path}" holds a Lambda layer, which may run any Python '
                "code, so it is not loaded. Replace the Lambda by a layer "
                "class, or load it yourself with safe_mode=False and call "
                "export.export(model, ...)."
            ) from error
        foreign = re.search(r"Could not locate (\w+) '([^']+)'", text)
        if foreign:
            raise ModelFileError(
                f'"{path}" holds the {foreign[1]} "{foreign[2]}", which is '
                "not known here. Import the module that registers it "
                "(keras.saving.register_keras_serializable) and call "
                "export.export(model, ...) from Python."
            ) from error
        reason = next((x for x in text.splitlines() if x.strip()), "")
        raise ModelFileError(
            f'"{path}" cannot be loaded: {reason.strip()[:300]}'
        ) from error


def read_samples(name: str):
    """Returns real inputs: an array of .npy, or arrays by name of .npz.

    Raises:
        DataError: The file cannot be read.
    """
    import numpy as np

    path = Path(name)
    try:
        loaded = np.load(path)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f'Cannot read the samples "{path}": {error}') from error
    return dict(loaded) if path.suffix == ".npz" else loaded
