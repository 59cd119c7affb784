"""What no file can hold, found before a converter stumbles over it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

from export.errors import ConversionError, OperatorError, UnsupportedModelError
from export.formats import FORMATS
from export.places import every_node, leaves, place
from export.runtime import InputError, ModelError

TEXT_LAYERS = (
    keras.layers.TextVectorization,
    keras.layers.StringLookup,
    keras.layers.Hashing,
)
WAY_OUT = (
    "Use other operators there, or float32 or int32 (keras.ops.cast), or "
    "write a lowering (export.lowering.register)"
)


def refuse_strings(model: keras.Model, kind: str, names: Iterable) -> None:
    """Raises if an input or output is of strings.

    Args:
        model: the model.
        kind: `input` or `output`.
        names: of the tensors of strings.

    Raises:
        UnsupportedModelError: names the tensor, and layers that read text.
    """
    names = ", ".join(f'"{name}"' for name in names)
    if not names:
        return
    readers = [
        f'"{"/".join(path)}" ({type(layer).__name__})'
        for path, layer in leaves(model)
        if isinstance(layer, TEXT_LAYERS)
    ]
    by = f", read by the layer {', '.join(readers)}" if readers else ""
    raise UnsupportedModelError(
        f"The {kind} {names} is of strings (dtype string){by}. The formats "
        "hold numbers. Export the model without it: the layer turns texts into "
        "numbers before the model, and the model takes those, "
        'keras.Input(..., dtype="int32").'
    )


def refuse_resources(model: keras.Model, graph, format_name: str) -> None:
    """Raises if a traced call reads something else than variables: a table.

    Args:
        model: the model.
        graph: a traced call of it, a `FuncGraph`.
        format_name: the format that has no tables.

    Raises:
        OperatorError: names the layer.
    """
    handles = {id(variable.handle) for variable in graph.variables}
    tables = {
        inner.op.name
        for outer, inner in graph.captures
        if outer.dtype == tf.resource and id(outer) not in handles
    }
    if not tables:
        return
    users = [
        node
        for node in every_node(graph.as_graph_def())
        if tables & {name.split(":")[0] for name in node.input}
    ]
    raise missing_operators(
        model,
        format_name,
        [(node.op, "", node.name) for node in users],
        "Apply that layer before the model, and export the model that takes "
        "its numbers",
    )


def refuse_dtypes(model: keras.Model, graph, format_name: str) -> None:
    """Raises if a graph computes in a dtype that no converter knows.

    Args:
        model: the model.
        graph: a GraphDef.
        format_name: the format to be written.

    Raises:
        OperatorError: names layer, operator and dtype.
    """
    for node in every_node(graph):
        for attribute in node.attr.values():
            dtype = tf.as_dtype(attribute.type).name if attribute.type else ""
            if "float8" in dtype:
                raise missing_operators(
                    model,
                    format_name,
                    [(node.op, dtype, node.name)],
                    'Compute in float32: build the layer with dtype="float32"',
                )


def missing_operators(
    model: keras.Model,
    format_name: str,
    needed: Iterable[tuple[str, str, str]],
    way_out: str = WAY_OUT,
) -> OperatorError:
    """Returns the error for operators that a format or its runtime lacks.

    Args:
        model: the model.
        format_name: the format.
        needed: operator, dtype (empty where it plays no part) and name of the
            node, for each.
        way_out: what to do; by default, use others.
    """
    needed = list(needed)
    lines = dict.fromkeys(
        f"{operator} ({dtype})" if dtype else operator
        for operator, dtype, _ in needed
    )
    places = dict.fromkeys(place(name, model) for *_, name in needed)
    return OperatorError(
        f"{FORMATS[format_name].title} has no operator for "
        f"{', '.join(lines)}, needed by {', '.join(places)}. {way_out}.",
        tuple(sorted({operator for operator, _, _ in needed})),
        tuple((operator, name) for operator, _, name in needed),
    )


@contextlib.contextmanager
def runs_in(title: str, path: Path) -> Iterator[None]:
    """Turns what a runtime says of a file that is not yet in place.

    Args:
        title: of the format.
        path: of the file, which is temporary and of no use in a message.

    Raises:
        ConversionError: the runtime cannot load or run the file.
    """
    try:
        yield
    except (ModelError, InputError) as error:
        reason = str(error).replace(str(path), path.name)
        raise ConversionError(
            f"The {title} file was written, but its runtime refuses it: "
            f"{reason}"
        ) from error
