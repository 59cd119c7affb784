"""What a loop hands on unchanged is read from around it."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from export.onnx_graph import canonicalize, inner_graphs
from export.onnx_loops import hoist_invariants

FLOAT = TensorProto.FLOAT


def value(name, shape=(2,), kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def flag(name):
    return value(name, (), TensorProto.BOOL)


def body(nodes, inputs, outputs):
    return helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), *nodes],
        "body",
        [value("count", (), TensorProto.INT64), flag("go"), *inputs],
        [flag("go_on"), *outputs],
    )


def model(loop, outputs, more=()):
    graph = helper.make_graph(
        [loop, *more],
        "graph",
        [value("x"), value("w")],
        [value(name) for name in outputs],
        [
            helper.make_tensor("times", TensorProto.INT64, (), [3]),
            helper.make_tensor("true", TensorProto.BOOL, (), [True]),
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )


def loop_of(body, values, outputs):
    return helper.make_node(
        "Loop", ["times", "true", *values], outputs, body=body
    )


def run(built):
    onnx.checker.check_model(built, full_check=True)
    session = onnxruntime.InferenceSession(built.SerializeToString())
    fed = {"x": np.float32([1, 2]), "w": np.float32([3, 4])}
    return session.run(None, fed)


def hoisted(built):
    copy = onnx.ModelProto.FromString(built.SerializeToString())
    canonicalize(copy)
    hoist_invariants(copy.graph)
    canonicalize(copy)
    return copy


def carried(built):
    """Returns how many values each loop hands on, outer loops first."""
    found = []

    def visit(graph):
        for node in graph.node:
            if node.op_type == "Loop":
                found.append(len(node.input) - 2)
            for inner in inner_graphs(node):
                visit(inner)

    visit(built.graph)
    return found


def plain(through_identity=False):
    nodes = [helper.make_node("Add", ["y", "k"], ["y_next"])]
    last = "k"
    if through_identity:
        nodes.append(helper.make_node("Identity", ["k"], ["same"]))
        last = "same"
    inside = body(
        nodes, [value("y"), value("k")], [value("y_next"), value(last)]
    )
    loop = loop_of(inside, ["x", "w"], ["end", "w_after"])
    return model(
        loop,
        ["sum"],
        [helper.make_node("Add", ["end", "w_after"], ["sum"])],
    )


def swapped():
    inside = body(
        [helper.make_node("Identity", ["a"], ["b_next"])],
        [value("a"), value("b")],
        [value("b"), value("b_next")],
    )
    return model(
        loop_of(inside, ["x", "w"], ["p", "q"]),
        ["difference"],
        [helper.make_node("Sub", ["p", "q"], ["difference"])],
    )


def nested():
    inner = helper.make_graph(
        [
            helper.make_node("Identity", ["go_2"], ["go_2_on"]),
            helper.make_node("Add", ["z", "m"], ["z_next"]),
        ],
        "inner",
        [
            value("count_2", (), TensorProto.INT64),
            flag("go_2"),
            value("z"),
            value("m"),
        ],
        [flag("go_2_on"), value("z_next"), value("m")],
    )
    inside = body(
        [loop_of(inner, ["y", "k"], ["y_next", "k_after"])],
        [value("y"), value("k")],
        [value("y_next"), value("k")],
    )
    return model(loop_of(inside, ["x", "w"], ["end", "k_end"]), ["end"])


def answered():
    """The value that is handed on is an output of the model itself."""
    inside = body(
        [helper.make_node("Add", ["y", "k"], ["y_next"])],
        [value("y"), value("k")],
        [value("y_next"), value("k")],
    )
    return model(loop_of(inside, ["x", "w"], ["end", "kept"]), ["end", "kept"])


def copied():
    """What is handed on unchanged becomes another value's next, too."""
    inside = body(
        [helper.make_node("Identity", ["k"], ["k_same"])],
        [value("y"), value("k")],
        [value("k"), value("k_same")],
    )
    return model(
        loop_of(inside, ["x", "w"], ["p", "q"]),
        ["difference"],
        [helper.make_node("Sub", ["p", "q"], ["difference"])],
    )


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (plain(), [1]),
        (plain(through_identity=True), [1]),
        (swapped(), [2]),
        (nested(), [1, 1]),
        (answered(), [2]),
        (copied(), [2]),
    ],
    ids=[
        "plain",
        "through an identity",
        "swapped",
        "nested",
        "an output",
        "copied",
    ],
)
def test_the_loop_gives_the_same_and_carries_less(built, expected):
    less = hoisted(built)
    assert carried(less) == expected
    for before, after in zip(run(built), run(less), strict=True):
        np.testing.assert_array_equal(before, after)
