"""Slices of an ONNX graph that take everything, left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from export.onnx_graph import inner_graphs

ENDLESS = 1_000_000_000  # as the converter writes an open end


def drop_whole_slices(graph: onnx.GraphProto) -> None:
    """Removes slices from 0 to an open end in steps of 1.

    The converter writes them beside each new axis, `x[:, None]`. One whose
    result is an output of its graph stays, as that needs a node.

    Args:
        graph: the graph to rewrite in place, with its inner graphs.
    """
    _drop(graph, {}, {})


def _drop(graph, outer_constants, outer_names) -> None:
    constants = outer_constants | {
        item.name: item for item in graph.initializer
    }
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    constants[node.output[0]] = attribute.t
    outputs = {value.name for value in graph.output}
    names = dict(outer_names)
    kept = []
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        if _takes_everything(node, constants) and node.output[0] not in outputs:
            names[node.output[0]] = node.input[0]
            continue
        for inner in inner_graphs(node):
            _drop(inner, constants, names)
        kept.append(node)
    if len(kept) < len(graph.node):
        kept = [type(n).FromString(n.SerializeToString()) for n in kept]
        del graph.node[:]
        graph.node.extend(kept)


def _takes_everything(node: onnx.NodeProto, constants) -> bool:
    if node.op_type != "Slice" or len(node.input) < 3:
        return False
    held = list(_held(node, constants))
    starts, ends, _, steps = held
    if starts is None or ends is None:
        return False
    if len(node.input) > 4 and node.input[4] and steps is None:
        return False
    return bool(
        np.all(starts == 0)
        and np.all(ends >= ENDLESS)
        and (steps is None or np.all(steps == 1))
    )


def _held(node, constants) -> Iterator[np.ndarray | None]:
    """Yields starts, ends, axes and steps of a slice; None where unknown."""
    for place in range(1, 5):
        name = node.input[place] if place < len(node.input) else ""
        tensor = constants.get(name)
        yield None if tensor is None else numpy_helper.to_array(tensor)
