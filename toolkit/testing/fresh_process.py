"""The check that a saved layer is loaded by name where nothing is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from toolkit.errors import LayerContractError
from toolkit.evaluation.float64_config import config_of, own_objects
from toolkit.testing.saving import check_registered
from toolkit.testing.subject import Subject, farthest, reproducible

CHECK = "fresh_process"
LOAD = "from toolkit.testing.loading import main; main()"


def check_fresh_process(
    layers: Mapping[str, Sequence], timeout: float = 600
) -> None:
    """Loads saved layers by name in a new process, and compares answers.

    What else this process has imported or registered hides what is missing
    where a file is used: there, only the module that defines the layer is
    imported. One process, and one start of TensorFlow, serves all layers.

    Args:
        layers: by a label for messages, `(layer, inputs)` or `(layer, inputs,
            arguments)`, each as for `check_layer`.
        timeout: limit of the process, in seconds.

    Raises:
        LayerContractError: a layer is defined where nothing can import it
            from, is not registered, cannot be loaded, or gives another answer
            when it is. All layers that fail are told.
        ConfigError: an argument that cannot be used.

    Example:
    >>> from toolkit.layers import ScaledTanh
    >>> from toolkit.testing import check_fresh_process
    >>> check_fresh_process({"ScaledTanh": (ScaledTanh, (4, 5))})
    """
    with reproducible():
        subjects = {k: Subject(*case) for k, case in layers.items()}
        with tempfile.TemporaryDirectory() as folder:
            jobs, expected = [], {}
            for number, (label, subject) in enumerate(subjects.items()):
                path = str(Path(folder) / f"{number}.keras")
                model, modules = _saved(subject, path)
                jobs.append({"path": path, "modules": modules})
                expected[label] = subject.call(model, training=False)
                np.savez(f"{path}.inputs.npz", *subject.arrays)
            errors = _load(jobs, Path(folder) / "errors.json", timeout)
            failures = {}
            for job, error, (label, outputs) in zip(
                jobs, errors, expected.items(), strict=True
            ):
                if error is None:
                    with np.load(f"{job['path']}.outputs.npz") as found:
                        error = _difference(outputs, list(found.values()))
                if error is not None:
                    failures[label] = error
    if failures:
        lines = [f"{label}: {text}" for label, text in failures.items()]
        raise LayerContractError(
            f"{', '.join(failures)}, {CHECK}: loaded in a new process, which "
            "imports nothing but the modules that define the layers,\n  "
            + "\n  ".join(lines),
            CHECK,
        )


def _saved(subject: Subject, path: str) -> tuple[keras.Model, dict]:
    """Saves a model of a layer; returns it and the modules it is made of."""
    layer = subject.built()
    check_registered(subject, layer)
    model = subject.model(layer)
    modules = {}
    with subject.attempt(CHECK, "cannot be saved"):
        model.save(path)
        items = own_objects(model, config_of(model)).values()
    for item in items:
        module = sys.modules.get(item.__module__)
        if item.__module__ == "__main__" or "<locals>" in item.__qualname__:
            place = (
                "in a function"
                if "<locals>" in item.__qualname__
                else "in __main__, a script or a notebook"
            )
            subject.fail(
                CHECK,
                f"`{item.__name__}` is defined {place}, from where no other "
                "process can import it. Move it into a module, or leave this "
                "check out with fresh_process=False.",
            )
        modules[item.__module__] = getattr(module, "__file__", None)
    return model, modules


def _load(jobs: list, errors: Path, timeout: float) -> list:
    places = [os.path.abspath(place) for place in sys.path]
    environment = {
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # this process has the rest
        **os.environ,
        "PYTHONPATH": os.pathsep.join(places),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", LOAD],
            input=json.dumps({"jobs": jobs, "errors": str(errors)}),
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise LayerContractError(
            f"{CHECK}: the new process did not end within {timeout:g} s. Does "
            "a module that defines a layer do something when it is imported?",
            CHECK,
        ) from error
    if not errors.is_file():
        raise LayerContractError(
            f"{CHECK}: the new process ended with status {done.returncode}:\n"
            f"{done.stderr[-2000:]}",
            CHECK,
        )
    return json.loads(errors.read_text())


def _difference(expected: list, found: list) -> str | None:
    for a, b in zip(expected, found, strict=True):
        if a.shape != b.shape or farthest(a, b) > 1e-5:
            return (
                "it gives another answer. What it computes with must be in "
                "its config or in its weights."
            )
    return None
