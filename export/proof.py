"""One signature of a file, run in its runtime and compared with Keras."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from export import runtime
from export.answers import Answers
from export.draws import SPREAD
from export.every_row import every_row
from export.fresh import (
    OTHERS,
    Check,
    Job,
    Round,
    begin_fresh,
    count_of,
)
from export.parity import Parity, compare
from export.program import Entry
from export.reach import reaches
from export.stream_parity import add_parts, compare_splits, cuts
from export.streaming import RESET
from export.tables import missing_tables
from toolkit._backend import silence

MOST_BYTES = 1_000_000  # of the check vectors
VECTORS = 4  # cases of a signature


def prove(
    path: Path,
    entry: Entry,
    answers: Answers,
    splits: Answers | None,
    outcome: Parity,
    keeps_states: bool = False,
) -> Job | None:
    """Compares one signature of a file with the Keras model.

    Args:
        path: The file.
        entry: The signature.
        answers: The Keras model's.
        splits: Those to the sequences that are cut, of a signature of chunks.
        outcome: Takes the comparisons.
        keeps_states: Whether the file keeps the states itself.

    Returns:
        What fresh interpreters do in the background, to be finished; None for
        a SavedModel.

    Raises:
        ParityError: Names, dtypes or shapes differ.
    """
    with silence():  # delegates greet
        if entry.signature.states:
            stream = runtime.stream(path)
            compare_splits(entry, splits, stream.begin, outcome)
            if keeps_states:  # no state goes in
                return begin_kept_states(path, entry, splits, outcome)
        runner = runtime.load(path, signature=entry.name)
        seconds: dict[int, float] = {}
        compare(answers, runner.run, outcome, seconds)
        compare_tables(path, entry, answers, runner.run, outcome)
        check = Check(entry.name, answers)
        return begin_fresh(path, check, outcome, seconds)


def begin_kept_states(path, entry, splits, outcome) -> Job:
    """Lets fresh interpreters answer a stream with states in the file."""
    sizes, chunks = list(cuts(entry, splits.cases[0]))[-1]

    def add(found, note):
        add_parts(outcome, splits, 0, sizes, found[1:], note)

    calls = [(RESET, {}), *((entry.name, chunk) for chunk in chunks)]
    rounds = [
        Round(calls, count, default, add)
        for count, default in ((count_of(path), True), (OTHERS, False))
    ]
    return Job(path, rounds, outcome)


def compare_tables(path, entry, answers, run, outcome) -> None:
    """Compares every row of a table of which a file holds no equal copy.

    Of the others the first, the last and 64 spread rows were compared.
    """
    for name, reach in reaches(entry).items():
        large = [t for t in reach.tables if len(t) > SPREAD + 2]
        if missing_tables(path, large):
            for part in every_row(entry, name, answers):
                compare(part, run, outcome)


def check_vectors(answers: Mapping[str, Answers]) -> bytes:
    """Packs inputs, Keras' answers and their bounds as an .npz.

    Arrays are called `SIGNATURE/NUMBER/input/NAME`, `.../output/NAME` and
    `.../bound/NAME`, by how much each value of another runtime may differ.
    There are a few cases of each signature, the smallest ones where all
    together would be larger than 1 MB.
    """
    arrays: dict[str, np.ndarray] = {}
    share = MOST_BYTES / max(1, len(answers))
    for signature, own in answers.items():
        used = 0
        for number in _spread(own):
            case, expected = own.cases[number], own.expected[number]
            packed = {
                f"input/{k}": np.asarray(v) for k, v in case.inputs.items()
            }
            for name, value in expected.items():
                packed[f"output/{name}"] = value
                packed[f"bound/{name}"] = own.bound(number, name)
            size = sum(value.nbytes for value in packed.values())
            if used and used + size > share:
                continue
            used += size
            arrays |= {
                f"{signature}/{number}/{key}": value
                for key, value in packed.items()
            }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _spread(answers: Answers) -> list[int]:
    """Returns the places of a few cases, one of each kind at first."""
    sizes = [
        sum(np.asarray(v).nbytes for v in case.inputs.values())
        for case in answers.cases
    ]
    smallest: dict[str, int] = {}
    for number in sorted(range(len(sizes)), key=sizes.__getitem__):
        smallest.setdefault(answers.cases[number].kind, number)
    real = [n for kind, n in smallest.items() if kind == "real"]
    others = [n for kind, n in smallest.items() if kind != "real"]
    return [*real, *others][:VECTORS]
