"""Inputs that read every row of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from export.answers import Answers, Case
from export.axes import sizes_of
from export.draws import Draws
from export.program import Entry
from export.reach import reaches

MOST_VALUES = 20_000_000  # of an answer


def every_row(entry: Entry, name: str, answers: Answers) -> Iterator[Answers]:
    """Yields Keras' answers to inputs that read every row of a table.

    Args:
        entry: The signature.
        name: The input that indexes the table.
        answers: Its answers so far; the sizes of their cases are taken.
    """
    known = reaches(entry)
    draws = Draws(entry.inputs, known, entry.signature.states)
    sizes = _largest(entry, answers)
    probe = Draws(entry.inputs, known, entry.signature.states)
    try:
        answers.ask(probe.draw("uniform", sizes))
    except Exception:  # whatever a model may raise
        sizes = sizes_of(entry, answers.cases[0].inputs)
    for i, arrays in enumerate(draws.every_row(name, sizes)):
        case = Case(f"every row of {name}, part {i + 1}", arrays, "every row")
        expected = [answers.ask(arrays)]
        yield replace(answers, cases=[case], expected=expected)


def _largest(entry: Entry, answers: Answers) -> dict[str, int]:
    """Returns the largest size of each axis whose answers are not too large."""
    sizes: dict[str, int] = {}
    per_row = 0.0
    for case, answer in zip(answers.cases, answers.expected, strict=True):
        own = sizes_of(entry, case.inputs)
        for axis, n in own.items():
            sizes[axis] = max(n, sizes.get(axis, 1))
        values = sum(np.size(value) for value in answer.values())
        per_row = max(per_row, values / max(1, np.prod([*own.values()])))
    for axis in sizes:
        while per_row * np.prod([*sizes.values()]) > MOST_VALUES:
            if sizes[axis] <= 1:
                break
            sizes[axis] = max(1, sizes[axis] // 2)
    return sizes
