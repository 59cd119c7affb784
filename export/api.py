"""`export.export`: a Keras model into files that are proven equal to it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata as distributions
from pathlib import Path
from typing import Any

import keras
import numpy as np

from export import formats as table
from export import metadata as embedded
from export import parity, proof, report, runtime
from export.answers import Tolerance
from export.cases import padding_values, with_answers
from export.errors import ExportError, UnsupportedModelError
from export.fresh import PROCESS
from export.lowering.registry import fallbacks
from export.program import Entry, Program, trace
from export.refusals import runs_in
from export.samples import named_samples
from export.signatures import DEFAULT, resolve
from export.stream_parity import check_model, split_answers
from export.streaming import (
    EXPLICIT,
    INTERNAL,
    NEXT,
    STREAMING,
    check_states,
    describe_states,
    with_streaming,
)
from toolkit.io import publish, recover, staging

NAME_BYTES = 150  # file systems take 255, with suffixes and temporary names
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
    sizes: Mapping[str, int | Iterable[int]] | None = None,
    fixed: Mapping[str, int] | None = None,
    streaming: bool = False,
    states: str = EXPLICIT,
    chunk: int | None = None,
    opset: int | None = None,
    metadata: Mapping[str, Any] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    allow_nan: bool = False,
) -> report.Report:
    """Exports a model and proves every file equal to it.

    For each format: convert to a temporary path, load in the real runtime,
    inspect the operators, compare with the Keras model (random and real
    inputs of many kinds, sizes and lengths, two calls in a row, many fresh
    interpreters), and only then give all files their names. Each value has to
    lie within 2e-5 of Keras' value and of the largest in its column; the
    report states the rule. Beside the files come `check_vectors.npz`,
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
        sizes: sizes of open axes on which to compare, such as
            `{"time": [32, 64]}`, where the model takes few.
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
            `vocabulary`, `preprocessing`, `activation`, `metrics`, `license`
            (None: no licence is claimed), `data`; keys of your own under
            `extra`. See `export.metadata.describe`.
        atol: absolute tolerance, in place of the rule.
        rtol: tolerance relative to Keras' value, in place of the rule.
        allow_nan: whether variables and answers may hold NaN or infinity;
            they are refused by default.

    Returns:
        A report; `print` shows a line per file.

    Raises:
        UnknownFormatError: a format that does not exist.
        UnsupportedModelError: a model that cannot be exported as it is.
        MetadataError: `metadata` that no file can hold, or that do not fit the
            model.
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
    if opset is not None and any(item.name == "onnx" for item in chosen):
        from export.to_onnx import checked_opset  # with all of tf2onnx

        checked_opset(opset)
    PROCESS.start()  # while the model is traced and converted
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
    program = trace(model, resolved, dict(fixed or {}), allow_nan)
    embedded.check(metadata or {}, program.entries[0].outputs)
    label = file_name(name or model.name)
    given = atol is not None or rtol is not None
    tolerance = Tolerance(atol, rtol) if given else None
    samples = named_samples(program.entries[0], samples)
    program, answers = with_answers(
        program, samples, sizes, tolerance, allow_nan
    )
    splits = None
    if streaming:
        entry = program.entry(STREAMING)
        splits = split_answers(
            entry,
            program.entry(DEFAULT),
            padding_values(model),
            answers[DEFAULT].tolerance,
        )
        check_model(entry, splits)
    options = {"opset": opset, "states": states}
    try:
        recover(directory, table.STAGING)
        with staging(directory, table.STAGING) as folder:
            unfinished = {}
            # The slowest first: its fresh interpreters run meanwhile.
            for item in reversed(chosen):
                for key, part in _parts(program, item):
                    unfinished[key] = _one(
                        part,
                        item,
                        folder / item.filename(label, key.partition(":")[2]),
                        (answers, splits),
                        options,
                        _describe(program, part, label, metadata or {}, states),
                    )
            results = {
                key: unfinished[key]()
                for item in chosen
                for key, _ in _parts(program, item)
            }
            outcome = report.Report(
                directory=directory,
                model=_describe_model(program, label),
                formats=results,
                notes=(*program.notes, *_fallbacks(program, chosen)),
                versions={p: distributions.version(p) for p in PACKAGES},
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            if states == INTERNAL:
                answers.pop(STREAMING, None)  # no state goes in
            _publish(folder, directory, outcome, answers)
    except OSError as error:
        raise ExportError(
            f'Cannot write the export into "{directory}": '
            f"{error.strerror or error}. Free space or name another "
            "directory; nothing was left behind."
        ) from error
    return outcome


def file_name(name: str) -> str:
    """Returns a model's name as a file name.

    Letters, marks and digits of any script stay, in NFC, with `.`, `_` and
    `-`; all else becomes `_`. Where that takes away more than blanks and ASCII
    punctuation, or all of the name, or where the name is too long for a file
    system, a hash tells it from others.
    """
    if not name:
        return "model"
    name = unicodedata.normalize("NFC", name)
    safe = "".join(
        c if c in "._-" or unicodedata.category(c)[0] in "LMN" else "_"
        for c in name
    )
    lost = any(
        before != after and not before.isascii()
        for before, after in zip(name, safe, strict=True)
    )
    kept = safe.lstrip(".")
    legible = kept.strip("._-") or kept == name
    if legible and not lost and len(kept.encode()) <= NAME_BYTES:
        return kept
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    stem = kept.encode()[:NAME_BYTES].decode("utf-8", "ignore")
    return f"{stem if legible else 'model'}_{digits[:8]}"


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
        kept = ["license", "data", "extra"]
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


def _one(program, item, path, checks, options, description) -> Callable:
    """Converts and proves a file; returns what waits for the proof's end."""
    answers, splits = checks
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
    outcome = parity.Parity(
        parity.loosest(answers[entry.name] for entry in program.entries)
    )
    jobs = []
    for entry in program.entries:
        with runs_in(item.title, path):
            jobs.append(
                proof.prove(
                    path,
                    entry,
                    answers[entry.name],
                    splits,
                    outcome,
                    keeps_states=options["states"] == INTERNAL,
                )
            )
    subject = f"The {item.title} file"
    outcome.check(subject)
    proven = time.perf_counter()

    def finish() -> report.FormatReport:
        begun = time.perf_counter()
        for job in filter(None, jobs):
            job.finish()
        outcome.check(subject)
        waited = time.perf_counter() - begun
        return report.FormatReport(
            format=item.name,
            path=path,
            signatures=tuple(entry.name for entry in program.entries),
            bytes=report.measure(path),
            seconds={
                "convert": converted - started,
                "verify": proven - converted + waited,
            },
            operators=operators,
            parity=outcome.describe(),
            requirements=embedded.requirements(path),
            facts=facts,
        )

    return finish


def _publish(folder, directory, outcome, answers) -> None:
    """Moves the finished files from the staging folder into place."""
    names = [report.CHECK_VECTORS]
    for result in outcome.formats.values():
        names.append(result.path.name)
        result.path = directory / result.path.name
    (folder / report.CHECK_VECTORS).write_bytes(proof.check_vectors(answers))
    description = json.dumps(outcome.describe(), indent=2)
    (folder / report.REPORT).write_text(description, encoding="utf-8")
    publish(folder, directory, names, mark=report.REPORT)
