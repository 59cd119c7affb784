"""Operators that a converter gets wrong or lacks, written with others.

The converters and runtimes of one format answer wrongly where TensorFlow does
not: LiteRT's softplus is infinite from 89 on, its reciprocal root of 0 is no
number. Such operators are replaced in the frozen graph, in bodies of loops
and branches too, before it is converted.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from export.frozen_graph import rebuild

_NUMBERS = itertools.count()
XLA = "_XlaMustCompile"
SMALL = (tf.int8, tf.uint8, tf.int16, tf.uint16)


# log(1 + x) = s f(s^2) for s = x / (2 + x): the series of 2 artanh(s), with
# coefficients fitted at Chebyshev's points for s^2 up to 1/9, x from -1/2 to 1.
# In float32 the result is within 2.2e-7 of itself.
SERIES = (2.0, 0.66666322, 0.40024595, 0.27965158, 0.28157778)


def _near_log1p(x):
    s = x / (2 + x)
    square = s * s
    result = SERIES[-1]
    for coefficient in SERIES[-2::-1]:
        result = result * square + coefficient
    return s * result


def softplus(x):
    """log(1 + exp(x)) without overflow, and accurate where it is small."""
    small = _near_log1p(tf.exp(-tf.abs(x)))
    return tf.maximum(x, tf.zeros_like(x)) + small


def litert_log1p(x):
    """log(1 + x); LiteRT's own logarithm is off by up to 1e-7 near 1."""
    return tf.where(tf.abs(x) < 0.5, _near_log1p(x), tf.math.log(1 + x))


def log1p(x):
    """log(1 + x), of any precision, accurate where x is small.

    1 + x is rounded; the second term puts back what was lost (Kahan, as in
    Higham, Accuracy and Stability of Numerical Algorithms, section 1.14.1).
    """
    u = 1 + x
    rough = tf.math.log(u)
    return tf.where(tf.abs(x) < 0.5, rough + (x - (u - 1)) / u, rough)


def expm1(x):
    """exp(x) - 1 without cancellation: tanh(x / 2) (exp(x) + 1)."""
    return tf.tanh(0.5 * x) * (tf.exp(x) + 1)


def rsqrt(x):
    """1 / sqrt(x), which is infinite at 0; LiteRT's own is not."""
    return tf.where(tf.equal(x, 0), 1 / x, tf.math.rsqrt(x))


def sign_bit(x):
    """Whether x is negative, or the negative zero."""
    return tf.logical_or(x < 0, 1 / x < 0)


def _wide(compare: Callable) -> Callable:
    """Returns a comparison of integers of 8 or 16 bits as int32."""
    return lambda a, b: compare(tf.cast(a, tf.int32), tf.cast(b, tf.int32))


def _narrowing(dtype: tf.DType) -> Callable:
    """Returns a cast that wraps like TensorFlow's; LiteRT's own saturates."""
    return lambda x: tf.cast(tf.cast(x, tf.int32), dtype)


NARROWING = {f"Cast to {dtype.name}": _narrowing(dtype) for dtype in SMALL}
COMPARISONS = {
    "Equal": _wide(tf.equal),
    "NotEqual": _wide(tf.not_equal),
    "Less": _wide(tf.less),
    "LessEqual": _wide(tf.less_equal),
    "Greater": _wide(tf.greater),
    "GreaterEqual": _wide(tf.greater_equal),
}
REPLACEMENTS: dict[str, dict[str, Callable]] = {
    "onnx": {"Expm1": expm1, "Log1p": log1p},
    "litert": {
        "Expm1": expm1,
        "Log1p": litert_log1p,
        "Rsqrt": rsqrt,
        "Softplus": softplus,
        **COMPARISONS,
        **NARROWING,
    },
}


def replace_operators(function, format_name: str):
    """Returns an equal function without the operators of `REPLACEMENTS`.

    Args:
        function: a concrete function without variables.
        format_name: whose operators are replaced.

    Returns:
        A concrete function with the same inputs and outputs; the given one if
        there is nothing to replace.
    """
    replacements = REPLACEMENTS.get(format_name)
    if replacements is None:
        return function
    graph = function.graph.as_graph_def()
    changed = bool(_replace(graph.node, replacements, in_library=False))
    library_changed = False
    if format_name == "onnx":
        changed |= _allow_inlining(graph.node)
        library_changed = _allow_inlining(graph.library.function)
    for inner in graph.library.function:
        outputs = _replace(inner.node_def, replacements, in_library=True)
        library_changed |= bool(outputs)
        for node in inner.node_def:
            for index, name in enumerate(node.input):
                node.input[index] = outputs.get(name, name)
        for key, name in inner.ret.items():
            inner.ret[key] = outputs.get(name, name)
    if library_changed:
        _rename_library(graph)
    return rebuild(function, graph) if changed or library_changed else function


def _allow_inlining(items) -> bool:
    """Unmarks what XLA is to compile: tf2onnx takes no calls of functions.

    Keras marks grouped convolutions so, for the sake of TensorFlow on a CPU.

    Args:
        items: nodes or functions.

    Returns:
        Whether one was marked.
    """
    marked = [item for item in items if XLA in item.attr]
    for item in marked:
        del item.attr[XLA]
    return bool(marked)


def _rename_library(graph) -> None:
    """Gives functions new names: TensorFlow knows the old ones already."""
    names = {
        inner.signature.name: f"{inner.signature.name}_{next(_NUMBERS)}"
        for inner in graph.library.function
    }
    nodes = list(graph.node)
    for inner in graph.library.function:
        inner.signature.name = names[inner.signature.name]
        nodes += inner.node_def
    for node in nodes:
        for attribute in node.attr.values():
            called = list(attribute.list.func)
            if attribute.HasField("func"):
                called.append(attribute.func)
            for item in called:
                item.name = names.get(item.name, item.name)


def _replace(nodes, replacements, in_library: bool) -> dict[str, str]:
    """Replaces nodes in place.

    Args:
        nodes: of the graph, or of a function in its library.
        replacements: function by operator.
        in_library: whether names hold that of the operator's output.

    Returns:
        The new by the old name, in the library, of each output of a node that
        was replaced.
    """
    by_name = {node.name: node for node in nodes}
    changes = [
        (node, *change)
        for node in nodes
        if (change := _change(node, by_name, replacements)) is not None
    ]
    outputs = {}
    for node, replacement, dtype, inputs in changes:
        old = _output(node)
        _put(nodes, node, _traced(replacement, dtype), inputs, in_library)
        outputs[old] = _output(node)
    return outputs


def _change(node, by_name, replacements) -> tuple | None:
    """Returns what replaces a node, for which dtype, and its inputs."""
    signed = _sign_bit_of(node, by_name)
    if signed is not None:
        return sign_bit, tf.float32, [signed]
    inputs = [name for name in node.input if name[0] != "^"]
    if node.op == "Cast":
        source, target = node.attr["SrcT"].type, node.attr["DstT"].type
        key = f"Cast to {tf.as_dtype(target).name}"
        if key in replacements and tf.as_dtype(source).is_floating:
            return replacements[key], tf.as_dtype(source), inputs
    elif node.op in replacements and _is_wrong(node, by_name):
        dtype = tf.as_dtype(node.attr["T"].type)
        return replacements[node.op], dtype, inputs
    return None


def _put(nodes, node, traced, inputs: list[str], in_library: bool) -> None:
    """Turns a node into the identity of the graph that replaces it."""
    graph = traced.graph.as_graph_def()
    parameters = [tensor.op.name for tensor in traced.inputs]
    values = dict(zip(parameters, inputs, strict=True))
    for item in graph.node:
        if item.name in values:
            continue
        new = nodes.add()
        new.CopyFrom(item)
        new.name = f"{node.name}/{item.name}"
        new.input[:] = [values[name] for name in item.input]
        values[item.name] = _output(new) if in_library else new.name
    control = [name for name in node.input if name[0] == "^"]
    result = values[traced.outputs[0].op.name]
    node.op = "Identity"
    node.input[:] = [result, *control]
    node.attr.clear()
    node.attr["T"].type = traced.outputs[0].dtype.as_datatype_enum


def _output(node) -> str:
    """Returns the name of a node's first output inside a library function."""
    definition = op_def_registry.get(node.op)
    return f"{node.name}:{definition.output_arg[0].name}:0"


@functools.cache
def _traced(replacement: Callable, dtype: tf.DType):
    spec = tf.TensorSpec(None, dtype)
    count = replacement.__code__.co_argcount
    return tf.function(replacement, autograph=False).get_concrete_function(
        *[spec] * count
    )


def _is_wrong(node, by_name) -> bool:
    """Returns whether an operator in question is one to replace."""
    if node.op in COMPARISONS:
        return tf.as_dtype(node.attr["T"].type) in SMALL
    return node.op != "Rsqrt" or not _is_positive(node, by_name)


def _is_positive(node, by_name) -> bool:
    """Returns whether a root is of a sum or maximum with a constant above 0.

    Layers that normalize add such an epsilon.
    """
    below = _producer(node.input[0], by_name)
    if below is None or below.op not in ("Add", "AddV2", "Maximum"):
        return False
    terms = [_producer(name, by_name) for name in below.input[:2]]
    return any(
        term is not None
        and term.op == "Const"
        and (tf.make_ndarray(term.attr["value"].tensor) > 0).all()
        for term in terms
    )


def _sign_bit_of(node, by_name) -> str | None:
    """Returns the number whose sign bit a node reads; None if it does not.

    Keras does, in `argmax` and `signbit`, with Less(BitwiseAnd(Bitcast(x),
    sign bit), 0).
    """
    if node.op != "Less":
        return None
    mask = _producer(node.input[0], by_name)
    if mask is None or mask.op != "BitwiseAnd":
        return None
    bits = _producer(mask.input[0], by_name)
    if bits is None or bits.op != "Bitcast":
        return None
    known = bits.attr["T"].type == tf.float32.as_datatype_enum and [
        _constant(mask.input[1], by_name),
        _constant(node.input[1], by_name),
    ] == [-(2**31), 0]
    return bits.input[0] if known else None


def _constant(name: str, by_name) -> int | None:
    node = _producer(name, by_name)
    if node is None or node.op != "Const":
        return None
    value = tf.make_ndarray(node.attr["value"].tensor)
    return int(value) if value.ndim == 0 else None


def _producer(name: str, by_name):
    return by_name.get(name.split(":")[0])
