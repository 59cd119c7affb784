"""What each input of a traced model goes into: table rows, sizes, classes.

The inputs of a proof follow from it. An index that is drawn from a few
numbers reads a few rows of its table, and an exporter's error in any other
row would go unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

# Operators whose output holds the numbers of their input, elsewhere or
# shifted by a constant, and the places of their inputs that count.
CARRIERS = {
    "Identity": (0,), "StopGradient": (0,), "Cast": (0,), "Reshape": (0,),
    "ExpandDims": (0,), "Squeeze": (0,), "Transpose": (0,), "Slice": (0,),
    "StridedSlice": (0,), "Tile": (0,), "BroadcastTo": (0,), "Split": (1,),
    "Unpack": (0,), "Reverse": (0,), "ReverseV2": (0,), "Roll": (0,),
    "Pad": (0,), "PadV2": (0,), "SplitV": (0,), "SelectV2": (1, 2),
    "Select": (1, 2), "Pack": None, "ConcatV2": None, "AddV2": None,
    "Add": None, "Sub": None, "EnsureShape": (0,), "ReverseSequence": (0,),
    "TensorListFromTensor": (0,), "TensorListGetItem": (0,),
}  # fmt: skip
CLIPS = {"Maximum", "Minimum", "ClipByValue", "FloorMod", "Mod"}
GATHERS = {"GatherV2", "Gather", "ResourceGather"}
# Operators for which an integer is a size, and the places where it stands.
SIZES = {
    "Fill": (0,), "Range": (0, 1, 2), "Tile": (1,), "Reshape": (1,),
    "BroadcastTo": (1,), "Pad": (1,), "PadV2": (1,), "OneHot": (1,),
    "LinSpace": (2,),
}  # fmt: skip


@dataclass
class Reach:
    """What one input goes into.

    Attributes:
        rows: The smallest number of rows of the tables that it indexes; None
            if there is no such table.
        classes: The smallest number of classes of the one-hot codes that it
            becomes, or of rows that it indexes once it is clipped, outside
            of which it may lie; None if there is none.
        tables: Tables that it indexes, as arrays.
        size: Whether it is used as the size of another tensor.
        counts: Whether it bounds a loop.
        wraps: Whether negative numbers count from the end; those of segments
            do not, and no valid input has them.
    """

    rows: int | None = None
    classes: int | None = None
    tables: list[np.ndarray] = field(default_factory=list)
    size: bool = False
    wraps: bool = True
    counts: bool = False

    def limit(self, rows: int, soft: bool = False) -> None:
        """Notes a table of `rows` rows, or a code of as many classes."""
        if soft:
            self.classes = min(rows, self.classes or rows)
        else:
            self.rows = min(rows, self.rows or rows)


def reaches(entry) -> dict[str, Reach]:
    """Returns what each input of a traced signature goes into.

    Args:
        entry: `export.program.Entry`.
    """
    graph = entry.traced.graph
    variables = {id(v.handle): v for v in graph.variables}
    held = {
        inner.name: variables[id(outer)]
        for outer, inner in graph.captures
        if id(outer) in variables
    }
    found = {}
    for placeholder in graph.inputs[: len(entry.inputs)]:
        name = placeholder.name.split(":")[0]
        found[name] = Reach()
        _follow(placeholder, found[name], held)
    # TensorFlow orders keyword inputs by name, and may rename one.
    ordered = zip(
        sorted(tensor.name for tensor in entry.inputs),
        found.values(),
        strict=True,
    )
    return dict(ordered)


def _follow(tensor, reach: Reach, held, soft: bool = False) -> None:
    """Follows a tensor to the operators that index with it."""
    seen, open_ends = set(), [tensor]
    while open_ends:
        current = open_ends.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for operation in current.consumers():
            for place, given in enumerate(operation.inputs):
                if given is not current:
                    continue
                if operation.type in CLIPS and not soft:
                    _follow(operation.outputs[0], reach, held, soft=True)
                    continue
                open_ends += _beyond(operation, place, reach, held, soft)


def _beyond(operation, place: int, reach: Reach, held, soft: bool) -> list:
    """Notes what an operator does with an input; returns where it goes on."""
    kind = operation.type
    if kind in GATHERS and place == 1:
        _note_table(operation, reach, held, soft)
        return []
    if kind.startswith("UnsortedSegment") and place == 1:
        segments = tf.get_static_value(operation.inputs[2])
        reach.wraps = False
        if segments is not None:
            reach.limit(int(segments))
        return []
    if kind == "OneHot" and place == 0:
        depth = tf.get_static_value(operation.inputs[1])
        if depth is not None:
            reach.limit(int(depth), soft=True)
        return []
    if place in SIZES.get(kind, ()):
        reach.size = True
        return []
    if kind in GATHERS and place == 0:
        return list(operation.outputs)
    if kind in ("While", "StatelessWhile"):
        reach.counts = True
    places = CARRIERS.get(kind, ())
    if kind in CLIPS:
        places = None
    if places is None or place in places:
        return list(operation.outputs)
    return list(_inside(operation, place))


def _inside(operation, place: int) -> Iterator:
    """Yields an operator's input as the functions that it calls have it."""
    first = 1 if operation.type in ("If", "StatelessIf", "Case") else 0
    for attribute in operation.node_def.attr.values():
        names = [attribute.func.name] if attribute.HasField("func") else []
        names += [function.name for function in attribute.list.func]
        for name in names:
            function = _function(operation.graph, name)
            if function is not None and place >= first:
                inputs = function.graph.inputs
                if place - first < len(inputs):
                    yield inputs[place - first]


def _function(graph, name: str):
    while graph is not None:
        try:
            function = graph._get_function(name)
        except (AttributeError, KeyError):
            return None
        if function is not None:
            return function if hasattr(function, "graph") else None
        graph = getattr(graph, "outer_graph", None)
    return None


def _note_table(operation, reach: Reach, held, soft: bool) -> None:
    table = operation.inputs[0]
    axis = 0
    if operation.type == "GatherV2":
        axis = tf.get_static_value(operation.inputs[2])
    source = table
    while source.op.type in ("ReadVariableOp", "Identity", "Cast"):
        source = source.op.inputs[0]
    if source.name in held:
        variable = held[source.name]
        if axis is not None and variable.shape.rank is not None:
            reach.limit(int(variable.shape[int(axis)]), soft)
        if axis == 0:
            reach.tables.append(variable.numpy())
        return
    if axis is None or table.shape.rank is None:
        return
    rows = table.shape[int(axis)]
    if rows is not None:
        reach.limit(int(rows), soft)
    constant = tf.get_static_value(table)
    if constant is not None and axis == 0:
        reach.tables.append(np.asarray(constant))


def asks_for_nan(entry) -> bool:
    """Returns whether a graph asks which numbers are NaN or infinite."""
    asked = {"IsNan", "IsInf", "IsFinite"}
    operations = entry.traced.graph.get_operations()
    return any(operation.type in asked for operation in operations)


def farthest(entry) -> int:
    """Returns how far a model reaches along a sequence; 0 if that is unknown.

    That is the span of a dilated convolution, or the number of rows of a
    table that no input indexes, as tables of positions are.

    Args:
        entry: `export.program.Entry`.
    """
    graph = entry.traced.graph
    found = 0
    for operation in graph.get_operations():
        if operation.type == "Conv2D":
            kernel, dilations = operation.inputs[1].shape, (1, 1, 1, 1)
            if "dilations" in operation.node_def.attr:
                dilations = operation.get_attr("dilations")
            if kernel.rank == 4 and None not in kernel.as_list()[:2]:
                spans = [(kernel[i] - 1) * dilations[i + 1] for i in (0, 1)]
                found = max(found, *spans)
        if operation.type == "SpaceToBatchND":  # how TensorFlow dilates
            block = tf.get_static_value(operation.inputs[1])
            if block is not None:
                width = _window_after(operation.outputs[0])
                found = max(found, int(max(block)) * (width - 1))
        if operation.type in ("StridedSlice", "Slice", *GATHERS):
            source = operation.inputs[0]
            held = source.op.type in ("ReadVariableOp", "Const")
            if held and source.shape.rank == 2 and source.shape[0] is not None:
                index = operation.inputs[1].dtype.is_integer
                if index and not _is_indexed(operation, entry):
                    found = max(found, source.shape[0])
    return found


def _window_after(tensor) -> int:
    """Returns the width of the convolution that reads a tensor; 1 for none."""
    widths = [1]
    for reader in tensor.consumers():
        if reader.type == "ExpandDims":
            widths.append(_window_after(reader.outputs[0]))
        elif reader.type in ("Conv2D", "DepthwiseConv2dNative"):
            widths += [n for n in reader.inputs[1].shape.as_list()[:2] if n]
    return max(widths)


def _is_indexed(operation, entry) -> bool:
    """Returns whether a gather reads rows that an input names."""
    if operation.type not in GATHERS:
        return False
    inputs = {tensor.op.name for tensor in entry.traced.graph.inputs}
    seen, left = set(), [operation.inputs[1].op]
    while left:
        current = left.pop()
        if current.name in seen or current.type == "Shape":
            continue
        seen.add(current.name)
        left += [tensor.op for tensor in current.inputs]
    return bool(seen & inputs)


def ranked_scores(outputs) -> dict[str, tuple[str, tf.Tensor, int]]:
    """Returns the scores behind outputs that are numbers of a ranking.

    Args:
        outputs: Symbolic tensors by output name.

    Returns:
        By output name, the operator (`TopKV2`, `ArgMax` or `ArgMin`), the
        tensor that it reads, and the ranked axis of it.
    """
    found = {}
    for name, tensor in outputs.items():
        source = tensor
        while source.op.type in ("Identity", "Cast", "ExpandDims", "Squeeze"):
            source = source.op.inputs[0]
        kind = source.op.type
        if kind == "TopKV2" and source is source.op.outputs[1]:
            scores = source.op.inputs[0]
            if scores.shape.rank is not None:
                found[name] = kind, scores, scores.shape.rank - 1
        elif kind in ("ArgMax", "ArgMin"):
            scores = source.op.inputs[0]
            axis = tf.get_static_value(source.op.inputs[1])
            rank = scores.shape.rank
            if axis is None or rank is None:
                continue
            found[name] = kind, scores, int(axis) % rank
    return found
