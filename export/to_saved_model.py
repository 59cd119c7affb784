"""SavedModel: the directory that TensorFlow and its server load."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import tensorflow as tf
from tensorflow.python.trackable.resource import TrackableResource

from export.errors import ArtifactError, ConversionError, OperatorError
from export.lowering.registry import layers
from export.program import Program

PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")


def convert(program: Program, path: Path, options: dict) -> dict:
    """Writes every signature of a program into one SavedModel.

    Args:
        program: the traced model.
        path: directory to write.
        options: none are used.

    Returns:
        Facts for the report: none.

    Raises:
        ConversionError: a layer reads a table that it does not hold.
    """
    module = tf.Module()
    # Keeps the variables alive and finds them again at load.
    module.variables_ = [v.value for v in program.model.variables]
    module.captured = [
        variable
        for entry in program.entries
        for variable in entry.traced.graph.variables
    ]
    module.tables = [
        value
        for layer in layers(program.model)
        for value in vars(layer).values()
        if isinstance(value, TrackableResource)
    ]
    try:
        tf.saved_model.save(
            module,
            str(path),
            signatures={entry.name: entry.traced for entry in program.entries},
        )
    except AssertionError as error:  # TensorFlow's, of untracked resources
        raise ConversionError(
            f'The SavedModel of "{program.model.name}" needs a table or '
            "variable that no layer holds as an attribute, so it would be "
            f"lost: {str(error).splitlines()[0]} Keep it in an attribute of "
            "the layer that reads it."
        ) from error
    return {}


def inspect(path: Path) -> dict[str, int]:
    """Counts the operators of a SavedModel.

    Raises:
        ArtifactError: the directory holds no readable SavedModel.
        OperatorError: it calls Python functions, which live in no file.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    try:
        proto.ParseFromString((Path(path) / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise ArtifactError(
            f'"{path}" is not a readable SavedModel: {error}. Export it again.'
        ) from error
    counts: Counter[str] = Counter()
    for meta in proto.meta_graphs:
        for function in meta.graph_def.library.function:
            counts.update(node.op for node in function.node_def)
    python = sorted(set(counts) & set(PYTHON))
    if python:
        raise OperatorError(
            f"The SavedModel calls Python functions ({', '.join(python)}), "
            "which no file can hold. Replace tf.py_function and "
            "tf.numpy_function in the model by TensorFlow operators."
        )
    return dict(sorted(counts.items()))
