"""The one table of export formats; imports no TensorFlow.

The command line, the validation of arguments, the benchmark and the
documentation's format matrix all read it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from export.errors import ArtifactError, UnknownFormatError
from toolkit.errors import closest

STAGING = ".export-"  # how temporary folders of an export begin


@dataclass(frozen=True)
class Format:
    """One way in which a model leaves.

    Attributes:
        name: what a user writes.
        title: what a page shows.
        suffix: of the file; empty for a directory.
        runtime: the stock runtime that runs it.
        package: distribution of that runtime.
        operators: which operators a file may hold.
        dynamic: which axes may stay open.
        needs_tensorflow: whether running the file takes TensorFlow.
        one_signature: whether a file holds a single signature, so that a
            model with several leaves in several files.
        module: module with `convert` and `operators`.
    """

    name: str
    title: str
    suffix: str
    runtime: str
    package: str
    operators: str
    dynamic: str
    needs_tensorflow: bool
    one_signature: bool
    module: str

    def filename(self, model_name: str, signature: str = "") -> str:
        """Returns the artifact's name inside an export directory.

        Args:
            model_name: the model's name, fit for a file.
            signature: what a file of one signature other than the default
                holds.
        """
        if not self.suffix:
            return self.name
        return "_".join(filter(None, (model_name, signature))) + self.suffix

    @property
    def convert(self) -> Callable:
        """`convert(program, path, options)`, imported on first use."""
        return importlib.import_module(self.module).convert

    @property
    def inspect(self) -> Callable:
        """`inspect(path)` -> operator counts, or `OperatorError`."""
        return importlib.import_module(self.module).inspect


FORMATS: dict[str, Format] = {
    item.name: item
    for item in (
        Format(
            name="saved_model",
            title="SavedModel",
            suffix="",
            runtime="TensorFlow, TensorFlow Serving",
            package="tensorflow",
            operators="any but Python functions",
            dynamic="every axis that the Keras model leaves open",
            needs_tensorflow=True,
            one_signature=False,
            module="export.to_saved_model",
        ),
        Format(
            name="onnx",
            title="ONNX",
            suffix=".onnx",
            runtime="ONNX Runtime",
            package="onnxruntime",
            operators="default domain only",
            dynamic="every axis that the Keras model leaves open",
            needs_tensorflow=False,
            one_signature=True,
            module="export.to_onnx",
        ),
        Format(
            name="litert",
            title="LiteRT",
            suffix=".tflite",
            runtime="LiteRT (TensorFlow Lite)",
            package="ai-edge-litert",
            operators="builtin only, no Flex",
            dynamic="every axis that the Keras model leaves open",
            needs_tensorflow=False,
            one_signature=False,
            module="export.to_litert",
        ),
    )
}


def parse(formats: str | Iterable[str]) -> tuple[Format, ...]:
    """Returns the formats that a user named, in the order of the table.

    Args:
        formats: names, or one string with commas between them.

    Raises:
        UnknownFormatError: a name that is not in the table, or none at all.
    """
    if isinstance(formats, str):
        formats = formats.split(",")
    names = [str(name).strip() for name in formats]
    for name in names:
        if name not in FORMATS:
            raise UnknownFormatError(
                f'Unknown export format "{name}".{closest(name, FORMATS)} '
                f"Available: {', '.join(FORMATS)}."
            )
    if not names:
        raise UnknownFormatError(
            "No export format was given. "
            f"Name at least one of: {', '.join(FORMATS)}."
        )
    return tuple(FORMATS[name] for name in FORMATS if name in names)


def of(path: str | Path) -> Format:
    """Returns the format of an artifact, judged by its name and kind.

    Raises:
        ArtifactError: there is no such file, or no format fits it.
    """
    path = Path(path)
    if not path.exists():
        raise ArtifactError(
            f'There is no exported file "{path}". `toolkit export` writes one.'
        )
    for item in FORMATS.values():
        if item.suffix and path.suffix == item.suffix and path.is_file():
            return item
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return FORMATS["saved_model"]
    raise ArtifactError(
        f'"{path}" is not an exported model. Expected a file ending in '
        f"{' or '.join(f.suffix for f in FORMATS.values() if f.suffix)}, or "
        "a SavedModel directory (one that holds saved_model.pb)."
    )
