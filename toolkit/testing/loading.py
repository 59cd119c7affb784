"""The other side of `check_fresh_process`: loads files, writes answers."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path

from toolkit.evaluation.float64_model import reason


def main() -> None:
    """Loads the models that standard input lists; writes what went wrong."""
    task = json.load(sys.stdin)
    errors = [_run(**job) for job in task["jobs"]]
    Path(task["errors"]).write_text(json.dumps(errors))


def _run(path: str, modules: dict[str, str | None]) -> str | None:
    """Returns why a model cannot be used, or None.

    Its answer is written beside it.
    """
    for name, file in modules.items():
        try:
            _import(name, file)
        except Exception as error:  # whatever the user's module raises
            return f"the module {name} cannot be imported: {error!r}"
    import keras
    import numpy as np

    try:
        model = keras.models.load_model(path)
        with np.load(f"{path}.inputs.npz") as arrays:
            inputs = keras.tree.pack_sequence_as(
                model.input, list(arrays.values())
            )
        outputs = keras.tree.flatten(model(inputs, training=False))
        arrays = [keras.ops.convert_to_numpy(item) for item in outputs]
        np.savez(f"{path}.outputs.npz", *arrays)
    except Exception as error:
        return f"it cannot be loaded and called. {reason(error)}"
    return None


def _import(name: str, file: str | None) -> None:
    if name in sys.modules:
        return
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        if file is None:
            raise
        # Imported from a file that is not on the path, as pytest can do.
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
