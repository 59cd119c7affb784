"""`export.export`: a Keras model into files that are proven equal to it."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata as distributions
from pathlib import Path
from typing import Any

import keras
import numpy as np

from export import formats as table
from export import metadata as embedded
from export import parity, report, runtime
from export.cases import case_limits, check_cases, named_samples
from export.errors import ExportError, UnsupportedModelError
from export.lowering.registry import fallbacks
from export.program import Entry, Program, trace
from export.refusals import runs_in
from export.signatures import DEFAULT, resolve
from export.stream_parity import check_model, compare_splits, split_cases
from export.streaming import (
    EXPLICIT,
    INTERNAL,
    NEXT,
    STREAMING,
    check_states,
    describe_states,
    with_streaming,
)
from toolkit._backend import silence
from toolkit.io import publish, recover, staging

PACKAGES = (
    "tensorflow",
    "keras",
    "onnx",
    "tf2onnx",
    "onnxruntime",
    "ai-edge-litert",
    "numpy",
)


def export(
    model: keras.Model,
    directory: str | Path,
    formats: str | Iterable[str] = tuple(table.FORMATS),
    *,
    name: str | None = None,
    signatures: Any = None,
    samples: Any = None,
    fixed: Mapping[str, int] | None = None,
    streaming: bool = False,
    states: str = EXPLICIT,
    chunk: int | None = None,
    opset: int | None = None,
    metadata: Mapping[str, Any] | None = None,
    atol: float = parity.ATOL,
    rtol: float = parity.RTOL,
) -> report.Report:
    """Exports a model and proves every file equal to it.

    For each format: convert to a temporary path, load in the real runtime,
    inspect the operators, compare with the Keras model (random and real
    inputs, several batch sizes and lengths, two calls in a row), and only
    then give all files their names. Beside the files come `check_vectors.npz`,
    with which anyone can replay the comparison, and `report.json`, which is
    there only while the set is whole: where a process was killed while it
    replaced one set by another, the next export ends that first.

    Args:
        model: a Keras model; it need not have been called.
        directory: where the files go; created. Files of the same names are
            replaced, others stay.
        formats: names from `export.formats.FORMATS`.
        name: of the files; the model's name by default.
        signatures: the model's inputs where it does not tell them itself; see
            `export.signatures.resolve`.
        samples: real inputs for the comparison: an array, or arrays by input
            name, batch first.
        fixed: open axes to close, such as `{"batch": 1}`.
        streaming: whether the model leaves a second time, to be fed chunk by
            chunk: the signature `streaming`, in the same file where the
            format allows it. Stateful models leave only so.
        states: of the recurrent layers in that signature: `explicit`, inputs
            and outputs; or `internal`, kept in the file's runtime until the
            signature `streaming_reset` is called, which only LiteRT can.
        chunk: steps of a chunk; open by default. A step at a time is fastest
            with 1.
        opset: of the ONNX file; by default the newest that tf2onnx writes.
        metadata: what travels inside the files: `task`, `labels`,
            `vocabulary`, `preprocessing`, `activation`, `metrics`, `license`,
            `data`.
        atol: absolute tolerance.
        rtol: relative tolerance.

    Returns:
        A report; `print` shows a line per file.

    Raises:
        UnknownFormatError: a format that does not exist.
        UnsupportedModelError: a model that cannot be exported as it is.
        ConversionError: a converter gave up.
        OperatorError: the stock runtime lacks an operator.
        ParityError: a file's answers differ.
        ExportError: the disk is full or not writable. Whatever is raised,
            nothing of this export is left behind.

    Example:
    >>> import tempfile, export
    >>> from toolkit.models import softmax_regression
    >>> model = softmax_regression((8, 8, 1), classes=10)
    >>> done = export.export(model, tempfile.mkdtemp(), ["onnx"])
    >>> done.formats["onnx"].operators
    {'MatMul': 1, 'Reshape': 1, 'Softmax': 1}
    """
    chosen = table.parse(formats)
    _check_model(model)
    directory = Path(directory)
    resolved = resolve(model, signatures)
    if streaming:
        check_states(states, chosen)
        resolved |= with_streaming(
            model,
            resolved[DEFAULT],
            chunk,
            (fixed or {}).get("batch", 1) if states == INTERNAL else None,
        )
    elif chunk is not None or states != EXPLICIT:
        raise UnsupportedModelError(
            "`chunk` and `states` need streaming=True. Received: "
            f"streaming={streaming}, chunk={chunk}, states={states!r}."
        )
    program = trace(model, resolved, dict(fixed or {}))
    label = file_name(name or model.name)
    samples = named_samples(program.entries[0], samples)
    tolerance = (atol, rtol)
    cases = {
        entry.name: check_cases(model, entry, samples)
        for entry in program.entries
    }
    references = {
        entry.name: parity.remembered(entry.reference)
        for entry in program.entries
    }
    splits: list[parity.Case] = []
    if streaming:
        entry = program.entry(STREAMING)
        splits = split_cases(entry, *case_limits(model))
        check_model(entry, splits, references[DEFAULT], tolerance)
    options = {"opset": opset, "states": states}
    try:
        recover(directory, table.STAGING)
        with staging(directory, table.STAGING) as folder:
            results, vectors = {}, {}
            for item in chosen:
                for key, part in _parts(program, item):
                    results[key], tried = _one(
                        part,
                        item,
                        folder / item.filename(label, key.partition(":")[2]),
                        (cases, splits, references),
                        options,
                        _describe(program, part, label, metadata or {}, states),
                        tolerance,
                    )
                    vectors |= tried
            outcome = report.Report(
                directory=directory,
                model=_describe_model(program, label),
                formats=results,
                notes=(*program.notes, *_fallbacks(program, chosen)),
                versions={p: distributions.version(p) for p in PACKAGES},
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            _publish(folder, directory, outcome, vectors)
    except OSError as error:
        raise ExportError(
            f'Cannot write the export into "{directory}": '
            f"{error.strerror or error}. Free space or name another "
            "directory; nothing was left behind."
        ) from error
    return outcome


def file_name(name: str) -> str:
    """Returns a model's name as a file name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "model"


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise UnsupportedModelError(
            "`model` must be a keras.Model. Received: "
            f"{model!r} (of type {type(model).__name__}). Load a file with "
            "`keras.models.load_model(path)` first."
        )


def _parts(program: Program, item: table.Format) -> Iterator:
    """Yields key and program of each file that a format takes."""
    if not item.one_signature:
        yield item.name, program
        return
    for entry in program.entries:
        suffix = "" if entry.name == DEFAULT else f":{entry.name}"
        part = dataclasses.replace(program, entries=(entry,))
        yield item.name + suffix, part


def _fallbacks(program: Program, chosen: Iterable[table.Format]) -> list[str]:
    """Returns a note for every layer that is not fused."""
    return [
        f"{item.title}: the layer {path} is not fused: {reason}."
        for item in chosen
        for path, reason in fallbacks(program.model, item.name).items()
    ]


def _describe(
    program: Program,
    part: Program,
    label: str,
    metadata: Mapping[str, Any],
    states: str,
) -> dict[str, Any]:
    """Returns what a file says of itself.

    `metadata` is of the whole model; a file of an inner model alone keeps
    what holds for it too. All that is asked of word vectors is asked with the
    same words.
    """
    entry, whole = part.entries[0], program.entries[0]
    facts = {"name": label, **_tensors(entry)}
    for carrying in part.entries:
        if carrying.signature.states:
            facts["states"] = describe_states(carrying.signature, states)
    if entry.name == whole.name or entry.signature.states:
        facts |= metadata
    else:
        kept = ["license", "data"]
        if metadata.get("task") == runtime.WORD_VECTORS:
            kept += ["task", "vocabulary"]
        for key in kept:
            if key in metadata:
                facts[key] = metadata[key]
        if _tensors(entry)["inputs"] == _tensors(whole)["inputs"]:
            facts["preprocessing"] = metadata.get("preprocessing")
    if len(program.entries) > 1:
        facts["signature"] = entry.name
    if len(part.entries) > 1:
        facts["signatures"] = {
            e.name: _tensors(e, states) for e in part.entries
        }
    return facts


def _tensors(entry: Entry, states: str = EXPLICIT) -> dict[str, dict]:
    hidden = set()
    if states == INTERNAL:
        for name in entry.signature.states:
            hidden |= {name, name + NEXT}
    return {
        kind: {t.name: t.describe() for t in tensors if t.name not in hidden}
        for kind, tensors in (
            ("inputs", entry.inputs),
            ("outputs", entry.outputs),
        )
    }


def _describe_model(program: Program, label: str) -> dict:
    model = program.model
    return {
        "name": label,
        "parameters": int(model.count_params()) if model.built else None,
        "fingerprint": report.fingerprint(
            np.asarray(variable) for variable in model.variables
        ),
        **_tensors(program.entries[0]),
    }


def _one(program, item, path, checks, options, description, tolerance):
    cases, splits, references = checks
    started = time.perf_counter()
    facts = item.convert(program, path, options)
    embedded.write(
        path,
        embedded.describe(
            **description, requirements=embedded.requirements(path)
        ),
    )
    converted = time.perf_counter()
    operators = item.inspect(path)
    outcome = parity.Parity(*tolerance)
    vectors: dict[str, list] = {}
    for entry in program.entries:
        with silence(), runs_in(item.title, path):  # delegates greet
            if entry.signature.states:
                stream = runtime.stream(path)
                compare_splits(
                    entry, splits, references[DEFAULT], stream.begin, outcome
                )
                if options["states"] == INTERNAL:
                    continue  # no state goes in
            vectors[entry.name] = []
            runner = runtime.load(path, signature=entry.name)
            outcome = parity.compare(
                cases[entry.name],
                references[entry.name],
                runner.run,
                outcome,
                vectors[entry.name],
                entry.signature.ranked,
                entry.equally_good,
            )
    outcome.check(f"The {item.title} file")
    done = time.perf_counter()
    return report.FormatReport(
        format=item.name,
        path=path,
        signatures=tuple(entry.name for entry in program.entries),
        bytes=report.measure(path),
        seconds={"convert": converted - started, "verify": done - converted},
        operators=operators,
        parity=outcome.describe(),
        requirements=embedded.requirements(path),
        facts=facts,
    ), vectors


def _publish(folder, directory, outcome, vectors) -> None:
    """Moves the finished files from the staging folder into place."""
    names = [report.CHECK_VECTORS]
    for result in outcome.formats.values():
        names.append(result.path.name)
        result.path = directory / result.path.name
    (folder / report.CHECK_VECTORS).write_bytes(_pack(vectors))
    description = json.dumps(outcome.describe(), indent=2)
    (folder / report.REPORT).write_text(description, encoding="utf-8")
    publish(folder, directory, names, mark=report.REPORT)


def _pack(vectors: dict[str, list]) -> bytes:
    """Packs inputs and Keras' answers as an .npz.

    Arrays are called `SIGNATURE/NUMBER/input/NAME` and
    `SIGNATURE/NUMBER/output/NAME`.
    """
    arrays = {}
    for signature, cases in vectors.items():
        for number, (case, expected) in enumerate(cases):
            for kind, values in (("input", case.inputs), ("output", expected)):
                for name, value in values.items():
                    arrays[f"{signature}/{number}/{kind}/{name}"] = value
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
