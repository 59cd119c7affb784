"""Resized pictures in ONNX: the size that was asked for, and its pixels.

tf2onnx hands on factors in place of sizes: 9 times 13/9 is 12.99999, and
becomes 12. For the nearest pixel it writes a mode that ONNX dropped with
opset 13, in which ONNX Runtime rounds otherwise than TensorFlow: from 20 to 6
pixels it takes another one.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from tf2onnx.onnx_opset.nn import Resize

from export.onnx_builder import Builder


def resize(context, node, name, arguments) -> None:
    """Lowers ResizeBilinear, ResizeBicubic and ResizeNearestNeighbor."""
    pictures = node.input[0]
    shape = context.get_shape(pictures) or [-1] * 4
    fixed = node.inputs[1].is_const()
    sizes = node.inputs[1].get_tensor_value() if fixed else []
    pairs = list(zip(shape[1:3], sizes, strict=False))
    if not fixed or all(n > 0 and size % n == 0 for n, size in pairs):
        Resize.version_11(context, node)
        return
    half = node.get_attr_value("half_pixel_centers", 0)
    if node.type == "ResizeNearestNeighbor" and half:
        _take_nearest(Builder(context, node, name), pairs)
        return
    context.set_shape(pictures, [shape[0], -1, -1, shape[3]])
    Resize.version_11(context, node)  # without a known shape, takes sizes
    context.set_shape(pictures, shape)


def _take_nearest(add: Builder, pairs) -> None:
    """Takes pixel floor((i + 0.5) n / size) of n, in float32 like TensorFlow.

    Args:
        add: in place of the node.
        pairs: n, -1 where it is open, and size, of height and width.
    """
    value = add.inputs[0]
    for axis, (n, size) in enumerate(pairs, start=1):
        centers = np.arange(size, dtype=np.float32) + np.float32(0.5)
        if n > 0:
            places = np.floor(centers * (np.float32(n) / np.float32(size)))
            places = add.constant(np.minimum(places, n - 1), TensorProto.INT64)
        else:
            shape = add("Shape", add.inputs[0])
            n = add("Gather", shape, add.constant(axis, TensorProto.INT64))
            scale = add(
                "Div",
                add("Cast", n, to=TensorProto.FLOAT),
                add.constant(size, TensorProto.FLOAT),
            )
            centers = add.constant(centers, TensorProto.FLOAT)
            places = add("Floor", add("Mul", centers, scale))
            places = add("Cast", places, to=TensorProto.INT64)
            last = add("Sub", n, add.constant(1, TensorProto.INT64))
            places = add("Min", places, last)
        if axis == 1:
            value = add("Gather", value, places, axis=1)
        else:
            add.finish("Gather", value, places, axis=2)
