"""Whether a file holds the tables of a model bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np


def missing_tables(
    path: Path, tables: Iterable[np.ndarray]
) -> list[np.ndarray]:
    """Returns the tables of which a file holds no equal copy.

    Args:
        path: A .onnx or .tflite file or a SavedModel directory.
        tables: The model's.
    """
    tables = list(tables)
    if not tables:
        return []
    sizes = {table.nbytes for table in tables}
    held = {
        _digest(content)
        for content in _contents(Path(path))
        if len(content) in sizes
    }
    return [t for t in tables if _digest(t.tobytes()) not in held]


def _digest(content) -> str:
    return hashlib.sha256(content).hexdigest()


def _contents(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        yield from _of_saved_model(path)
    elif path.suffix == ".onnx":
        yield from _of_onnx(path)
    else:
        yield from _of_litert(path)


def _of_saved_model(path: Path) -> Iterator[bytes]:
    import tensorflow as tf

    index = path / "variables" / "variables.index"
    if not index.is_file():
        return
    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    for name, dtype in reader.get_variable_to_dtype_map().items():
        if dtype != tf.string:
            yield np.asarray(reader.get_tensor(name)).tobytes()


def _of_onnx(path: Path) -> Iterator[bytes]:
    import onnx

    from export.onnx_graph import nodes

    graph = onnx.load(str(path)).graph
    tensors = list(graph.initializer)
    for node in nodes(graph):
        tensors += [a.t for a in node.attribute if a.HasField("t")]
    for tensor in tensors:
        yield onnx.numpy_helper.to_array(tensor).tobytes()


def _of_litert(path: Path) -> Iterator[bytes]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    for index in range(model.BuffersLength()):
        content = model.Buffers(index).DataAsNumpy()
        if not isinstance(content, int):  # an empty one is 0
            yield content.tobytes()
