"""Bit for bit comparisons of trained runs, for `make same-as`.

Left out is what differs when the same process runs twice, and nothing more: the
date in a .keras file, the version of this toolkit in the metadata of exported
files, the checksum that covers it, the numbers that TensorFlow counts up in
the names of functions, the addresses that Keras writes as `shared_object_id`
(which objects are the same is compared), and the order of the variables that a
SavedModel's functions capture, which TensorFlow keeps in a set.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

PASSED_OVER = ("toolkit_version", "checksum")
COUNTED = re.compile(r"(?<![A-Za-z0-9])(__\w+?)_(\d+)(?!\w)")


def compare_runs(ours: Path, theirs: Path) -> Iterator[tuple[str, str]]:
    """Compares two run directories.

    Args:
        ours: a finished run with exported files.
        theirs: the same of another revision.

    Yields:
        What was compared, and the first difference, or nothing if there is
        none.
    """
    checks: dict[str, Callable[[Path, Path], str]] = {
        "metrics.csv": text_difference,
        "evaluation.json": metrics_difference,
    }
    for run in (ours, theirs):
        for path in run.rglob("*"):
            check = {
                ".keras": keras_difference,
                ".onnx": onnx_difference,
                ".tflite": litert_difference,
                ".pb": saved_model_difference,
            }.get(path.suffix)
            if path.name == "saved_model.pb":
                path = path.parent
            elif path.suffix == ".pb":  # the fingerprint of SavedModel
                continue
            if check:
                checks[str(path.relative_to(run))] = check
    for name, check in sorted(checks.items()):
        missing = [run for run in (ours, theirs) if not (run / name).exists()]
        if missing:
            yield name, f"there is no {missing[0] / name}"
        else:
            yield name, check(ours / name, theirs / name)


def text_difference(ours: Path, theirs: Path) -> str:
    """Returns the first line that differs in two text files."""
    return lines_difference(ours.read_text(), theirs.read_text())


def lines_difference(ours: str, theirs: str) -> str:
    """Returns the first line that differs in two texts."""
    if ours == theirs:
        return ""
    a, b = ours.splitlines(keepends=True), theirs.splitlines(keepends=True)
    for number, (x, y) in enumerate(zip(a, b, strict=False), 1):
        if x != y:
            return f"line {number}: {x!r} is not {y!r}"
    return f"{len(a)} lines are not {len(b)} lines"


def metrics_difference(ours: Path, theirs: Path) -> str:
    """Returns the first metric that differs in two evaluation.json."""
    return value_difference(
        *(json.loads(p.read_text())["metrics"] for p in (ours, theirs))
    )


def value_difference(ours: Any, theirs: Any, where: str = "") -> str:
    """Returns the first place where two nested values differ.

    Args:
        ours: of dicts, lists, strings, numbers, bytes.
        theirs: the same.
        where: they are, for the answer.
    """
    if type(ours) is not type(theirs):
        return f"{where}: {ours!r:.80} is not {theirs!r:.80}"
    if isinstance(ours, dict):
        if list(ours) != list(theirs):
            return f"{where}: {_unlike(list(ours), list(theirs))}"
        pairs = [(key, ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, list | tuple):
        if len(ours) != len(theirs):
            return f"{where}: {len(ours)} values are not {len(theirs)}"
        pairs = list(zip(range(len(ours)), ours, theirs, strict=True))
    elif ours == theirs or (ours != ours and theirs != theirs):
        return ""
    elif isinstance(ours, bytes):
        return f"{where}: {bytes_difference(ours, theirs)}"
    else:
        return f"{where}: {ours!r:.80} is not {theirs!r:.80}"
    for key, a, b in pairs:
        difference = value_difference(a, b, f"{where}/{key}")
        if difference:
            return difference
    return ""


def _unlike(ours: list, theirs: list) -> str:
    only = [key for key in ours if key not in theirs] or [
        key for key in theirs if key not in ours
    ]
    return f"only one side has {only[0]}" if only else "in another order"


def bytes_difference(ours: bytes, theirs: bytes) -> str:
    """Returns the first byte that differs."""
    if ours == theirs:
        return ""
    if len(ours) != len(theirs):
        return f"{len(ours)} bytes are not {len(theirs)} bytes"
    a, b = (np.frombuffer(content, np.uint8) for content in (ours, theirs))
    place = int(np.flatnonzero(a != b)[0])
    return f"byte {place}: {a[place]} is not {b[place]}"


def arrays_difference(ours: dict, theirs: dict) -> str:
    """Returns the first array, by name, that differs in its bits."""
    if sorted(ours) != sorted(theirs):
        return _unlike(sorted(ours), sorted(theirs))
    for name in sorted(ours):
        a, b = np.asarray(ours[name]), np.asarray(theirs[name])
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return f"{name}: {a.dtype}{a.shape} is not {b.dtype}{b.shape}"
        if a.dtype.kind in "OSU":
            if a.tolist() != b.tolist():
                return f"{name}: {a.tolist()!r:.80} is not {b.tolist()!r:.80}"
        elif a.tobytes() != b.tobytes():
            bits = [np.ascontiguousarray(x).reshape(-1) for x in (a, b)]
            unlike = np.flatnonzero(
                (bits[0].view(np.uint8) != bits[1].view(np.uint8))
                .reshape(len(bits[0]), -1)
                .any(axis=1)
            )
            first = unlike[0]
            return (
                f"{name}: {len(unlike)} of {a.size} values, the first "
                f"{bits[0][first]!r} is not {bits[1][first]!r}"
            )
    return ""


def keras_difference(ours: Path, theirs: Path) -> str:
    """Returns the first difference of two .keras files.

    Compared are configuration, every weight with the optimizer's, and the
    version of Keras; not the date.
    """
    configs, weights = zip(*map(_keras_parts, (ours, theirs)), strict=True)
    return value_difference(*configs) or arrays_difference(*weights)


def _keras_parts(path: Path) -> tuple[dict, dict]:
    import h5py

    arrays: dict[str, Any] = {}

    def keep(name, node):
        if isinstance(node, h5py.Dataset):
            arrays[name] = node[()]
        for key, value in node.attrs.items():
            arrays[f"{name}@{key}"] = value

    with zipfile.ZipFile(path) as archive:
        config = _without_addresses(json.loads(archive.read("config.json")))
        about = json.loads(archive.read("metadata.json"))
        del about["date_saved"]
        content = io.BytesIO(archive.read("model.weights.h5"))
        names = sorted(archive.namelist())
    with h5py.File(content, "r") as file:
        file.visititems(keep)
    return {"files": names, "metadata": about, "config": config}, arrays


def _without_addresses(config: Any) -> Any:
    """Returns a configuration whose shared objects are numbered from 0."""
    numbers: dict[int, int] = {}

    def walk(item: Any) -> Any:
        if isinstance(item, list):
            return [walk(child) for child in item]
        if not isinstance(item, dict):
            return item
        return {
            key: numbers.setdefault(value, len(numbers))
            if key == "shared_object_id" and isinstance(value, int)
            else walk(value)
            for key, value in item.items()
        }

    return walk(config)


def onnx_difference(ours: Path, theirs: Path) -> str:
    """Returns the first difference of two .onnx files."""
    import onnx

    models = [onnx.load(path) for path in (ours, theirs)]
    if ours.read_bytes() == theirs.read_bytes():
        return ""
    for model in models:
        kept = [p for p in model.metadata_props if p.key not in PASSED_OVER]
        del model.metadata_props[:]
        model.metadata_props.extend(kept)
    contents = [m.SerializeToString(deterministic=True) for m in models]
    if contents[0] == contents[1]:
        return ""
    return message_difference(*models) or bytes_difference(*contents)


def litert_difference(ours: Path, theirs: Path) -> str:
    """Returns the first difference of two .tflite files."""
    graphs, files = zip(*map(_litert_parts, (ours, theirs)), strict=True)
    return bytes_difference(*graphs) or value_difference(*files)


def _litert_parts(path: Path) -> tuple[bytes, dict]:
    """Returns the flatbuffer and the files behind it, without the version."""
    content = path.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content, {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
        start = min(info.header_offset for info in archive.infolist())
    about = _compared(json.loads(files["metadata.json"]))
    return content[:start], {**files, "metadata.json": about}


def _compared(about: dict) -> dict:
    return {k: v for k, v in about.items() if k not in PASSED_OVER}


def saved_model_difference(ours: Path, theirs: Path) -> str:
    """Returns the first difference of two SavedModel directories.

    Compared are graphs, signatures and objects, every variable, the metadata,
    and the names of all files.
    """
    names = [
        sorted(str(f.relative_to(p)) for f in p.rglob("*") if f.is_file())
        for p in (ours, theirs)
    ]
    if names[0] != names[1]:
        return _unlike(*names)
    about, graphs, variables = (
        [read(path) for path in (ours, theirs)]
        for read in (_metadata, _graph, _variables)
    )
    return (
        value_difference(*about)
        or arrays_difference(*variables)
        or message_difference(*graphs)
    )


def _metadata(path: Path) -> dict:
    about = (path / "assets.extra/metadata.json").read_text()
    return _compared(json.loads(about))


def _variables(path: Path) -> dict[str, Any]:
    """Returns the variables by name, without the checkpoint's own record."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path / "variables/variables"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


def _graph(path: Path):
    """Returns the SavedModel message, with functions and captures in order."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.core.protobuf import trackable_object_graph_pb2 as objects

    message = saved_model_pb2.SavedModel()
    message.ParseFromString((path / "saved_model.pb").read_bytes())
    for graph in message.meta_graphs:
        library = sorted(graph.graph_def.library.function, key=_order)
        del graph.graph_def.library.function[:]
        graph.graph_def.library.function.extend(library)
        _sort_captured(graph.object_graph_def)
        for node in graph.graph_def.node:  # the objects again, as a constant
            if node.op != "Const":
                continue
            texts = node.attr["value"].tensor.string_val
            held = objects.TrackableObjectGraph()
            with contextlib.suppress(DecodeError, IndexError):
                held.ParseFromString(texts[0])
            if _sort_captured(held):
                texts[0] = held.SerializeToString(deterministic=True)
    return message


def _sort_captured(graph) -> bool:
    """Puts the list `captured` of an object graph in order, if it has one."""
    for child in graph.nodes[0].children if graph.nodes else ():
        if child.local_name == "captured":
            held = graph.nodes[child.node_id].children
            for place, number in enumerate(sorted(c.node_id for c in held)):
                held[place].node_id = number
                held[place].local_name = str(place)
            return True
    return False


def _order(function) -> tuple[str, int]:
    name = function.signature.name
    found = COUNTED.search(name)
    return (found[1], int(found[2])) if found else (name, -1)


def message_difference(ours, theirs) -> str:
    """Returns the first field that differs in two protobuf messages."""
    from google.protobuf.json_format import MessageToDict

    contents = [m.SerializeToString(deterministic=True) for m in (ours, theirs)]
    if contents[0] == contents[1]:
        return ""
    return value_difference(
        *(
            _renumbered(MessageToDict(m, preserving_proto_field_name=True))
            for m in (ours, theirs)
        )
    )


def _renumbered(value: Any) -> Any:
    """Returns nested values in which functions are numbered in order."""
    numbers: dict[str, str] = {}

    def renumber(match: re.Match) -> str:
        new = f"{match[1]}_#{len(numbers)}"
        return numbers.setdefault(match[0], new)

    def walk(item: Any) -> Any:
        if isinstance(item, dict):
            return {walk(k): walk(v) for k, v in sorted(item.items())}
        if isinstance(item, list):
            return [walk(child) for child in item]
        return COUNTED.sub(renumber, item) if isinstance(item, str) else item

    return walk(value)
