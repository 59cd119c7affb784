"""Exported files in their runtimes: one kind of error, and no greetings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from export import runtime
from recipes._run.directory import find
from recipes._run.exporting import load_metadata
from toolkit._backend import silence
from toolkit.errors import DataError, ToolkitError


@contextlib.contextmanager
def in_runtime() -> Iterator[None]:
    """Holds back what runtimes greet with; makes their errors ours.

    Raises:
        ToolkitError: a file that cannot be run.
        DataError: an input that does not fit.
    """
    failure = None
    with silence():  # delegates greet
        try:
            yield
        except (runtime.ModelError, runtime.InputError) as error:
            failure = error  # inside, so that the greeting stays unheard
    if isinstance(failure, runtime.ModelError):
        raise ToolkitError(str(failure)) from failure
    if failure:
        raise DataError(str(failure)) from failure


def is_file(path: Path) -> bool:
    """Returns whether a path is meant as an exported file, not as a run."""
    named = path.suffix in (".onnx", ".tflite")
    return named or path.is_file() or (path / "saved_model.pb").is_file()


def open_model(path: Path) -> tuple[runtime.Model | None, dict]:
    """Returns the model of a file, or None of a run; and its metadata.

    Args:
        path: a run directory or an exported file.

    Raises:
        ToolkitError: it is missing or damaged.
    """
    if not is_file(path):
        return None, load_metadata(find(path))
    with in_runtime():
        model = runtime.load(path)
    return model, model.metadata
