"""Sizes on which a model is compared: those named, those it can have."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from export.axes import open_axes
from export.errors import UnsupportedModelError
from export.program import Entry

MOST_BYTES = 2_000_000_000  # of all tensors of a call


def checked_sizes(sizes: Any) -> dict[str, tuple[int, ...]]:
    """Returns the sizes that a user named, by axis.

    Args:
        sizes: A dict from axis to a size, or to several; None for none.

    Raises:
        UnsupportedModelError: It is not one, or a size is below 1.
    """
    if sizes is None:
        return {}
    checked = {}
    named = sizes.items() if isinstance(sizes, Mapping) else [("", ())]
    for axis, value in named:
        several = list(value) if isinstance(value, Iterable) else [value]
        if not several or not all(
            isinstance(n, numbers.Integral)
            and not isinstance(n, bool)
            and n >= 1
            for n in several
        ):
            raise UnsupportedModelError(
                "`sizes` must map axes to whole numbers from 1 on, such as "
                f'{{"time": [32, 64]}}. Received: sizes={sizes!r:.80}.'
            )
        checked[axis] = tuple(map(int, several))
    return checked


def check_axes(entries: Iterable[Entry], sizes: Mapping[str, Any]) -> None:
    """Raises if sizes name an axis that no signature leaves open."""
    known = {axis for entry in entries for axis in open_axes(entry)}
    unknown = set(sizes) - known
    if unknown:
        are = f"Open are: {', '.join(sorted(known))}."
        raise UnsupportedModelError(
            f"`sizes` names the axis {', '.join(sorted(unknown))}, which is "
            f"not open in the model. {are if known else 'All are fixed.'}"
        )


def has_shapes(entry: Entry, sizes: Mapping[str, int]) -> bool:
    """Returns whether all layers of a model have outputs at these sizes.

    TensorFlow does not refuse a picture that is smaller than the windows of
    its convolutions, but computes with tensors of no values.

    Args:
        entry: The signature.
        sizes: Size by open axis.
    """
    model, signature = entry.model, entry.signature
    if signature.function is not None or signature.pack is None:
        return True
    shapes = {tensor.name: tensor.sizes(sizes) for tensor in entry.inputs}
    try:
        result = model.compute_output_shape(signature.pack(shapes))
    except ValueError:
        return False
    except Exception:  # whatever a layer's own may raise: it is asked by a call
        return True
    flat = keras.tree.flatten(result)
    return not any(isinstance(n, int) and n < 1 for n in flat)


def most_rows(entry: Entry) -> int:
    """Returns the number of rows of a batch whose tensors fit into memory.

    Args:
        entry: The signature; of its tensors the known sizes count.
    """
    row = 0
    for operation in entry.traced.graph.get_operations():
        for tensor in operation.outputs:
            shape = tensor.shape
            if shape.rank and shape[0] is None:
                known = [n for n in shape.as_list() if n]
                row += int(np.prod(known)) * tensor.dtype.size
    return max(1, MOST_BYTES // max(row, 1))
