"""Whether chunk by chunk gives what the whole sequence gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from export.errors import ParityError, UnsupportedModelError
from export.parity import Arrays, Case, Parity, masked_cases, random_cases
from export.program import Entry
from export.streaming import NEXT, sequence_inputs

STEPS = 7
SPLITS = ((7,), (1,) * 7, (2, 1, 4), (3, 3, 1))
ROUNDS = 3  # chunks, where their length is fixed


def check_model(
    chunk: Entry,
    cases: list[Case],
    reference: Callable[[Arrays], Arrays],
    tolerance: tuple[float, float],
) -> None:
    """Raises unless the Keras model itself can be cut into chunks.

    Args:
        chunk: the signature of chunks.
        cases: as `split_cases` returns them.
        reference: the Keras model over whole sequences.
        tolerance: absolute and relative.

    Raises:
        UnsupportedModelError: it gives something else chunk by chunk.
    """

    def begin():
        states: dict[str, np.ndarray] = {}

        def feed(arrays):
            if not states:
                states.update(zero_states(chunk, arrays))
            try:
                found = chunk.reference({**arrays, **states})
            except Exception as error:  # whatever a layer may raise
                shapes = [list(np.shape(array)) for array in arrays.values()]
                raise _refused(
                    chunk, f"It cannot be called with a chunk {shapes[0]}."
                ) from error
            for name in states:
                states[name] = found.pop(name + NEXT)
            return found

        return feed

    outcome = Parity(*tolerance)
    try:
        compare_splits(chunk, cases, reference, begin, outcome)
    except ParityError as error:
        raise _refused(chunk, str(error)) from error
    if not outcome.passed:
        worst = outcome.worst
        raise _refused(
            chunk,
            f'Output "{worst["output"]}"{worst["index"]} is '
            f"{worst['actual']:.6g} where it is {worst['expected']:.6g} over "
            f"the whole sequence ({worst['case']}).",
        )


def _refused(chunk: Entry, difference: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f'The model "{chunk.model.name}" gives something else chunk by chunk '
        "than over the whole sequence: a layer other than the recurrent ones "
        "mixes steps (a convolution, attention or pooling over time), or "
        f"keeps a state that cannot be found. {difference} Leave out "
        "`streaming`."
    )


def zero_states(chunk: Entry, arrays: Mapping) -> dict[str, np.ndarray]:
    """Returns the states before the first chunk.

    Args:
        chunk: the signature.
        arrays: the first chunk, which tells the batch size.
    """
    size = len(next(iter(arrays.values())))
    return {
        tensor.name: np.zeros(tensor.sizes({"batch": size}), tensor.dtype)
        for tensor in chunk.inputs
        if tensor.name in chunk.signature.states
    }


def split_cases(chunk: Entry, limit: int, padding: list[float]) -> list[Case]:
    """Returns whole sequences to be cut.

    Args:
        chunk: the signature of chunks.
        limit: integers are drawn below it.
        padding: what stands at steps without content.
    """
    fixed = _fixed_steps(chunk)
    length = ROUNDS * fixed if fixed else STEPS
    sequences = sequence_inputs(chunk.signature)
    tensors = []
    for tensor in chunk.inputs:
        if tensor.name in chunk.signature.states:
            continue
        shape = tensor.shape
        if tensor.name in sequences:
            shape = (shape[0], length, *shape[2:])
        tensors.append(replace(tensor, shape=shape))
    drawn = list(random_cases(tensors, limit))[:2]
    masked = [case for value in padding for case in masked_cases(drawn, value)]
    return drawn + masked


def compare_splits(
    chunk: Entry,
    cases: list[Case],
    reference: Callable[[Arrays], Arrays],
    begin: Callable[[], Callable],
    outcome: Parity,
) -> Parity:
    """Compares a stream, cut in several ways, with the Keras model.

    Args:
        chunk: the signature of chunks.
        cases: as `split_cases` returns them.
        reference: the Keras model over whole sequences.
        begin: starts anew; returns a function that takes a chunk and returns
            the outputs.
        outcome: takes the comparisons.

    Returns:
        `outcome`.

    Raises:
        ParityError: names, dtypes or shapes differ.
    """
    sequences = sequence_inputs(chunk.signature)
    for case in cases:
        expected = reference(case.inputs)
        length = max(case.inputs[name].shape[1] for name in sequences)
        for sizes in _splits(length, _fixed_steps(chunk)):
            feed, parts, start = begin(), [], 0
            for size in sizes:
                parts.append(feed(_cut(case, sequences, start, start + size)))
                start += size
            cut = "+".join(map(str, sizes))
            outcome.add(
                Case(f"{case.label}, chunks {cut}", case.inputs),
                expected,
                {
                    name: _joined(parts, name, sizes, expected.get(name))
                    for name in parts[-1]
                },
            )
    return outcome


def _fixed_steps(chunk: Entry) -> int | None:
    """Returns how many steps every chunk has; None if that is open."""
    sequences = sequence_inputs(chunk.signature)
    for tensor in chunk.inputs:
        if tensor.name in sequences and isinstance(tensor.shape[1], int):
            return tensor.shape[1]
    return None


def _splits(length: int, fixed: int | None) -> Iterable[tuple[int, ...]]:
    return [(fixed,) * (length // fixed)] if fixed else SPLITS


def _cut(case: Case, sequences, start: int, end: int) -> dict:
    return {
        name: array[:, start:end] if name in sequences else array
        for name, array in case.inputs.items()
    }


def _joined(parts: list[dict], name: str, sizes: tuple[int, ...], whole):
    """Returns all steps of an output, or the last of one that has none."""
    values = [part[name] for part in parts]
    stepwise = np.shape(whole)[1:2] == (sum(sizes),) and all(
        np.shape(value)[1:2] == (size,)
        for value, size in zip(values, sizes, strict=True)
    )
    return np.concatenate(values, axis=1) if stepwise else values[-1]
