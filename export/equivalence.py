"""Changes of a constant that provably change no answer of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

COMPARISONS = {
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Equal": np.equal,
}
ENDLESS = 1_000_000_000  # beyond any axis


@dataclass(frozen=True)
class Place:
    """One use of a constant.

    Attributes:
        rule: Takes the constant and the changed one; returns whether this use
            gives the same answers with both. None if nothing is known.
    """

    rule: Callable[[np.ndarray, np.ndarray], bool] | None

    def ignores(self, before: np.ndarray, after: np.ndarray) -> bool:
        """Returns whether the change provably changes nothing here."""
        return self.rule is not None and self.rule(before, after)


def is_shift(before: np.ndarray, after: np.ndarray) -> bool:
    """Returns whether one number was added to all others.

    In front of a softmax that moves all scores of a row alike.
    """
    if before.dtype.kind != "f":
        return False
    step = after.astype(np.float64) - before.astype(np.float64)
    return float(np.ptp(step)) <= 1e-6 * max(1.0, float(np.abs(step).max()))


def is_same_number(before: np.ndarray, after: np.ndarray) -> bool:
    """Returns whether only signs of zeros differ, which no comparison sees."""
    return np.array_equal(before, after)


def is_beyond(before: np.ndarray, after: np.ndarray) -> bool:
    """Returns whether only ends of slices beyond any axis differ."""
    changed = before != after
    return bool(
        np.all(before[changed] >= ENDLESS) and np.all(after[changed] >= ENDLESS)
    )


def is_same_set(before: np.ndarray, after: np.ndarray) -> bool:
    """Returns whether axes are named in another order."""
    return np.array_equal(np.sort(before, None), np.sort(after, None))


def is_new_shape(before: np.ndarray, after: np.ndarray) -> bool:
    """Returns True: what reads the reshaped tensor flattens it again.

    Where the runtime takes the other shape at all. One that it refuses, or
    with other rows, changes the product's shape.
    """
    known = [n for n in before.tolist() if n > 0]
    return bool(known) and sorted(map(abs, before)) == sorted(map(abs, after))


def masked_entries(mask: int) -> Callable[[np.ndarray, np.ndarray], bool]:
    """Returns a rule: changes only where a bit of the mask is set.

    There a strided slice does not read its begin, or its end.
    """

    def rule(before, after):
        changed = np.flatnonzero(np.atleast_1d(before != after))
        return all(mask >> int(i) & 1 for i in changed)

    return rule


# ONNX


def onnx_uses(graph) -> dict[str, list[Place]]:
    """Returns the uses of every value of a graph, inner graphs included."""
    consumers: dict[str, list] = {}
    held: dict[str, np.ndarray] = {}
    outputs: set[str] = set()
    _collect(graph, consumers, held, outputs)
    return {
        name: [
            Place(_onnx_rule(node, i, consumers, held, outputs))
            for node, i in uses
        ]
        for name, uses in consumers.items()
    }


def _collect(graph, consumers, held, outputs) -> None:
    import onnx

    outputs |= {value.name for value in graph.output}
    for tensor in graph.initializer:
        held[tensor.name] = onnx.numpy_helper.to_array(tensor)
    for node in graph.node:
        for i, name in enumerate(node.input):
            consumers.setdefault(name, []).append((node, i))
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _collect(attribute.g, consumers, held, outputs)
            if attribute.HasField("t") and node.op_type == "Constant":
                array = onnx.numpy_helper.to_array(attribute.t)
                held[node.output[0]] = array


def _onnx_rule(node, place, consumers, held, outputs):
    if node.op_type in ("MatMul", "Gemm", "Add"):
        weights = place == 1 or node.op_type != "MatMul"
        if weights and _meets_softmax(node.output[0], consumers, outputs):
            return is_shift
    if node.op_type in COMPARISONS:
        other = held.get(node.input[1 - place])
        if other is None:
            return is_same_number
        return partial(_compares_alike, node.op_type, other, place)
    if node.op_type == "Slice" and place == 2:
        return is_beyond
    if node.op_type.startswith("Reduce") and place == 1:
        return is_same_set
    if node.op_type == "Slice" and place == 4:
        starts, ends = (held.get(name) for name in node.input[1:3])
        if starts is not None and ends is not None:
            if starts.shape == ends.shape and np.all(ends - starts == 1):
                # One element, whatever the step.
                return lambda before, after: bool(np.all(after > 0))
    return None


def _compares_alike(kind, other, place, before, after) -> bool:
    """Returns whether a comparison of two constants comes out the same."""
    compare = COMPARISONS[kind]
    pairs = [(c, other) if place == 0 else (other, c) for c in (before, after)]
    return np.array_equal(*(compare(*pair) for pair in pairs))


def _meets_softmax(name, consumers, outputs) -> bool:
    """Returns whether a tensor is scores of softmaxes and nothing else."""
    if name in outputs:
        return False
    uses = consumers.get(name, [])
    return bool(uses) and all(
        (
            node.op_type in ("Softmax", "LogSoftmax")
            and _axis(node) in (-1, None)
        )
        or (
            node.op_type in ("Add", "Identity", "Reshape")
            and place == 0
            and node.op_type != "Reshape"
            and _meets_softmax(node.output[0], consumers, outputs)
        )
        for node, place in uses
    )


def _axis(node) -> int | None:
    return next((a.i for a in node.attribute if a.name == "axis"), None)


# LiteRT


def litert_uses(model) -> dict[int, list[Place]]:
    """Returns the uses of every buffer of a .tflite file."""
    found: dict[int, list[Place]] = {}
    for index in range(model.SubgraphsLength()):
        graph = _Graph(model, model.Subgraphs(index))
        for operator, kind in zip(graph.operators, graph.kinds, strict=True):
            for place, tensor in enumerate(operator.InputsAsNumpy()):
                if tensor >= 0:
                    rule = graph.rule(operator, kind, place)
                    found.setdefault(graph.buffer(tensor), []).append(
                        Place(rule)
                    )
        for tensor in graph.outputs:  # a constant that is an output is read
            found.setdefault(graph.buffer(tensor), []).append(Place(None))
    return found


class _Graph:
    """One graph of a .tflite file, with the readers of its tensors."""

    def __init__(self, model, graph):
        self.graph = graph
        count = graph.OperatorsLength()
        self.operators = [graph.Operators(i) for i in range(count)]
        self.kinds = [_code(model, operator) for operator in self.operators]
        self.outputs = {int(n) for n in np.atleast_1d(graph.OutputsAsNumpy())}
        self.consumers: dict[int, list[int]] = {}
        for i, operator in enumerate(self.operators):
            for tensor in operator.InputsAsNumpy():
                self.consumers.setdefault(int(tensor), []).append(i)

    def buffer(self, tensor: int) -> int:
        """Returns the number of a tensor's buffer."""
        return self.graph.Tensors(int(tensor)).Buffer()

    def readers(self, operator, kind: int) -> list:
        """Returns what reads a result; empty if anything is not of a kind."""
        tensor = int(operator.OutputsAsNumpy()[0])
        uses = self.consumers.get(tensor, [])
        if tensor in self.outputs or any(self.kinds[i] != kind for i in uses):
            return []
        return [self.operators[i] for i in uses]

    def rule(self, operator, kind: int, place: int):
        """Returns the rule for an input of an operator; None for none."""
        from ai_edge_litert import schema_py_generated as schema

        codes = schema.BuiltinOperator
        if kind == codes.FULLY_CONNECTED and place > 0:
            options = _options(operator, schema.FullyConnectedOptions)
            plain = options.FusedActivationFunction() == 0
            if plain and self.readers(operator, codes.SOFTMAX):
                return is_shift
        if kind == codes.RESHAPE and place == 1:
            readers = self.readers(operator, codes.FULLY_CONNECTED)
            kept = (
                _options(reader, schema.FullyConnectedOptions).KeepNumDims()
                for reader in readers
            )
            return is_new_shape if readers and not any(kept) else None
        if place == 1 and kind in (
            codes.MEAN,
            codes.SUM,
            codes.REDUCE_MAX,
            codes.REDUCE_MIN,
            codes.REDUCE_PROD,
            codes.REDUCE_ANY,
            codes.REDUCE_ALL,
        ):
            return is_same_set
        if kind == codes.STRIDED_SLICE and place in (1, 2):
            options = _options(operator, schema.StridedSliceOptions)
            if options.EllipsisMask() | options.NewAxisMask():
                return None
            mask = options.BeginMask()
            if place == 2:
                mask = options.EndMask() | options.ShrinkAxisMask()
            return masked_entries(mask)
        return None


def _code(model, operator) -> int:
    code = model.OperatorCodes(operator.OpcodeIndex())
    return max(code.BuiltinCode(), code.DeprecatedBuiltinCode())


def _options(operator, kind):
    table = operator.BuiltinOptions()
    options = kind()
    options.Init(table.Bytes, table.Pos)
    return options
