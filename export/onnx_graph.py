"""Order and names of an ONNX graph, so that equal models give equal bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import onnx


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yields every node of a graph, those of inner graphs included."""
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from nodes(inner)


def inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Returns the graphs inside a node: the body of a loop, a branch."""
    return [
        graph
        for attribute in sorted(node.attribute, key=lambda a: a.name)
        for graph in [
            *([attribute.g] if attribute.HasField("g") else []),
            *attribute.graphs,
        ]
    ]


def canonicalize(model: onnx.ModelProto) -> None:
    """Sorts and renames everything inside a model, in place.

    Nodes stand in the order in which the outputs need them and are called
    after their operator (`Conv_0`); constants after the node that reads them
    first (`Conv_0.1` for its input 1). Inputs and outputs of the model keep
    their names; unused nodes, doc strings and value annotations go.

    Args:
        model: the model to rewrite.
    """
    used = {node.domain for node in nodes(model.graph)} | {""}
    kept = [item for item in model.opset_import if item.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(sorted(kept, key=lambda item: item.domain))
    model.doc_string = ""
    _canonicalize(model.graph, {}, Counter(), top=True)


def _canonicalize(
    graph: onnx.GraphProto,
    outer: Mapping[str, str],
    counts: Counter,
    top: bool,
) -> None:
    names = dict(outer)
    for value in graph.input:
        names[value.name] = value.name
    if not top:
        for value in graph.input:
            names[value.name] = _next(counts, "inner")
            value.name = names[value.name]
    else:
        names |= {value.name: value.name for value in graph.output}
    ordered = _topological(graph)
    constants = {item.name: item for item in graph.initializer}
    kept_constants = []

    def constant(name: str, new: str) -> None:
        if name in constants:
            item = constants.pop(name)
            names.setdefault(name, new)
            item.name = names[name]
            item.doc_string = ""
            kept_constants.append(item)

    for node in ordered:
        node.name = _next(counts, node.op_type)
        node.doc_string = ""
        for slot, name in enumerate(node.input):
            constant(name, f"{node.name}.{slot}")
            node.input[slot] = names.get(name, name)
        free = 0
        for inner in inner_graphs(node):
            for name in _free_names(inner):
                constant(name, f"{node.name}.free_{free}")
                free += 1
            _canonicalize(inner, names, counts, top=False)
        for slot, name in enumerate(node.output):
            if name:
                suffix = f":{slot}" if slot else ""
                names.setdefault(name, f"{node.name}{suffix}")
                node.output[slot] = names[name]
        attributes = sorted(node.attribute, key=lambda a: a.name)
        for attribute in attributes:
            attribute.doc_string = ""
            if attribute.HasField("t"):
                attribute.t.name = ""
        copied = [
            onnx.AttributeProto.FromString(a.SerializeToString())
            for a in attributes
        ]
        del node.attribute[:]
        node.attribute.extend(copied)
    for value in graph.output:
        constant(value.name, value.name)
        value.name = names.get(value.name, value.name)
    copied_nodes = [
        onnx.NodeProto.FromString(n.SerializeToString()) for n in ordered
    ]
    copied_constants = [
        onnx.TensorProto.FromString(c.SerializeToString())
        for c in kept_constants
    ]
    del graph.node[:]
    graph.node.extend(copied_nodes)
    del graph.initializer[:]
    graph.initializer.extend(copied_constants)
    del graph.value_info[:]
    graph.doc_string = ""


def _next(counts: Counter, kind: str) -> str:
    number = counts[kind]
    counts[kind] += 1
    return f"{kind}_{number}"


def _topological(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Returns the nodes that the outputs need, each behind its inputs."""
    producer = {
        name: node for node in graph.node for name in node.output if name
    }
    done: set[int] = set()
    ordered: list[onnx.NodeProto] = []
    stack = [
        (producer[value.name], False)
        for value in reversed(graph.output)
        if value.name in producer
    ]
    while stack:  # no recursion: graphs are deeper than Python's stack
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            ordered.append(node)
            continue
        stack.append((node, True))
        needed = [*node.input]
        for inner in inner_graphs(node):
            needed += _free_names(inner)
        stack += [
            (producer[name], False)
            for name in reversed(needed)
            if name in producer
        ]
    return ordered


def _free_names(graph: onnx.GraphProto) -> list[str]:
    """Returns, in order of use, the outer names that a graph reads."""
    own = {value.name for value in graph.input}
    own |= {item.name for item in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    read: dict[str, None] = {}
    for node in _topological(graph):
        for name in node.input:
            read.setdefault(name)
        for inner in inner_graphs(node):
            for name in _free_names(inner):
                read.setdefault(name)
    for value in graph.output:
        read.setdefault(value.name)
    return [name for name in read if name and name not in own]
