"""Whether chunk by chunk gives what the whole sequence gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from export.errors import ParityError, UnsupportedModelError
from export.parity import Case, Parity, masked_cases, random_cases
from export.program import Entry
from export.streaming import NEXT

STEPS = 7
SPLITS = ((7,), (1,) * 7, (2, 1, 4), (3, 3, 1))
ROUNDS = 3  # chunks, where their length is fixed


def check_model(
    whole: Entry, chunk: Entry, cases: list[Case], tolerance
) -> None:
    """Raises unless the Keras model itself can be cut into chunks.

    Raises:
        UnsupportedModelError: it gives something else chunk by chunk.
    """

    def begin():
        states: dict[str, np.ndarray] = {}

        def feed(arrays):
            if not states:
                states.update(zero_states(chunk, arrays))
            found = chunk.reference({**arrays, **states})
            for name in states:
                states[name] = found.pop(name + NEXT)
            return found

        return feed

    outcome = Parity(*tolerance)
    try:
        compare_splits(whole, chunk, cases, begin, outcome)
        outcome.check("Chunk by chunk the Keras model")
    except ParityError as error:
        raise UnsupportedModelError(
            f'The model "{chunk.model.name}" gives something else chunk by '
            "chunk than over the whole sequence: a layer other than the "
            "recurrent ones mixes steps (a convolution, attention or pooling "
            "over time), or keeps a state that cannot be found. Leave out "
            f"`streaming`. ({error})"
        ) from error


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


def split_cases(
    whole: Entry, chunk: Entry, limit: int, padding: list[float]
) -> list[Case]:
    """Returns whole sequences to be cut.

    Args:
        whole: the signature of whole sequences.
        chunk: that of chunks.
        limit: integers are drawn below it.
        padding: what stands at steps without content.
    """
    fixed = _fixed_steps(chunk)
    length = ROUNDS * fixed if fixed else STEPS
    tensors = [
        type(tensor)(
            tensor.name,
            (tensor.shape[0], length, *tensor.shape[2:])
            if tensor.name in _sequences(chunk)
            else tensor.shape,
            tensor.dtype,
        )
        for tensor in whole.inputs
    ]
    drawn = list(random_cases(tensors, limit))[:2]
    masked = [case for value in padding for case in masked_cases(drawn, value)]
    return drawn + masked


def compare_splits(
    whole: Entry,
    chunk: Entry,
    cases: list[Case],
    begin: Callable[[], Callable],
    outcome: Parity,
) -> None:
    """Compares a stream, cut in several ways, with the Keras model.

    Args:
        whole: the signature of whole sequences.
        chunk: that of chunks.
        cases: as `split_cases` returns them.
        begin: returns a function that takes a chunk and returns the outputs,
            starting anew.
        outcome: takes the comparisons.

    Raises:
        ParityError: names, dtypes or shapes differ.
    """
    sequences = _sequences(chunk)
    joined = {
        tensor.name: tensor.shape.index("time")
        for tensor in _open(chunk)
        if "time" in tensor.shape
    }
    for case in cases:
        expected = whole.reference(case.inputs)
        length = next(case.inputs[name].shape[1] for name in sequences)
        for split in _splits(length, _fixed_steps(chunk)):
            feed = begin()
            parts = [
                feed(
                    {
                        name: array[:, start:end]
                        if name in sequences
                        else array
                        for name, array in case.inputs.items()
                    }
                )
                for start, end in split
            ]
            found = {
                name: np.concatenate([p[name] for p in parts], joined[name])
                if name in joined
                else value
                for name, value in parts[-1].items()
            }
            sizes = "+".join(str(end - start) for start, end in split)
            outcome.add(
                Case(f"{case.label}, chunks {sizes}", case.inputs),
                expected,
                found,
            )
