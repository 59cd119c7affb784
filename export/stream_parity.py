"""Whether chunk by chunk gives what the whole sequence gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from export.answers import Answers, Case, Tolerance
from export.draws import Draws, masked
from export.errors import ParityError, UnsupportedModelError
from export.parity import Parity
from export.program import Entry
from export.reach import reaches
from export.reference import Reference, shaken_answers
from export.streaming import NEXT, sequence_inputs

STEPS, MANY_STEPS = 7, 133
SPLITS = {
    STEPS: ((7,), (1,) * 7, (2, 1, 4), (3, 3, 1)),
    MANY_STEPS: ((130, 3),),
}
ROUNDS = 3  # chunks, where their length is fixed


def check_model(chunk: Entry, answers: Answers) -> None:
    """Raises unless the Keras model itself can be cut into chunks.

    Args:
        chunk: the signature of chunks.
        answers: as `split_answers` returns them.

    Raises:
        UnsupportedModelError: it gives something else chunk by chunk.
    """
    reference = Reference(chunk)

    def begin():
        states: dict[str, np.ndarray] = {}

        def feed(arrays):
            if not states:
                states.update(zero_states(chunk, arrays))
            try:
                found = reference({**arrays, **states})
            except Exception as error:  # whatever a layer may raise
                shapes = [list(np.shape(array)) for array in arrays.values()]
                raise _refused(
                    chunk, f"It cannot be called with a chunk {shapes[0]}."
                ) from error
            for name in states:
                states[name] = found.pop(name + NEXT)
            return found

        return feed

    outcome = Parity(answers.tolerance)
    try:
        compare_splits(chunk, answers, begin, outcome)
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


def split_answers(
    chunk: Entry,
    whole: Entry,
    padding: Sequence[float],
    tolerance: Tolerance,
) -> Answers:
    """Returns whole sequences to be cut, with Keras' answers.

    Args:
        chunk: the signature of chunks.
        whole: the signature of whole sequences.
        padding: what stands at steps without content.
        tolerance: what a value may differ by.
    """
    fixed = _fixed_steps(chunk)
    length = ROUNDS * fixed if fixed else STEPS
    known = reaches(chunk)
    cases = []
    for kind, batch, steps in (
        ("uniform", 3, length),
        ("normal", 1, length),
        ("normal", 1, MANY_STEPS),
    ):
        if fixed and steps == MANY_STEPS:
            continue
        draws = Draws(_sequences(chunk, steps), known, seed=len(cases))
        sizes = {
            axis: batch
            for tensor in draws.tensors
            for axis in tensor.shape
            if isinstance(axis, str)
        }
        label = f"{kind}, batch {batch}, {steps} steps"
        cases.append(Case(label, draws.draw(kind, sizes), kind))
    rng = np.random.default_rng(0)
    drawn = tuple(cases[:2])
    for value in padding:
        for case in drawn:
            cases.append(_masked(case, value, rng))
    reference = Reference(whole)
    return Answers(
        cases,
        [reference(case.inputs) for case in cases],
        tolerance,
        ask=reference,
        shaken=None if reference.eager else partial(shaken_answers, whole),
    )


def _sequences(chunk: Entry, steps: int) -> list:
    sequences = sequence_inputs(chunk.signature)
    tensors = []
    for tensor in chunk.inputs:
        if tensor.name in chunk.signature.states:
            continue
        shape = tensor.shape
        if tensor.name in sequences:
            shape = (shape[0], steps, *shape[2:])
        tensors.append(replace(tensor, shape=shape))
    return tensors


def _masked(case: Case, value: float, rng) -> Case:
    changed = {
        name: masked(array, value, False, rng)
        for name, array in case.inputs.items()
    }
    changed = {k: v for k, v in changed.items() if v is not None}
    return Case(
        f"{case.label}, masked",
        {**case.inputs, **changed},
        f"{case.kind}, masked",
    )


def compare_splits(
    chunk: Entry,
    answers: Answers,
    begin: Callable[[], Callable],
    outcome: Parity,
) -> Parity:
    """Compares a stream, cut in several ways, with the Keras model.

    Args:
        chunk: the signature of chunks.
        answers: as `split_answers` returns them.
        begin: starts anew; returns a function that takes a chunk and returns
            the outputs.
        outcome: takes the comparisons.

    Returns:
        `outcome`.

    Raises:
        ParityError: names, dtypes or shapes differ.
    """
    for number, case in enumerate(answers.cases):
        for sizes, chunks in cuts(chunk, case):
            feed = begin()
            add_parts(outcome, answers, number, sizes, map(feed, chunks))
    return outcome


def cuts(
    chunk: Entry, case: Case
) -> Iterator[tuple[tuple[int, ...], list[dict]]]:
    """Yields the steps of each chunk, and the chunks, for every cut of a case.

    Args:
        chunk: the signature of chunks.
        case: whole sequences.
    """
    sequences = sequence_inputs(chunk.signature)
    if not sequences:
        names = ", ".join(case.inputs)
        raise UnsupportedModelError(
            f'The model "{chunk.model.name}" takes no sequences of open '
            f"length ({names}), so it cannot take chunks. Build it with "
            "keras.Input((None, ...)) and give it the weights: "
            "twin.set_weights(model.get_weights())."
        )
    length = max(case.inputs[name].shape[1] for name in sequences)
    for sizes in _splits(length, _fixed_steps(chunk)):
        ends = np.cumsum(sizes).tolist()
        yield (
            sizes,
            [
                _cut(case, sequences, end - size, end)
                for size, end in zip(sizes, ends, strict=True)
            ],
        )


def add_parts(
    outcome: Parity,
    answers: Answers,
    number: int,
    sizes: tuple[int, ...],
    parts: Iterable[dict],
    note: str = "",
) -> None:
    """Compares the answers to the chunks of a case with that to the whole.

    Args:
        outcome: takes the comparison.
        answers: the Keras model's, to whole sequences.
        number: the place of the case.
        sizes: steps of each chunk.
        parts: outputs by name, of each chunk.
        note: stands behind the case's label.
    """
    parts, expected = list(parts), answers.expected[number]
    cut = "+".join(map(str, sizes))
    outcome.add(
        answers,
        number,
        {
            name: _joined(parts, name, sizes, expected.get(name))
            for name in parts[-1]
        },
        f"{answers.cases[number].label}, chunks {cut}{note}",
        counted=not note,
    )


def _fixed_steps(chunk: Entry) -> int | None:
    """Returns how many steps every chunk has; None if that is open."""
    sequences = sequence_inputs(chunk.signature)
    for tensor in chunk.inputs:
        if tensor.name in sequences and isinstance(tensor.shape[1], int):
            return tensor.shape[1]
    return None


def _splits(length: int, fixed: int | None) -> Iterable[tuple[int, ...]]:
    return [(fixed,) * (length // fixed)] if fixed else SPLITS[length]


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
