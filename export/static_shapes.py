"""Reshapes with one open size: -1 instead of a computation at run time.

Keras' Flatten and Reshape read the batch size from the input, which becomes
Shape, StridedSlice and Pack nodes in the graph: work at every call, and a
border that LiteRT's delegates cannot cross. A reshape leaves no doubt about
one size when it knows all others.
"""

from __future__ import annotations

from collections.abc import MutableSequence

import numpy as np
import tensorflow as tf

from export.frozen_graph import rebuild


def simplify_reshapes(function):
    """Returns an equal function whose reshapes read no shapes where possible.

    Bodies of loops and branches stay as they are.

    Args:
        function: a concrete function without variables.

    Returns:
        A concrete function with the same inputs and outputs; the given one if
        there is nothing to simplify.
    """
    graph = function.graph.as_graph_def()
    if not _simplify(graph.node):
        return function
    return rebuild(function, graph)


def _simplify(nodes: MutableSequence) -> bool:
    by_name = {node.name: node for node in nodes}
    new = []
    for node in nodes:
        if node.op != "Reshape":
            continue
        sizes = _sizes(by_name, by_name.get(_producer(node.input[1])))
        if sizes is None or sizes.count(-1) != 1 or 0 in sizes:
            continue
        constant = tf.compat.v1.NodeDef(
            name=f"{node.name}/static_shape", op="Const"
        )
        constant.attr["dtype"].type = tf.int32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(
            tf.make_tensor_proto(np.array(sizes, np.int32))
        )
        new.append(constant)
        node.input[1] = constant.name
        node.attr["Tshape"].type = tf.int32.as_datatype_enum
    nodes.extend(new)
    return bool(new)


def _sizes(by_name, pack) -> list[int] | None:
    """Returns the sizes that a Pack node makes, -1 where it computes one."""
    if pack is None or pack.op != "Pack" or pack.attr["axis"].i != 0:
        return None
    sizes = []
    for name in pack.input:
        if name.startswith("^"):
            return None
        item = by_name.get(_producer(name))
        value = _constant(item)
        sizes.append(-1 if value is None else value)
    return sizes


def _constant(node) -> int | None:
    if node is None or node.op != "Const":
        return None
    value = tf.make_ndarray(node.attr["value"].tensor)
    return int(value) if value.ndim == 0 else None


def _producer(name: str) -> str:
    return name.split(":")[0]
