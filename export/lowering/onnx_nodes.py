"""Any ONNX node inside a TensorFlow graph that is being traced for ONNX."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

MARK = "onnx_node_"
_NUMBERS = itertools.count()
_PENDING: dict[int, _Node] = {}


@dataclass(frozen=True)
class _Node:
    op_type: str
    present: tuple[bool, ...]
    wanted: tuple[bool, ...]
    attributes: Mapping[str, Any]


def onnx_node(
    op_type: str,
    inputs: Sequence[Any],
    outputs: Sequence[tuple | None],
    attributes: Mapping[str, Any] | None = None,
) -> list:
    """Puts a node of the ONNX standard into a graph.

    The graph holds a placeholder in its place, which only the export to ONNX
    can replace; it does not run in TensorFlow.

    Args:
        op_type: the operator, such as `LSTM`.
        inputs: tensors or arrays, in the operator's order; None for an
            optional one that is left out.
        outputs: a pair (shape, dtype) for each output in the operator's
            order; None for one that is not wanted. A shape has None for open
            sizes.
        attributes: numbers, texts and lists by name.

    Returns:
        A tensor for every output that is wanted.

    Example:
    >>> import tensorflow as tf
    >>> from export.lowering import onnx_node
    >>> @tf.function
    ... def f(x):
    ...     y, = onnx_node("Softsign", [x], [((None, 3), x.dtype)])
    ...     return y
    >>> f.get_concrete_function(tf.TensorSpec((None, 3))).output_shapes
    TensorShape([None, 3])

    Source: https://onnx.ai/onnx/operators.
    """
    number = next(_NUMBERS)
    _PENDING[number] = _Node(
        op_type,
        tuple(x is not None for x in inputs),
        tuple(x is not None for x in outputs),
        dict(attributes or {}),
    )
    specs = [spec for spec in outputs if spec is not None]

    def refuse(*_):
        raise RuntimeError(f"{op_type} stands for an ONNX node; export it.")

    results = tf.numpy_function(
        refuse,
        [tf.convert_to_tensor(x) for x in inputs if x is not None],
        [tf.as_dtype(dtype) for _, dtype in specs],
        name=f"{MARK}{number}",
    )
    return [
        tf.ensure_shape(result, shape)
        for result, (shape, _) in zip(results, specs, strict=True)
    ]


def lower_placeholder(context, node, name, arguments) -> None:
    """Puts the ONNX node where its placeholder stands; for tf2onnx.

    Other Python code stays, and is refused with the graph.
    """
    from tf2onnx import utils

    found = re.search(rf"{MARK}(\d+)", node.name)
    wanted = _PENDING.pop(int(found[1]), None) if found else None
    if wanted is None:
        return
    given, made = iter(node.input), iter(node.output)
    shapes, dtypes = iter(node.output_shapes), iter(node.output_dtypes)
    inputs = [next(given) if there else "" for there in wanted.present]
    outputs, output_shapes, output_dtypes = [], [], []
    for there in wanted.wanted:
        outputs.append(next(made) if there else utils.make_name("unused"))
        output_shapes.append(next(shapes) if there else None)
        output_dtypes.append(next(dtypes) if there else node.output_dtypes[0])
    context.remove_node(node.name)
    context.make_node(
        wanted.op_type,
        inputs,
        outputs=outputs,
        shapes=output_shapes,
        dtypes=output_dtypes,
        attr=dict(wanted.attributes),
        name=node.name,
        skip_conversion=True,
    )
