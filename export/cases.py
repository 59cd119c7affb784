"""On which inputs a model and its files are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from export import parity
from export.errors import UnsupportedModelError
from export.program import Entry


def named_samples(entry: Entry, samples: Any) -> dict[str, np.ndarray]:
    """Returns real inputs by name; empty if there are none.

    Raises:
        UnsupportedModelError: an input of the entry has none.
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


def check_cases(
    model: keras.Model, entry: Entry, samples: Mapping[str, np.ndarray]
) -> list[parity.Case]:
    """Returns the inputs on which a model and its files are compared.

    Args:
        model: the model.
        entry: one of its signatures.
        samples: as `named_samples` returns them; used if there is one for
            every input.
    """
    limit, padding = case_limits(model)
    cases = list(parity.random_cases(entry.inputs, integer_limit=limit))
    drawn = tuple(cases)
    for value in padding:
        cases += parity.masked_cases(drawn, value)
    if all(tensor.name in samples for tensor in entry.inputs):
        cases += parity.sample_cases(entry.inputs, _fitting(entry, samples))
    return cases


def case_limits(model: keras.Model) -> tuple[int, list[float]]:
    """Returns what random inputs of a model have to keep to.

    Returns:
        What integers must lie below, and what layers take for steps without
        content.
    """
    limits, padding = [], set()
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Masking):
            padding.add(float(layer.mask_value))
        elif isinstance(layer, keras.layers.Embedding):
            limits.append(layer.input_dim)
            if layer.mask_zero:
                padding.add(0.0)
    return min(limits, default=2), sorted(padding)


def _fitting(
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
