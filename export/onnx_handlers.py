"""TensorFlow operators that tf2onnx lowers wrongly or not at all.

Integers are divided as in Python and Keras: `//` rounds down and `%` has the
sign of the divisor, while ONNX's Div rounds towards 0. Each function takes
what tf2onnx gives to a handler: the graph, the node, its name and more.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from tf2onnx.onnx_opset.controlflow import Select
from tf2onnx.onnx_opset.tensor import TopKV2

from export.lowering.onnx_nodes import lower_placeholder
from export.onnx_builder import Builder
from export.onnx_resize import resize

# What ONNX Runtime's Where takes on a CPU
WHERE_DTYPES = {
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT8,
}
FLOATS = {TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE}
UNSIGNED = {
    TensorProto.UINT8,
    TensorProto.UINT16,
    TensorProto.UINT32,
    TensorProto.UINT64,
}
INDICES = {TensorProto.INT32, TensorProto.INT64}
WORD = TensorProto.UINT64  # what BitShift takes
NARROW = {
    TensorProto.INT8,
    TensorProto.INT16,
    TensorProto.UINT8,
    TensorProto.UINT16,
}


def floor_div(context, node, name, arguments) -> None:
    """Lowers FloorDiv: one less than Div where that rounded up."""
    add = Builder(context, node, name)
    if add.dtype in FLOATS:
        add.finish("Floor", add("Div", *add.inputs))
    elif add.dtype in UNSIGNED - NARROW:
        add.finish("Div", *add.inputs)
    else:
        wide = TensorProto.INT32 if add.dtype in NARROW else add.dtype
        x, y = (add.cast(value, wide) for value in add.inputs)
        _finish_floor_div(add, x, y, wide)


def _finish_floor_div(add: Builder, x: str, y: str, dtype: int) -> None:
    """Ends with x // y, computed in a dtype with a sign."""
    quotient = add("Div", x, y)
    rest = add("Sub", x, add("Mul", quotient, y))
    rounded_up = add("Cast", _signs_differ(add, rest, y, dtype), to=dtype)
    result = add("Sub", quotient, rounded_up)
    add.finish("Cast", result, to=add.dtype)


def _signs_differ(add: Builder, left: str, right: str, dtype: int) -> str:
    """Returns where one number is above 0 and the other below."""
    signs = add("Mul", add("Sign", left), add("Sign", right))
    return add("Less", signs, add.constant(0, dtype))


def floor_mod(context, node, name, arguments) -> None:
    """Lowers FloorMod: Mod, whose sign for floats is the dividend's."""
    add = Builder(context, node, name)
    if add.dtype not in FLOATS:
        add.finish("Mod", *add.inputs, fmod=0)
        return
    divisor = add.inputs[1]
    rest = add("Mod", *add.inputs, fmod=1)
    other = _signs_differ(add, rest, divisor, add.dtype)
    add.finish("Where", other, add("Add", rest, divisor), rest)


def truncate_mod(context, node, name, arguments) -> None:
    """Lowers TruncateMod to Mod with the sign of the dividend."""
    add = Builder(context, node, name)
    add.finish("Mod", *add.inputs, fmod=1)


def right_shift(context, node, name, arguments) -> None:
    """Lowers RightShift of integers with a sign to // by a power of 2.

    tf2onnx shifts int8 as if it had no sign, and int64 not at all.
    """
    add = Builder(context, node, name)
    if add.dtype in UNSIGNED:
        add.finish("BitShift", *add.inputs, direction="RIGHT")
        return
    x, places = (add.cast(value, TensorProto.INT64) for value in add.inputs)
    bits = {TensorProto.INT8: 7, TensorProto.INT16: 15, TensorProto.INT32: 31}
    most = add.constant(bits.get(add.dtype, 62), TensorProto.INT64)
    none = add.constant(0, TensorProto.INT64)
    places = add("Cast", add("Min", add("Max", places, none), most), to=WORD)
    power = add("BitShift", add.constant(1, WORD), places, direction="LEFT")
    power = add("Cast", power, to=TensorProto.INT64)
    _finish_floor_div(add, x, power, TensorProto.INT64)


def compare(context, node, name, arguments) -> None:
    """Lowers Less, Greater and the two with equality.

    tf2onnx compares integers as float32, in which 2**24 + 1 is 2**24.
    """
    kind = {"LessEqual": "LessOrEqual", "GreaterEqual": "GreaterOrEqual"}
    kind = kind.get(node.type, node.type)
    add = Builder(context, node, name)
    wide = _exact(add.dtype)
    add.finish(kind, *(add.cast(value, wide) for value in add.inputs))


def _exact(dtype: int) -> int:
    """Returns the dtype in which numbers are compared.

    Both sides are cast, int32 too: in a loop tf2onnx takes ONNX's own counter,
    an int64, for an int32.
    """
    exact = FLOATS | {TensorProto.UINT64, TensorProto.INT64}
    return dtype if dtype in exact else TensorProto.INT64


def top_k(context, node, name, arguments) -> None:
    """Lowers TopKV2, with which TensorFlow also sorts; see `compare`."""
    if context.get_dtype(node.input[0]) in FLOATS:
        node.type, node.domain = "TopK", ""
        TopKV2.version_13(context, node)
        return
    add = Builder(context, node, name)
    count = add("Cast", add.inputs[1], to=TensorProto.INT64)
    count = add("Unsqueeze", count, _axes(add, [0]))
    wide = _exact(add.dtype)
    found = context.make_node(
        "TopK",
        [add.cast(add.inputs[0], wide), count],
        name=f"{name}/TopK",
        output_count=2,
        shapes=add.shapes,
        dtypes=[wide, TensorProto.INT64],
        skip_conversion=True,
    ).output
    for value, output, shape, dtype in zip(
        found, add.outputs, add.shapes, add.dtypes, strict=True
    ):
        context.make_node(
            "Cast",
            [value],
            attr={"to": dtype},
            outputs=[output],
            shapes=[shape],
            dtypes=[dtype],
            skip_conversion=True,
        )


def one_hot(context, node, name, arguments) -> None:
    """Lowers OneHot to a comparison with 0, 1, ..., depth - 1.

    ONNX's OneHot counts negative indices from the end; Keras gives zeros.
    """
    _, depth, on, off = node.inputs
    axis = node.get_attr_value("axis", -1)
    constant = [
        value.get_tensor_value() if value.is_const() else None
        for value in (depth, on, off)
    ]
    rank = context.get_rank(node.input[0])
    add = Builder(context, node, name)
    dtype = add.dtypes[0]
    wide = add.dtype if add.dtype in INDICES else TensorProto.INT64
    indices = add.cast(add.inputs[0], wide)
    if constant[0] is not None:
        classes = add.constant(np.arange(constant[0]), wide)
    else:
        depth = add.cast(add.inputs[1], wide, context.get_dtype(add.inputs[1]))
        zero, step = add.constant(0, wide), add.constant(1, wide)
        classes = add("Range", zero, depth, step)
    if axis >= 0:
        after = list(range(1, rank - axis + 1))  # the axes that come behind
        classes = add("Unsqueeze", classes, _axes(add, after))
    indices = add("Unsqueeze", indices, _axes(add, [axis]))
    if dtype == TensorProto.BOOL and constant[1:] == [True, False]:
        add.finish("Equal", indices, classes)
        return
    equal = add("Equal", indices, classes)
    if constant[1:] == [1, 0]:
        add.finish("Cast", equal, to=dtype)
        return
    wide = dtype if dtype in WHERE_DTYPES else TensorProto.FLOAT
    on, off = (add.cast(value, wide, dtype) for value in add.inputs[2:])
    add.finish("Cast", add("Where", equal, on, off), to=dtype)


def _axes(add: Builder, axes: list[int]) -> str:
    return add.constant(axes, TensorProto.INT64)


def erfc(context, node, name, arguments) -> None:
    """Lowers Erfc, which Keras' gelu uses, to 1 - Erf."""
    add = Builder(context, node, name)
    one = add.constant(1, add.dtype)
    add.finish("Sub", one, add("Erf", *add.inputs))


def select(context, node, name, arguments) -> None:
    """Lowers SelectV2 to Where.

    tf2onnx multiplies with 0 and 1 and adds, five nodes, and what is not
    chosen spoils the sum where it is infinite or no number.
    """
    if context.get_dtype(node.output[0]) in WHERE_DTYPES:
        node.type, node.domain = "Where", ""
    else:
        Select.version_9(context, node)


HANDLERS = {
    "Erfc": (erfc, []),
    "FloorDiv": (floor_div, []),
    "FloorMod": (floor_mod, []),
    "Greater": (compare, []),
    "GreaterEqual": (compare, []),
    "Less": (compare, []),
    "LessEqual": (compare, []),
    "OneHot": (one_hot, []),
    "PyFunc": (lower_placeholder, []),
    "ResizeBicubic": (resize, []),
    "ResizeBilinear": (resize, []),
    "ResizeNearestNeighbor": (resize, []),
    "RightShift": (right_shift, []),
    "SelectV2": (select, []),
    "TopKV2": (top_k, []),
    "TruncateMod": (truncate_mod, []),
}
