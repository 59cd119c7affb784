"""Real inputs of a model, by name and of the right shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from export.errors import UnsupportedModelError
from export.program import Entry


def named_samples(entry: Entry, samples: Any) -> dict[str, np.ndarray]:
    """Returns real inputs by name; empty if there are none.

    Raises:
        UnsupportedModelError: An input of the entry has none.
    """
    if samples is None:
        return {}
    names = [tensor.name for tensor in entry.inputs]
    if not isinstance(samples, Mapping):
        several = isinstance(samples, list | tuple)
        samples = dict(
            zip(names, samples if several else [samples], strict=False)
        )
    missing = set(names) - set(samples)
    if missing:
        raise UnsupportedModelError(
            f"`samples` lacks the input {', '.join(sorted(missing))}. Give "
            "one array per input, by name."
        )
    return {name: np.asarray(value) for name, value in samples.items()}


def fitting_samples(
    entry: Entry, samples: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns an entry's samples; raises for one of another shape."""
    for tensor in entry.inputs:
        shape = samples[tensor.name].shape
        fits = len(shape) == len(tensor.shape) and all(
            isinstance(wanted, str) or wanted == got
            for wanted, got in zip(tensor.shape[1:], shape[1:], strict=True)
        )
        if not fits or not len(samples[tensor.name]):
            raise UnsupportedModelError(
                f'`samples` for "{tensor.name}" must have shape '
                f"{tensor.shape}. Received: {shape}."
            )
    return {tensor.name: samples[tensor.name] for tensor in entry.inputs}
