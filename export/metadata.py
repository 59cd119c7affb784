"""What an exported file says of itself, written into the file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from export import runtime
from export.errors import MetadataError
from toolkit.errors import closest

FORMAT_VERSION = 1
NAME = "toolkit.metadata"
WRITTEN = frozenset(
    {
        "format_version", "toolkit_version", "requirements", "states",
        "signature", "signatures", "inputs", "outputs",
    }
)  # fmt: skip
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # equal content, equal bytes

# First ONNX Runtime release that runs a version of the default operator set;
# from its documentation, "ONNX Runtime compatibility".
ONNXRUNTIME = {
    7: "0.1", 8: "0.4", 9: "0.4", 10: "0.5", 11: "1.0", 12: "1.3", 13: "1.6",
    14: "1.7", 15: "1.10", 16: "1.11", 17: "1.12", 18: "1.14", 19: "1.15",
    20: "1.17", 21: "1.18", 22: "1.20", 23: "1.21",
}  # fmt: skip


def describe(**fields: Any) -> dict[str, Any]:
    """Returns the description of a file, every field present.

    Args:
        fields: `name`, `task`, `labels`, `vocabulary`, `tokens`, `ends`,
            `text`, `preprocessing`, `activation`, `rubbish_penalty`,
            `anomaly_threshold`, `metrics`, `license`, `data`, `faces`,
            `states`, `signature`, `signatures`, `inputs`, `outputs`,
            `requirements`; and `extra`, an object with keys of the user's.

    Raises:
        MetadataError: a field that does not exist, or a value JSON cannot hold.
    """
    from importlib import metadata

    known: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": "model",
        "task": None,
        "labels": None,
        "vocabulary": None,
        "tokens": None,
        "ends": None,
        "text": None,
        "preprocessing": None,
        "activation": None,
        "rubbish_penalty": None,
        "anomaly_threshold": None,
        "metrics": {},
        "license": None,
        "data": None,
        "faces": None,
        "states": None,
        "signature": None,
        "signatures": None,
        "inputs": {},
        "outputs": {},
        "requirements": {},
        "extra": None,
        "toolkit_version": metadata.version("applied-keras-toolkit"),
    }
    unknown = set(fields) - set(known)
    if unknown:
        names = ", ".join(sorted(unknown))
        raise MetadataError(
            f"Unknown metadata: {names}.{closest(min(unknown), known)} "
            f"Available: {', '.join(known)}. Keys of your own go under `extra`."
        )
    known |= fields
    _check_json(known)
    return known


def check(metadata: Mapping[str, Any], outputs: Iterable[Any]) -> None:
    """Raises unless files can hold metadata and devices can use them.

    Args:
        metadata: as for `export.export`.
        outputs: of the whole model, with `shape` and `dtype`.

    Raises:
        MetadataError: a field that does not exist; a value that JSON cannot
            hold or of another type than the runtime reads; rules for pictures
            that lack a key; labels with line breaks, or another number of
            them than the output has classes.
    """
    _check_json(metadata)
    describe(**metadata)
    if reserved := sorted(WRITTEN.intersection(metadata)):
        raise MetadataError(
            f"The export writes {', '.join(reserved)} itself. Leave that out "
            "of `metadata`; keys of your own go under `extra`."
        )
    extra = metadata.get("extra")
    if extra is not None and not isinstance(extra, Mapping):
        raise MetadataError(
            "`extra` must be a dict with keys of your own. Received: "
            f"{extra!r:.80}."
        )
    if fault := runtime.metadata_fault(metadata):
        raise MetadataError(f"{fault} Mend `metadata`, or leave it out.")
    labels = metadata.get("labels")
    if labels is None:
        return
    for label in map(str, labels):
        if "".join(label.splitlines()) != label:
            raise MetadataError(
                "A label must not hold a line break: labels.txt in the file "
                f"has a line per label. Received: {label!r:.80}."
            )
    _check_count(len(labels), metadata.get("activation"), list(outputs))


def _check_count(count: int, activation: str | None, outputs: list) -> None:
    """Raises if an output has another number of classes than labels."""
    sizes = [tensor.shape[-1] if tensor.shape[1:] else 1 for tensor in outputs]
    # An open size cannot be compared, and integers are numbers of classes.
    if any(isinstance(size, str) for size in sizes) or any(
        "int" in str(tensor.dtype) for tensor in outputs
    ):
        return
    one_unit = {1: 2} if activation == "sigmoid" else {}
    classes = [one_unit.get(size, size) for size in sizes]
    if count not in classes:
        hint = (
            ' One output unit takes two labels with `activation` "sigmoid".'
            if 1 in classes and count == 2
            else ""
        )
        raise MetadataError(
            "`labels` must name every class of the model's output. Received: "
            f"{count} for {' and '.join(map(str, classes))} classes.{hint}"
        )


def _check_json(metadata: Mapping[str, Any]) -> None:
    try:
        json.dumps(metadata)
        _check_keys(metadata)
    except (TypeError, ValueError, RecursionError) as error:
        raise MetadataError(f"Metadata must be JSON: {error}.") from error


def _check_keys(value: Any) -> None:
    """Raises for keys that are no texts: JSON makes texts of them."""
    if isinstance(value, Mapping):
        for key, held in value.items():
            if not isinstance(key, str):
                raise TypeError(f"keys are texts, not {key!r:.80}")
            _check_keys(held)
    elif isinstance(value, list | tuple):
        for held in value:
            _check_keys(held)


def write(path: Path, metadata: Mapping[str, Any]) -> None:
    """Writes a description into an artifact, in place, with a checksum.

    The entry `checksum` lets `runtime.load` refuse a file whose bytes have
    changed since. It is computed anew, whatever `metadata` holds: of an .onnx
    file with zeros in the place of the checksum itself, of the flatbuffer of a
    .tflite file, of every file of a SavedModel but the metadata.

    Args:
        path: an .onnx or .tflite file, or a SavedModel directory.
        metadata: as `describe` returns it.
    """
    path = Path(path)
    metadata = {k: v for k, v in metadata.items() if k != runtime.CHECKSUM}
    if path.is_dir():
        _write_saved_model(path, metadata)
    elif path.suffix == ".onnx":
        _write_onnx(path, metadata)
    else:
        _write_litert(path, metadata)


def read(path: str | Path) -> dict[str, Any]:
    """Returns the description in an artifact; empty if there is none."""
    path = Path(path)
    if path.is_dir():
        return runtime.read_folder(path)
    if path.suffix == ".onnx":
        import onnx

        entries = onnx.load(str(path), load_external_data=False).metadata_props
        return runtime.read_entries(
            path, {entry.key: entry.value for entry in entries}
        )
    return runtime.read_appended(path, path.read_bytes())[0]


def requirements(path: str | Path) -> dict[str, Any]:
    """Returns the oldest runtime version that can run an artifact.

    ONNX: by the version of the operator set. LiteRT: as the converter notes
    it in the file. SavedModel: the TensorFlow that wrote it.
    """
    path = Path(path)
    if path.is_dir():
        from importlib import metadata

        return {"tensorflow": metadata.version("tensorflow")}
    if path.suffix == ".onnx":
        import onnx

        model = onnx.load(str(path), load_external_data=False)
        opset = max(
            item.version
            for item in model.opset_import
            if item.domain in ("", "ai.onnx")
        )
        return {"onnxruntime": ONNXRUNTIME.get(opset), "opset": opset}
    return {"tflite": _minimum_litert(path)}


def _dump(metadata: Mapping[str, Any]) -> str:
    return json.dumps(metadata, indent=1, sort_keys=True)


def _write_saved_model(path: Path, metadata: dict[str, Any]) -> None:
    about = path / "assets.extra" / runtime.METADATA
    about.parent.mkdir(exist_ok=True)
    metadata[runtime.CHECKSUM] = {
        file.relative_to(path).as_posix(): runtime.checksum(file.read_bytes())
        for file in sorted(path.rglob("*"))
        if file.is_file() and file != about
    }
    about.write_text(_dump(metadata), encoding="utf-8")


def _write_onnx(path: Path, metadata: dict[str, Any]) -> None:
    import onnx

    metadata[runtime.CHECKSUM] = runtime.SHA256 + runtime.NO_CHECKSUM.decode()
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(
        model,
        {
            key: _entry(value)
            for key, value in sorted(metadata.items())
            if value is not None
        },
    )
    content = model.SerializeToString(deterministic=True)
    computed, zeros = runtime.onnx_checksum(content)
    place = content.rindex(runtime.ONNX_CHECKSUM + runtime.NO_CHECKSUM)
    end = place + len(runtime.ONNX_CHECKSUM) + len(runtime.NO_CHECKSUM)
    start = end - len(zeros)
    path.write_bytes(content[:start] + computed.encode() + content[end:])


def _entry(value: Any) -> str:
    """Returns a value as an entry of an .onnx file, from which it is read.

    Texts stand as they are, for other tools to show; a text that would be
    read as something else, such as "123" or "null", stands in quotes.
    """
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except RecursionError:
        pass
    except ValueError:
        return value
    return json.dumps(value, ensure_ascii=False)


def _write_litert(path: Path, metadata: dict[str, Any]) -> None:
    """Appends a zip, which the interpreter passes over.

    The same layout as the TensorFlow Lite metadata's associated files: tools
    that list those show `metadata.json` and `labels.txt`.
    """
    content = path.read_bytes()
    # A description that is there already is replaced.
    flatbuffer = content[: runtime.read_appended(path, content)[1]]
    metadata[runtime.CHECKSUM] = runtime.checksum(flatbuffer)
    buffer = io.BytesIO()
    files = {runtime.METADATA: _dump(metadata)}
    if metadata.get("labels"):
        files["labels.txt"] = "\n".join(map(str, metadata["labels"])) + "\n"
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), text)
    path.write_bytes(flatbuffer + buffer.getvalue())


def _minimum_litert(path: Path) -> str | None:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == b"min_runtime_version":
            content = model.Buffers(entry.Buffer()).DataAsNumpy()
            return content.tobytes().rstrip(b"\0").decode()
    return None
