"""What a call of a model changes, and what the model's variables may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from export.errors import UnsupportedModelError
from export.lowering.registry import layers

WRITES = re.compile(
    r"Assign\w*VariableOp|Resource(Apply|SparseApply|Scatter|Strided)\w*"
    r"|RngSkip|RngReadAndSkip|Stateful(Uniform|StandardNormal|Truncated|Random)"
)
PASSING = ("Identity", "Switch", "Enter")


def check_writes(model: keras.Model, graph) -> None:
    """Raises if a call of the model writes a variable.

    The graph is read, nothing is called, so the variables are as they were.

    Args:
        model: the model.
        graph: a traced call of it, a `FuncGraph`.

    Raises:
        UnsupportedModelError: names layer and variable.
    """
    outer = {inner.op.name: tensor for tensor, inner in graph.captures}
    definition = graph.as_graph_def()
    library = {f.signature.name: f for f in definition.library.function}
    for node, handle in _writes(definition.node, outer, library):
        name, layer = _variable(model, graph, handle)
        owner = (
            f'The layer "{layer.path or layer.name}" ({type(layer).__name__})'
            if layer is not None
            else f'The model "{model.name}", in {node.name},'
        )
        raise UnsupportedModelError(
            f'{owner} writes the variable "{name}" when the model is called '
            "with training=False. An exported file has no memory, and the "
            "export would change your model. Call the layer inside with "
            "training=training, so that it writes in training only, or make "
            "the value an input and an output of the model."
        )


def _writes(nodes, outer, library) -> Iterator[tuple]:
    """Yields writing nodes with the captured tensor of what they write.

    Args:
        nodes: of the graph or of a function.
        outer: captured tensor by the name of the parameter it comes in by.
        library: functions by name.
    """
    by_name = {node.name: node for node in nodes}

    def source(name: str):
        name = name.split(":")[0]
        node = by_name.get(name)
        while name not in outer and node is not None and node.op in PASSING:
            name = node.input[0].split(":")[0]
            node = by_name.get(name)
        return outer.get(name)

    for node in nodes:
        given = [name for name in node.input if not name.startswith("^")]
        if WRITES.match(node.op):
            yield node, source(given[0])
        for attribute in node.attr.values():
            called = [f.name for f in attribute.list.func]
            if attribute.HasField("func"):
                called.append(attribute.func.name)
            for function in (library[n] for n in called if n in library):
                parameters = [p.name for p in function.signature.input_arg]
                # A branch comes with its condition before the parameters
                handed = given[len(given) - len(parameters) :]
                inner = {
                    parameter: source(name)
                    for parameter, name in zip(parameters, handed, strict=True)
                }
                inner = {k: v for k, v in inner.items() if v is not None}
                yield from _writes(function.node_def, inner, library)


def _variable(model, graph, handle) -> tuple[str, keras.Layer | None]:
    """Returns the name of a variable, and the innermost layer that has it."""
    for layer in reversed(layers(model)):
        for variable in layer.variables:
            if variable.value.handle is handle:
                return variable.path, layer
        for variable in vars(layer).values():
            if isinstance(variable, tf.Variable) and variable.handle is handle:
                return variable.name.split(":")[0], layer
    for variable in graph.variables:
        if variable.handle is handle:
            return variable.name.split(":")[0], None
    return "unknown", None


def check_finite(model: keras.Model, graphs: Iterable) -> None:
    """Raises if a variable that the graphs read is infinite or no number.

    Constants may be: a mask is made of minus infinity.

    Args:
        model: the model.
        graphs: traced calls of it.

    Raises:
        UnsupportedModelError: names the variable.
    """
    paths = {id(v.value): v.path for v in model.variables}
    read = {id(v): v for graph in graphs for v in graph.variables}
    for variable in read.values():
        if not variable.dtype.is_floating:
            continue
        values = np.asarray(variable.read_value()).astype(np.float32)
        wrong = int(values.size - np.isfinite(values).sum())
        if wrong:
            name = paths.get(id(variable), variable.name.split(":")[0])
            raise UnsupportedModelError(
                f'The variable "{name}" holds {wrong} of {values.size} values '
                "that are NaN or infinite, so a comparison with the exported "
                "file would prove little. Train the model again from the last "
                "good checkpoint, or export it as it is with allow_nan=True."
            )


def training_notes(model: keras.Model) -> list[str]:
    """Returns a note on the layers that are called with training=True.

    Keras' functional models keep that argument in their graph, and replace it
    by that of the whole model where there is one, as `predict` gives it.
    """
    names = {
        node.operation.name
        for part in layers(model)
        for nodes in getattr(part, "_nodes_by_depth", {}).values()
        for node in nodes
        if node.arguments.kwargs.get("training") is True
    }
    if not names:
        return []
    return [
        f"The layer {', '.join(sorted(names))} is called with training=True in "
        "the graph of the model. The exported files compute what "
        "`model.predict` and model(x, training=False) do, where it acts as in "
        "inference; model(x) alone does something else."
    ]
