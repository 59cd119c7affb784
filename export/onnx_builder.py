"""ONNX nodes in the place of a node that tf2onnx is lowering."""

from __future__ import annotations

import numpy as np
from onnx import helper


class Builder:
    """Puts ONNX nodes where a node of TensorFlow stood.

    Args:
        context: the graph of tf2onnx.
        node: the node, which is removed.
        name: its name; those of the new nodes begin with it.
    """

    def __init__(self, context, node, name: str):
        self.context, self.name = context, name
        self.inputs, self.outputs = list(node.input), list(node.output)
        self.shapes, self.dtypes = node.output_shapes, node.output_dtypes
        self.dtype = context.get_dtype(node.input[0])
        self._count = 0
        context.remove_node(node.name)

    def __call__(self, kind: str, *inputs: str, **attributes) -> str:
        """Adds a node of one output; returns the output's name."""
        self._count += 1
        return self.context.make_node(
            kind,
            list(inputs),
            attr=attributes,
            name=f"{self.name}/{kind}_{self._count}",
            skip_conversion=True,
        ).output[0]

    def constant(self, value, dtype: int) -> str:
        """Adds a constant of an ONNX dtype."""
        self._count += 1
        array = np.array(value, helper.tensor_dtype_to_np_dtype(dtype))
        name = f"{self.name}/constant_{self._count}"
        return self.context.make_const(name, array).output[0]

    def cast(self, value: str, dtype: int, source: int | None = None) -> str:
        """Returns a value as another dtype; as it is, if it is of that."""
        source = self.dtype if source is None else source
        return value if source == dtype else self("Cast", value, to=dtype)

    def finish(self, kind: str, *inputs: str, **attributes) -> None:
        """Adds the node that has the output of the one that was replaced."""
        self.context.make_node(
            kind,
            list(inputs),
            attr=attributes,
            name=self.name,
            outputs=self.outputs,
            shapes=self.shapes,
            dtypes=self.dtypes,
            skip_conversion=True,
        )
