"""Which layer an operator of a graph belongs to, for messages."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable, Iterator

import keras
import tensorflow as tf

from toolkit._backend import silence

LOGGERS = ("tensorflow", "absl", "tf2onnx")


def leaves(model: keras.Model, path: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Yields path and layer of the layers that are no models themselves."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if isinstance(layer, keras.layers.InputLayer):
            continue
        inner = (*path, layer.name)
        if isinstance(layer, keras.Model):
            yield from leaves(layer, inner)
        else:
            yield inner, layer


def owner(name: str, paths: Iterable[tuple]) -> tuple | None:
    """Returns the layer in whose scope a graph node lies.

    Keras numbers a scope that it enters again: `c1`, `c1_1`.
    """
    scopes = [re.sub(r":\d+$", "", part) for part in name.split("/")]
    best = None
    for path in paths:
        position, found = 0, True
        for wanted in path:
            matches = [
                i
                for i in range(position, len(scopes))
                if re.fullmatch(rf"{re.escape(wanted)}(_\d+)?", scopes[i])
            ]
            if not matches:
                found = False
                break
            position = matches[0] + 1
        if found and (best is None or len(path) >= len(best)):
            best = path
    return best


def place(name: str, model: keras.Model) -> str:
    """Returns the layer of a node as a message has it, or its scope."""
    path = owner(name, [path for path, _ in leaves(model)])
    if path is not None:
        return f'the layer "{"/".join(path)}"'
    return f'"{name}", outside of layers'


def every_node(graph) -> Iterator:
    """Yields the nodes of a GraphDef, those of its functions included."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def dtype_name(node) -> str:
    """Returns the dtype that a TensorFlow node computes in; empty if none."""
    for key in ("T", "dtype", "SrcT"):
        if node.attr[key].type:
            return tf.as_dtype(node.attr[key].type).name
    return ""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Holds back what converters print and log; what they raise tells why."""
    before = [(name, logging.getLogger(name).level) for name in LOGGERS]
    failure = None
    try:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with silence():
            try:
                yield
            except Exception as error:  # else its text is printed after all
                failure = error
    finally:
        for name, level in before:
            logging.getLogger(name).setLevel(level)
    if failure is not None:
        raise failure
