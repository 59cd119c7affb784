"""`export.explain`: layer by layer, how a model will leave."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from export import to_litert, to_onnx
from export.errors import ConversionError, OperatorError
from export.formats import FORMATS
from export.lowering.registry import lowered
from export.onnx_graph import nodes
from export.places import leaves, owner
from export.program import Entry, trace
from export.signatures import resolve
from export.to_saved_model import PYTHON

FUSED = "fused"
BUILTIN = "builtin"
LOOP = "builtin loop"
REFUSED = "refused"
LOOPS = {"While", "StatelessWhile"}
RECURRENT = {"LSTM", "GRU", "RNN"}


@dataclass(frozen=True)
class Route:
    """How one layer leaves in one format.

    Attributes:
        kind: `fused` (the runtime's own recurrent operator), `builtin`
            (plain operators), `builtin loop` or `refused`.
        reason: why it is refused, or not fused; else empty.
    """

    kind: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind


@dataclass(frozen=True)
class LayerRoutes:
    """How one layer leaves.

    Attributes:
        layer: its name, with the names of the models around it.
        kind: its class.
        routes: `Route` by format name.
    """

    layer: str
    kind: str
    routes: dict[str, Route]


@dataclass(frozen=True)
class Explanation:
    """How a model leaves, layer by layer.

    Attributes:
        model: the model's name.
        layers: one item per layer, in order.
        whole: why a format is refused for reasons of no single layer.
        notes: assumptions and changes a user should know.
    """

    model: str
    layers: tuple[LayerRoutes, ...]
    whole: dict[str, Route]
    notes: tuple[str, ...]

    def refused(self, format_name: str) -> bool:
        """Returns whether anything of the model is refused in a format."""
        return format_name in self.whole or any(
            layer.routes[format_name].kind == REFUSED for layer in self.layers
        )

    def __str__(self) -> str:
        head = ("layer", "class", *(f.title for f in FORMATS.values()))
        rows = [head] + [
            (item.layer, item.kind, *(item.routes[f].kind for f in FORMATS))
            for item in self.layers
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                c.ljust(w) for c, w in zip(r, widths, strict=True)
            ).rstrip()
            for r in rows
        ]
        reasons: dict[tuple[str, str, str], list[str]] = {}
        for item in self.layers:
            for name, route in item.routes.items():
                if route.reason:
                    refused = route.kind == REFUSED
                    word = "refuses" if refused else "does not fuse"
                    key = (FORMATS[name].title, word, route.reason)
                    reasons.setdefault(key, []).append(item.layer)
        lines += [
            f"{title} {word} {', '.join(layers)}: {reason}"
            for (title, word, reason), layers in reasons.items()
        ]
        lines += [f"{FORMATS[f].title}: {r}" for f, r in self.whole.items()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def explain(model: keras.Model, *, signatures: Any = None) -> Explanation:
    """Says, before any training, how each layer will leave in each format.

    The graph is really converted, so the answer is the converters' own; what
    is left to `export.export` is the proof by running the files.

    Args:
        model: a Keras model, trained or not.
        signatures: the model's inputs where it does not tell them itself.

    Returns:
        An explanation; `print` shows a table.

    Raises:
        UnsupportedModelError: the model cannot be traced at all.

    Example:
    >>> import export
    >>> from toolkit.models import softmax_regression
    >>> print(export.explain(softmax_regression((8, 8, 1), classes=10)))
    layer          class    SavedModel  ONNX     LiteRT
    flatten        Flatten  builtin     builtin  builtin
    probabilities  Dense    builtin     builtin  builtin
    """
    program = trace(model, resolve(model, signatures), {})
    layers = list(leaves(model))
    routes = {path: {} for path, _ in layers}
    whole: dict[str, Route] = {}
    for entry in program.entries:
        used = _operators(entry, routes)
        _saved_model(used, routes)
        _onnx(entry, program.model.name, used, routes, whole)
        _litert(program, entry, routes, whole)
    return Explanation(
        model.name,
        tuple(
            LayerRoutes("/".join(path), type(layer).__name__, routes[path])
            for path, layer in layers
        ),
        whole,
        program.notes,
    )


def _operators(
    entry: Entry, paths, format_name: str = ""
) -> dict[tuple | None, set[str]]:
    """Returns the TensorFlow operators by layer, loop bodies included.

    Args:
        entry: the traced signature.
        paths: of the layers.
        format_name: whose lowerings stand for layers; none by default.
    """
    if format_name:
        graph = entry.frozen(format_name).graph.as_graph_def()
    else:
        graph = entry.traced.graph.as_graph_def()
    library = {f.signature.name: f for f in graph.library.function}
    used: dict[tuple | None, set[str]] = {}

    def collect(node, owner, seen):
        used.setdefault(owner, set()).add(node.op)
        for attribute in node.attr.values():
            names = [attribute.func.name] if attribute.HasField("func") else []
            names += [f.name for f in attribute.list.func]
            for name in set(names) & set(library) - seen:
                for inner in library[name].node_def:
                    collect(inner, owner, seen | {name})

    for node in graph.node:
        collect(node, owner(node.name, paths), set())
    return used


def _saved_model(used, routes) -> None:
    for path, route in routes.items():
        python = sorted(used.get(path, set()) & set(PYTHON))
        loops = LOOPS & used.get(path, set())
        route["saved_model"] = (
            Route(REFUSED, f"calls Python ({', '.join(python)})")
            if python
            else Route(LOOP if loops else BUILTIN)
        )


def _onnx(entry: Entry, name: str, used, routes, whole) -> None:
    with lowered(entry.model, "onnx") as outcome:
        reasons = {
            owner(layer, routes): reason for layer, reason in outcome.items()
        }
    for path, route in routes.items():
        # A loop that is none any more in the ONNX graph was fused by tf2onnx.
        loops = LOOPS & used.get(path, set()) and reasons.get(path) != ""
        route["onnx"] = Route(FUSED if loops else BUILTIN)
    try:
        model = to_onnx.convert_entry(entry, to_onnx.OPSETS[-1], name)
    except (ConversionError, OperatorError) as error:
        _refuse("onnx", error, routes, whole)
        return
    for node in nodes(model.graph):
        path = owner(node.name, routes)
        if path and node.op_type in RECURRENT:
            routes[path]["onnx"] = Route(FUSED)
        elif path and node.op_type in ("Loop", "Scan"):
            routes[path]["onnx"] = Route(LOOP, reasons.get(path, ""))
    try:
        to_onnx.check_runs(model, entry, to_onnx.OPSETS[-1])
    except (ConversionError, OperatorError) as error:
        _refuse("onnx", error, routes, whole)


def _refuse(format_name: str, error, routes, whole) -> None:
    """Says at each layer of an error, or of the whole, why it is refused."""
    kinds: dict[tuple | None, set[str]] = {}
    for operator, name in error.places:
        kinds.setdefault(owner(name, routes), set()).add(operator)
    for path, operators in kinds.items():
        if path is not None:
            reason = f"no operator for {', '.join(sorted(operators))}"
            missing = isinstance(error, OperatorError)
            routes[path][format_name] = Route(
                REFUSED, reason if missing else str(error)
            )
    if None in kinds or not kinds:
        whole[format_name] = Route(REFUSED, str(error))


def _litert(program, entry: Entry, routes, whole) -> None:
    try:
        used = _operators(entry, routes, "litert")
    except OperatorError as error:
        used = {}
        _refuse("litert", error, routes, whole)
    for path, route in routes.items():
        loops = LOOPS & used.get(path, set())
        route.setdefault("litert", Route(LOOP if loops else BUILTIN))
    if not used:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            to_litert.convert(program, Path(folder) / "model.tflite", {})
        except (ConversionError, OperatorError) as error:
            _refuse("litert", error, routes, whole)
