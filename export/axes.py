"""Names of open axes: equal only where the model needs equal sizes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from export.answers import Arrays
from export.draws import Draws
from export.program import Entry
from export.reference import Reference
from export.signatures import Tensor

UNEQUAL = (5, 7, 9, 11, 13, 6, 8, 10, 12, 14, 15, 17, 19, 21)
EQUAL = (6, 9, 8, 16, 32, 64, 12, 28, 128, 224)


def open_axes(entry: Entry) -> list[str]:
    """Returns the names of the open axes of a signature's inputs, in order."""
    return list(
        dict.fromkeys(
            axis
            for tensor in entry.inputs
            for axis in tensor.shape
            if isinstance(axis, str)
        )
    )


def sizes_of(entry: Entry, arrays: Arrays) -> dict[str, int]:
    """Returns the size of each open axis, of inputs of a signature."""
    return {
        axis: n
        for tensor in entry.inputs
        for axis, n in zip(
            tensor.shape, np.shape(arrays[tensor.name]), strict=True
        )
        if isinstance(axis, str)
    }


def family(axis: str) -> str:
    """Returns the name of an axis without its number: `time` of `time_2`."""
    return re.sub(r"_\d+$", "", axis)


def is_batch(axis: str) -> bool:
    """Returns whether an axis is a batch."""
    return family(axis) == "batch"


def named(entry: Entry, reaches: Mapping) -> Entry:
    """Returns a signature whose axes have equal names where sizes must agree.

    Each input's axes have names of their own at first. Those that the model
    takes only at equal sizes get the name of the first of them; it is asked.

    Args:
        entry: The traced signature.
        reaches: As `export.reach.reaches` returns them.
    """
    axes = open_axes(entry)
    if len(entry.inputs) < 2 or len({*map(family, axes)}) == len(axes) <= 2:
        return entry

    reference = Reference(entry)

    def ask(sizes: Mapping[str, int]) -> bool:
        draws = Draws(entry.inputs, reaches, entry.signature.states, 1)
        return reference.takes(draws.draw("uniform", sizes))

    if len(axes) <= len(UNEQUAL) and ask(
        dict(zip(axes, UNEQUAL, strict=False))
    ):
        return entry
    names = _tied(axes, ask)
    return replace(
        entry,
        inputs=tuple(_renamed(tensor, names) for tensor in entry.inputs),
        outputs=tuple(_renamed(tensor, names) for tensor in entry.outputs),
    )


def _tied(axes: Sequence[str], ask) -> dict[str, str]:
    """Returns by axis the first of those that it has to be equal to."""
    batches = [axis for axis in axes if is_batch(axis)]
    base = None
    for n in EQUAL:
        sizes = {axis: 3 if axis in batches else n for axis in axes}
        if ask(sizes):
            base = sizes
            break
    first = {axis: axis for axis in axes}
    if base is None:  # no answer at all: `with_answers` says so
        return _by_family(axes, axes)

    def changes(chosen) -> bool:
        size = base[chosen[0]]
        return any(
            ask({**base, **dict.fromkeys(chosen, other)})
            for other in (size + 2, 2 * size, 4 * size)
        )

    bound = [axis for axis in axes if not changes([axis])]
    free: set[str] = set(axes) - set(bound)
    families = [
        [axis for axis in bound if family(axis) == name]
        for name in dict.fromkeys(map(family, bound))
    ]
    groups = [list(pair) for pair in itertools.combinations(bound, 2)]
    for group in [*groups, *families, None]:
        if group is None:  # all that are left
            group = [axis for axis in bound if axis not in free]
        if len(group) > 1 and not free & {*group} and changes(group):
            free |= {*group}
            first |= dict.fromkeys(group, group[0])
    return {**first, **_by_family([a for a in axes if a not in free], axes)}


def _by_family(axes: Sequence[str], of: Sequence[str]) -> dict[str, str]:
    """Returns by axis the first axis of its family."""
    return {
        axis: next(other for other in of if family(other) == family(axis))
        for axis in axes
    }


def _renamed(tensor: Tensor, names: Mapping[str, str]) -> Tensor:
    shape = tuple(names.get(n, n) for n in tensor.shape)
    return replace(tensor, shape=shape)


def named_outputs(
    entry: Entry,
    sizes: Sequence[Mapping[str, int]],
    answers: Sequence[Mapping[str, np.ndarray]],
) -> Entry:
    """Returns a signature whose outputs' axes are those of its inputs.

    An axis gets the name of an input's axis only if it has had the same size
    in every answer, and a name of its own otherwise.

    Args:
        entry: The traced signature.
        sizes: Size by open axis, of each case.
        answers: The outputs by name, of each case.
    """
    outputs = []
    for tensor in entry.outputs:
        shape = [
            _name_of(tensor, place, sizes, answers)
            if isinstance(axis, str)
            else axis
            for place, axis in enumerate(tensor.shape)
        ]
        outputs.append(replace(tensor, shape=tuple(shape)))
    return replace(entry, outputs=tuple(outputs))


def _name_of(tensor, place, sizes, answers) -> str:
    seen = [
        (known, answer[tensor.name].shape[place])
        for known, answer in zip(sizes, answers, strict=True)
        if known
    ]
    current = tensor.shape[place]
    axes = list(seen[0][0]) if seen else []
    for axis in sorted(axes, key=lambda axis: axis != current):
        if all(known[axis] == size for known, size in seen):
            return axis
    if current in axes or not axes:
        return f"{tensor.name}_axis_{place}" if axes else current
    return current
