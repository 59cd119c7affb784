"""`export.verify`: any exported file against the Keras model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export import formats as table
from export import parity, proof, runtime
from export.answers import Tolerance
from export.cases import (
    padding_values,
    with_answers,
)
from export.errors import ArtifactError, ParityError
from export.fresh import Check, begin_fresh
from export.program import trace
from export.reference import tolerance_of
from export.samples import named_samples
from export.signatures import DEFAULT, Signature, inner_models, resolve
from export.stream_parity import compare_splits, split_answers
from export.streaming import (
    STREAMING,
    sequence_inputs,
    whole_signature,
    with_streaming,
)
from export.strength import Strength, check_kind, measure
from toolkit._backend import silence


@dataclass
class Verification:
    """The outcome of `export.verify`.

    Attributes:
        path: the file.
        parity: what was compared.
        operators: operator -> count.
        notes: names that had to be matched by position.
        strength: the share of wrong files that the comparison refuses, where it
            was asked for.
    """

    path: Path
    parity: parity.Parity
    operators: dict[str, int]
    notes: tuple[str, ...]
    strength: Strength | None = None

    def __str__(self) -> str:
        worst = self.parity.worst
        lines = [
            f"{self.path} equals the Keras model: {self.parity.cases} "
            f"comparisons, largest difference {worst['absolute']:.1e} "
            f'(output "{worst["output"]}", {worst["case"]}); '
            f"{self.parity.rule}"
        ]
        if self.strength is not None:
            lines.append(str(self.strength))
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])


def verify(
    path: str | Path,
    model,
    *,
    signatures: Any = None,
    samples: Any = None,
    sizes: Any = None,
    atol: float | None = None,
    rtol: float | None = None,
    allow_nan: bool = False,
    strength: bool = False,
) -> Verification:
    """Compares an exported file with the Keras model it came from.

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
        sizes: sizes of open axes, as for `export.export`.
        atol: absolute tolerance, in place of the rule.
        rtol: tolerance relative to Keras' value, in place of the rule.
        allow_nan: as for `export.export`.
        strength: whether to measure the share of wrong files that the same
            comparison refuses: the file with one constant zeroed, moved,
            turned or with two rows exchanged. That takes minutes for large
            models.

    Raises:
        ArtifactError: the file is missing or damaged.
        OperatorError: it holds operators that the stock runtime lacks.
        ParityError: it answers differently; the message names the worst
            value.
    """
    item = table.of(path)
    path = Path(path)
    if strength:
        check_kind(path)
    operators = item.inspect(path)
    resolved = (
        _held(path, model) if signatures is None else resolve(model, signatures)
    )
    given = atol is not None or rtol is not None
    tolerance = Tolerance(atol, rtol) if given else None
    outcome = parity.Parity(tolerance or Tolerance())
    notes: list[str] = []
    named: dict | None = None
    checks: list[Check] = []
    for name, signature in resolved.items():
        runner = _load(path, name if len(resolved) > 1 else None)
        if signature.states:
            kept = not set(signature.states) <= set(runner.inputs)
            _verify_stream(path, model, signature, outcome, tolerance, kept)
            if kept:
                continue  # no state goes in
        program = trace(model, {name: signature}, {}, allow_nan)
        open_entry = program.entries[0]
        inputs = _match("input", open_entry.inputs, runner.inputs, notes)
        outputs = _match("output", open_entry.outputs, runner.outputs, notes)
        fixed = _fixed_axes(open_entry.inputs, inputs, runner.inputs)
        if fixed:
            program = trace(model, {name: signature}, fixed, allow_nan)
            shown = ", ".join(f"{k} {v}" for k, v in sorted(fixed.items()))
            notes.append(f"The file has fixed sizes: {shown}.")

        def run(arrays, runner=runner, inputs=inputs, outputs=outputs):
            answer = runner.run({inputs[k]: v for k, v in arrays.items()})
            return {ours: answer[theirs] for ours, theirs in outputs.items()}

        if named is None:
            named = named_samples(program.entries[0], samples)
        program, answers = with_answers(
            program, named, sizes, tolerance, allow_nan
        )
        outcome.tolerance = max(
            outcome.tolerance, answers[name].tolerance, key=lambda t: t.r
        )
        check = Check(runner.signature, answers[name], inputs, outputs)
        checks.append(check)
        with silence(), _refusals():  # delegates greet
            seconds: dict[int, float] = {}
            parity.compare(answers[name], run, outcome, seconds)
            proof.compare_tables(
                path, program.entries[0], answers[name], run, outcome
            )
            if job := begin_fresh(path, check, outcome, seconds):
                job.finish()
    outcome.check(str(path))
    measured = measure(path, checks) if strength else None
    return Verification(path, outcome, operators, tuple(notes), measured)


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
    path: Path,
    model,
    signature: Signature,
    outcome: parity.Parity,
    tolerance: Tolerance | None,
    kept: bool,
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
    splits = split_answers(
        entry,
        whole_entry,
        padding_values(model),
        tolerance_of(whole_entry, tolerance),
    )
    with silence(), _refusals():  # delegates greet
        compare_splits(entry, splits, stream.begin, outcome)
        if kept:
            proof.begin_kept_states(path, entry, splits, outcome).finish()


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turns what a file refuses into an error: the Keras model takes it."""
    try:
        yield
    except runtime.InputError as error:
        raise ParityError(
            f"{error} The Keras model takes them: the file is an export of "
            "another model, or wrong."
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
    matched = {name: name for name in wanted if name in theirs}
    others = [name for name in theirs if name not in matched]
    rest = [name for name in wanted if name not in matched]
    matched |= dict(zip(rest, others, strict=True))
    matched = {name: matched[name] for name in wanted}
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
    pairs = ", ".join(f"{name} = {matched[name]}" for name in rest)
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
