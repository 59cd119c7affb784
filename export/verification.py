"""`export.verify`: any exported file against the Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export import formats as table
from export import parity, runtime
from export.cases import case_limits, check_cases, named_samples
from export.errors import ArtifactError, ParityError
from export.program import trace
from export.signatures import DEFAULT, Signature, inner_models, resolve
from export.stream_parity import compare_splits, split_cases
from export.streaming import (
    STREAMING,
    sequence_inputs,
    whole_signature,
    with_streaming,
)
from toolkit._backend import silence


@dataclass
class Verification:
    """The outcome of `export.verify`.

    Attributes:
        path: the file.
        parity: what was compared.
        operators: operator -> count.
        notes: names that had to be matched by position.
    """

    path: Path
    parity: parity.Parity
    operators: dict[str, int]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        worst = self.parity.worst
        lines = [
            f"{self.path} equals the Keras model: {self.parity.cases} "
            f"comparisons, largest difference {worst['absolute']:.1e} "
            f'(output "{worst["output"]}", {worst["case"]}), allowed '
            f"{self.parity.atol:g} + {self.parity.rtol:g} |expected|"
        ]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])


def verify(
    path: str | Path,
    model,
    *,
    signatures: Any = None,
    samples: Any = None,
    atol: float = parity.ATOL,
    rtol: float = parity.RTOL,
) -> Verification:
    """Holds an exported file against the Keras model it came from.

    The file may have been made elsewhere: names that differ from Keras' are
    matched by position, and the report says so. A file with its batch size
    (or another axis) fixed is compared at that size.

    Args:
        path: a .onnx or .tflite file or a SavedModel directory.
        model: the Keras model.
        signatures: the model's inputs; see `export.signatures.resolve`. By
            default the model's own, and those of the file that are called
            as models inside the model.
        samples: real inputs, as for `export.export`.
        atol: absolute tolerance.
        rtol: relative tolerance.

    Raises:
        ArtifactError: the file is missing or damaged.
        OperatorError: it holds operators that the stock runtime lacks.
        ParityError: it answers differently; the message names the worst
            value.
    """
    item = table.of(path)
    path = Path(path)
    operators = item.inspect(path)
    resolved = (
        _held(path, model) if signatures is None else resolve(model, signatures)
    )
    outcome = parity.Parity(atol, rtol)
    notes: list[str] = []
    named: dict | None = None
    for name, signature in resolved.items():
        runner = _load(path, name if len(resolved) > 1 else None)
        if signature.states:
            _verify_stream(path, model, signature, outcome)
            if not set(signature.states) <= set(runner.inputs):
                continue  # the file keeps them itself
        open_entry = trace(model, {name: signature}, {}).entries[0]
        inputs = _match("input", open_entry.inputs, runner.inputs, notes)
        outputs = _match("output", open_entry.outputs, runner.outputs, notes)
        fixed = _fixed_axes(open_entry.inputs, inputs, runner.inputs)
        entry = (
            trace(model, {name: signature}, fixed).entries[0]
            if fixed
            else open_entry
        )
        if fixed:
            sizes = ", ".join(f"{k} {v}" for k, v in sorted(fixed.items()))
            notes.append(f"The file has fixed sizes: {sizes}.")

        def run(arrays, runner=runner, inputs=inputs, outputs=outputs):
            answer = runner.run({inputs[k]: v for k, v in arrays.items()})
            return {ours: answer[theirs] for ours, theirs in outputs.items()}

        if named is None:
            named = named_samples(entry, samples)
        cases = check_cases(model, entry, named)
        with silence():  # delegates greet
            parity.compare(
                cases,
                entry.reference,
                run,
                outcome,
                ranked=entry.signature.ranked,
                equally_good=entry.equally_good,
            )
    outcome.check(str(path))
    return Verification(path, outcome, operators, tuple(notes))


def _held(path: Path, model) -> dict:
    """Returns the model's signatures that a file holds."""
    names = _load(path, None).signatures
    inner = [name for name in names if name in inner_models(model)]
    found = resolve(model, inner or None)
    if STREAMING in names:
        sizes = _load(path, STREAMING).inputs
        first = next(iter(sequence_inputs(found[DEFAULT])), None)
        if first not in sizes or len(sizes[first][0]) < 2:
            raise ParityError(
                f"The file takes chunks of a sequence, {', '.join(sizes)}; the "
                f"model takes {', '.join(found[DEFAULT].inputs)}. It is an "
                "export of another model."
            )
        batch, chunk = (
            n if isinstance(n, int) and n > 0 else None
            for n in sizes[first][0][:2]
        )
        found |= with_streaming(model, found[DEFAULT], chunk, batch)
    elif DEFAULT in found:
        found[DEFAULT] = whole_signature(model, found[DEFAULT])
    others = inner or STREAMING in names
    if others and DEFAULT not in names:  # it has a file of its own
        del found[DEFAULT]
    return found


def _verify_stream(
    path: Path, model, signature: Signature, outcome: parity.Parity
) -> None:
    """Compares a stream, cut in several ways, with the whole sequence."""
    whole = whole_signature(model, resolve(model)[DEFAULT])
    whole_entry, entry = trace(
        model, {DEFAULT: whole, STREAMING: signature}, {}
    ).entries
    try:
        stream = runtime.stream(path)
    except runtime.ModelError as error:
        raise ArtifactError(str(error)) from error
    try:
        with silence():  # delegates greet
            compare_splits(
                entry,
                split_cases(entry, *case_limits(model)),
                whole_entry.reference,
                stream.begin,
                outcome,
            )
    except runtime.InputError as error:
        raise ParityError(
            f"{error} It is an export of another model."
        ) from error


def _load(path: Path, signature: str | None) -> runtime.Model:
    try:
        return runtime.load(path, signature=signature)
    except runtime.ModelError as error:
        raise ArtifactError(str(error)) from error


def _match(
    kind: str, ours, theirs: Mapping[str, tuple], notes: list[str]
) -> dict[str, str]:
    """Maps the Keras model's names to the file's."""
    wanted = [tensor.name for tensor in ours]
    if set(wanted) == set(theirs):
        return {name: name for name in wanted}
    if len(wanted) != len(theirs):
        raise ParityError(
            f"The file has {len(theirs)} {kind}s ({', '.join(theirs)}), the "
            f"Keras model {len(wanted)} ({', '.join(wanted)}). It is an "
            f"export of another model{_or_signature(kind)}."
        )
    matched = dict(zip(wanted, theirs, strict=True))
    for tensor in ours:
        shape, dtype = theirs[matched[tensor.name]]
        if np.dtype(dtype) != np.dtype(tensor.dtype) or not _fits(
            tensor.shape, shape
        ):
            raise ParityError(
                f'The file\'s {kind} "{matched[tensor.name]}" is {dtype} '
                f'{list(shape)}, the Keras model\'s "{tensor.name}" '
                f"{tensor.dtype} {list(tensor.shape)}. It is an export of "
                f"another model{_or_signature(kind)}."
            )
    pairs = ", ".join(f"{a} = {b}" for a, b in matched.items())
    notes.append(f"Names differ, {kind}s matched by position: {pairs}.")
    return matched


def _or_signature(kind: str) -> str:
    return " or signature" if kind == "input" else ""


def _fits(ours, theirs) -> bool:
    if not theirs:  # the file does not say
        return True
    return len(ours) == len(theirs) and all(
        not isinstance(a, int) or not isinstance(b, int) or a == b or b < 0
        for a, b in zip(ours, theirs, strict=True)
    )


def _fixed_axes(tensors, names, theirs) -> dict[str, int]:
    """Returns axes that the Keras model leaves open and the file does not."""
    fixed = {}
    for tensor in tensors:
        shape = theirs[names[tensor.name]][0]
        for ours, size in zip(tensor.shape, shape, strict=False):
            if isinstance(ours, str) and isinstance(size, int) and size > 0:
                fixed[ours] = size
    return fixed
