"""Loops of an ONNX graph without what they hand on unchanged."""

from __future__ import annotations

import onnx

from export.onnx_graph import inner_graphs, nodes


def hoist_invariants(graph: onnx.GraphProto) -> None:
    """Lets loops read what they hand on unchanged from around them.

    TensorFlow gives a loop all that it reads, weights too, as values that go
    in and out of every iteration. ONNX Runtime copies these, and it cannot
    lay out weights for its matrix products in advance unless they are
    constants. A body sees the values around it, so they need not go in.

    Names must differ throughout the model, as `canonicalize` leaves them.

    Args:
        graph: the graph to rewrite in place; graphs inside it too.
    """
    outputs = {value.name for value in graph.output}
    rename: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "Loop":
            rename |= _hoist(node, outputs)
        for inner in inner_graphs(node):
            hoist_invariants(inner)
    if rename:
        _rename(graph, rename)


def _hoist(loop: onnx.NodeProto, kept: set[str]) -> dict[str, str]:
    """Takes invariants out of a loop; returns new names by old ones.

    Args:
        loop: the node; its inputs are a count, a condition, and the values.
        kept: names that a node must go on to make.
    """
    (body,) = inner_graphs(loop)
    aliases = {
        node.output[0]: node.input[0]
        for node in body.node
        if node.op_type == "Identity"
    }
    rename = {}
    for value in reversed(range(len(loop.input) - 2)):
        inside = body.input[2 + value].name
        handed_on = body.output[1 + value].name
        while handed_on in aliases and handed_on != inside:
            handed_on = aliases[handed_on]
        outside, after = loop.input[2 + value], loop.output[value]
        # A body has to make its outputs: what is around it can be none.
        places = [output.name for output in body.output].count(inside)
        elsewhere = places > (body.output[1 + value].name == inside)
        if handed_on != inside or after in kept or elsewhere:
            continue
        rename[inside] = outside
        if after:
            rename[after] = outside
        del loop.input[2 + value], loop.output[value]
        del body.input[2 + value], body.output[1 + value]
    return rename


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    def final(name: str) -> str:
        while name in names:
            name = names[name]
        return name

    for node in nodes(graph):
        for slot, name in enumerate(node.input):
            node.input[slot] = final(name)
        for inner in inner_graphs(node):
            for value in inner.output:
                value.name = final(value.name)
