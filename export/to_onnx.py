"""ONNX: the graph that ONNX Runtime and many others run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import onnxruntime
import tf2onnx
from onnx import helper
from tf2onnx import constants, optimizer, tf_loader

from export.errors import (
    ArtifactError,
    ConversionError,
    OperatorError,
    UnsupportedModelError,
)
from export.onnx_graph import canonicalize, nodes
from export.onnx_handlers import HANDLERS
from export.onnx_loops import hoist_invariants
from export.onnx_slices import drop_whole_slices
from export.onnx_transposes import share_transposes
from export.places import dtype_name, every_node, place, quietly
from export.program import Entry, Program
from export.refusals import missing_operators

OPSETS = range(13, max(constants.OPSET_TO_IR_VERSION) + 1)
DEFAULT_DOMAINS = ("", "ai.onnx")
NODE_NAME = re.compile(r"(?:node name: |node with name '|Node ?\()([^')]+)")


def convert(program: Program, path: Path, options: dict) -> dict:
    """Writes the first signature of a program into one .onnx file.

    The same model gives the same bytes: nodes are sorted and renamed, doc
    strings dropped.

    Args:
        program: the traced model.
        path: file to write.
        options: `opset`, an integer of `OPSETS`; None means the newest.

    Returns:
        Facts for the report: `opset`.

    Raises:
        ConversionError: the converter gave up.
        OperatorError: ONNX Runtime lacks an operator, or has it for other
            dtypes.
        UnsupportedModelError: an opset that it cannot write, or several
            signatures, of which one ONNX file holds one.
    """
    opset = checked_opset(options.get("opset"))
    if len(program.entries) != 1:
        raise UnsupportedModelError(
            "An ONNX file holds one signature. Received: "
            f"{', '.join(entry.name for entry in program.entries)}. Export "
            "them one by one."
        )
    entry = program.entries[0]
    name = program.model.name
    model = convert_entry(entry, opset, name)
    _name_axes(model, entry)
    canonicalize(model)
    drop_whole_slices(model.graph)
    hoist_invariants(model.graph)
    share_transposes(model.graph)
    canonicalize(model)
    check_runs(model, entry, opset)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return {"opset": opset}


def check_runs(model: onnx.ModelProto, entry: Entry, opset: int) -> None:
    """Raises if a graph is invalid, or ONNX Runtime does not take it.

    Args:
        model: the graph.
        entry: the traced signature that it was converted from.
        opset: version of the default operator set.

    Raises:
        OperatorError: the runtime lacks an operator, or has it for other
            dtypes.
        ConversionError: the graph is refused for another reason.
    """
    if _refusal(model) is None:
        return
    # Again with the names that tell the layers
    named = convert_entry(entry, opset, entry.model.name)
    foreign = [node for node in _all_nodes(named) if is_foreign(node)]
    if foreign:
        known = {node.name: node for node in _tensorflow_nodes(entry)}
        raise missing_operators(
            entry.model,
            "onnx",
            [
                (
                    node.op_type,
                    dtype_name(known[node.name]) if node.name in known else "",
                    node.name,
                )
                for node in foreign
            ],
        )
    error = _refusal(named) or _refusal(model)
    text = " ".join(str(error).split())
    found = NODE_NAME.search(text)
    node = next(
        (n for n in _all_nodes(named) if found and n.name == found[1]), None
    )
    lacking = "unsupported type" in text or "NOT_IMPLEMENTED" in text
    if node is not None and lacking:
        needed = (node.op_type, _dtype(named, node), node.name)
        raise missing_operators(entry.model, "onnx", [needed]) from error
    at = f" at {place(node.name, entry.model)}" if node is not None else ""
    raise ConversionError(
        f"tf2onnx wrote a graph that is refused{at}: {text[:400]}"
    ) from error


def _refusal(model: onnx.ModelProto) -> Exception | None:
    """Returns why a graph is invalid or does not run; None if it does."""
    if any(is_foreign(node) for node in _all_nodes(model)):
        return OperatorError("operators outside the default domain")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        return error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, too
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # onnxruntime's own classes are private
        return error
    return None


def _all_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    functions = {(f.domain, f.name) for f in model.functions}
    found = list(nodes(model.graph))
    for function in model.functions:
        found += function.node
    return [n for n in found if (n.domain, n.op_type) not in functions]


def _tensorflow_nodes(entry: Entry) -> Iterator:
    return every_node(entry.frozen("onnx").graph.as_graph_def())


def _dtype(model: onnx.ModelProto, node: onnx.NodeProto) -> str:
    """Returns the dtype of a node's first input; empty if it is not known."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    dtypes = {item.name: item.data_type for item in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dtypes[value.name] = value.type.tensor_type.elem_type
    dtype = dtypes.get(next(iter(node.input), ""), 0)
    return helper.tensor_dtype_to_np_dtype(dtype).name if dtype else ""


def checked_opset(opset: int | None) -> int:
    """Returns the version of the operator set to write.

    Args:
        opset: The user's; None or 0 for the newest.

    Raises:
        UnsupportedModelError: tf2onnx does not write it.
    """
    opset = opset or OPSETS[-1]
    if opset not in OPSETS:
        raise UnsupportedModelError(
            f"`opset` must be from {OPSETS[0]} to {OPSETS[-1]}, the newest "
            f"that tf2onnx {tf2onnx.__version__} writes. Received: "
            f"opset={opset}."
        )
    return opset


class AllPasses:
    """All of tf2onnx's optimizer passes as one.

    tf2onnx copies the whole graph before each pass, to go back to it if the
    pass fails, and that takes half of the time of a conversion. Here it is
    copied once for all passes. Where one has failed, which is rare, the graph
    is to be converted again with a copy before each.

    Attributes:
        graph_been_opt: Whether the passes have changed the graph.
        failed: Whether a pass has failed.
    """

    def __init__(self):
        self.graph_been_opt = self.failed = False

    def optimize(self, graph, iteration):
        """Returns the graph after all passes."""
        self.graph_been_opt, self.failed = False, True
        for factory in optimizer._get_optimizers().values():
            single = factory()
            graph = single.optimize(graph, iteration) or graph
            self.graph_been_opt |= bool(single.graph_been_opt)
        self.failed = False
        return graph


def convert_entry(entry: Entry, opset: int, name: str) -> onnx.ModelProto:
    """Returns the graph as tf2onnx writes it, inputs and outputs renamed.

    Args:
        entry: the traced signature.
        opset: version of the default operator set.
        name: of the model.

    Raises:
        ConversionError: the converter gave up.
    """
    frozen = entry.frozen("onnx")
    placeholders, results = entry.tensor_names(frozen)
    inputs = [placeholders[t.name] for t in entry.inputs]
    outputs = [results[t.name] for t in entry.outputs]
    rename = {placeholders[t.name]: t.name for t in entry.inputs}
    rename |= {results[t.name]: t.name for t in entry.outputs}
    settings = {
        "name": name,
        "continue_on_error": True,  # what is left is named by `inspect`
        "opset": opset,
        "input_names": inputs,
        "output_names": outputs,
        "tensors_to_rename": rename,
    }
    failures: list[Exception] = []
    handlers = {
        kind: (_telling(handler, failures), arguments)
        for kind, (handler, arguments) in HANDLERS.items()
    }
    try:
        with quietly():
            graph = tf_loader.from_function(frozen, inputs, outputs)
            passes = AllPasses()
            model, _ = tf2onnx.convert._convert_common(
                graph,
                optimizers={"all": lambda: passes},
                custom_op_handlers=handlers,
                **settings,
            )
            if passes.failed:
                model, _ = tf2onnx.convert._convert_common(
                    graph, custom_op_handlers=handlers, **settings
                )
    except Exception as error:  # the converter raises whatever it meets
        if not failures:
            raise ConversionError(
                f'tf2onnx gave up on the model "{name}": '
                f"{type(error).__name__}: {str(error)[:400]}"
            ) from error
    if failures:  # in a handler of this project, which tf2onnx passes over
        raise failures[0]
    return model


def _telling(handler: Callable, failures: list[Exception]) -> Callable:
    """Returns a handler that keeps what it raises."""

    def call(*arguments):
        try:
            return handler(*arguments)
        except Exception as error:
            failures.append(error)
            raise

    return call


def _name_axes(model: onnx.ModelProto, entry: Entry) -> None:
    """Gives inputs and outputs their order and their axes' names."""
    for values, tensors in (
        (model.graph.input, entry.inputs),
        (model.graph.output, entry.outputs),
    ):
        dtypes = {v.name: v.type.tensor_type.elem_type for v in values}
        del values[:]
        values.extend(
            helper.make_tensor_value_info(
                tensor.name, dtypes[tensor.name], tensor.shape
            )
            for tensor in tensors
        )


def is_foreign(node: onnx.NodeProto) -> bool:
    """Returns whether an operator is not of the default domain."""
    return node.domain not in DEFAULT_DOMAINS or not onnx.defs.has(node.op_type)


def inspect(path: Path) -> dict[str, int]:
    """Counts the operators of an .onnx file.

    Raises:
        ArtifactError: the file is not an ONNX model.
        OperatorError: it holds operators of another than the default domain.
    """
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path))
    except (DecodeError, OSError) as error:
        raise ArtifactError(
            f'"{path}" is not a readable ONNX model: {error}. Export it again.'
        ) from error
    found = _all_nodes(model)
    foreign = {
        node.op_type
        if node.domain in DEFAULT_DOMAINS
        else f"{node.domain}.{node.op_type}"
        for node in found
        if is_foreign(node)
    }
    if foreign:
        raise OperatorError(
            "The ONNX graph holds operators outside the default domain: "
            f"{', '.join(sorted(foreign))}. The stock runtimes do not have "
            "them.",
            tuple(sorted(foreign)),
        )
    if not found:
        raise ArtifactError(f'"{path}" holds no operators. Export it again.')
    return dict(sorted(Counter(node.op_type for node in found).items()))
