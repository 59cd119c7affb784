"""Matrices that an ONNX graph holds both ways round, held once."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

LEAST = 1 << 16  # bytes of a matrix that is worth a node


def share_transposes(graph: onnx.GraphProto) -> None:
    """Lets a constant that is the transpose of another be made from it.

    A model whose output uses the vectors of its embedding reads one matrix as
    rows and as columns, and the converter writes both. ONNX Runtime makes the
    second when it loads the file, so it runs as fast, and the file is
    smaller by the whole matrix.

    Args:
        graph: the graph to rewrite in place; inner graphs are left alone.
    """
    held: dict[tuple[int, ...], list[tuple[str, np.ndarray]]] = {}
    kept, transposes = [], []
    for constant in graph.initializer:
        matrix = _matrix(constant)
        if matrix is not None:
            turned = matrix.T
            source = next(
                (
                    name
                    for name, other in held.get(turned.shape, [])
                    if other.dtype == turned.dtype
                    and np.array_equal(other, turned)
                ),
                None,
            )
            if source is not None:
                transposes.append(
                    helper.make_node(
                        "Transpose", [source], [constant.name], perm=[1, 0]
                    )
                )
                continue
            held.setdefault(matrix.shape, []).append((constant.name, matrix))
        kept.append(constant)
    if not transposes:
        return
    ordered = [*transposes, *graph.node]
    copies = [type(item).FromString(item.SerializeToString()) for item in kept]
    del graph.initializer[:]
    graph.initializer.extend(copies)
    del graph.node[:]
    graph.node.extend(ordered)


def _matrix(constant: onnx.TensorProto) -> np.ndarray | None:
    """Returns a large matrix, None for any other constant."""
    if len(constant.dims) != 2:
        return None
    matrix = numpy_helper.to_array(constant)
    return matrix if matrix.nbytes >= LEAST else None
