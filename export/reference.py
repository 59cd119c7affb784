"""The Keras model's answers: eagerly, from its graph, and slightly moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.answers import Arrays, R, Tolerance
from export.lowering.registry import layers
from export.program import Entry, float32_computation, trace_call
from export.reach import ranked_scores

SAME = 1e-3  # of the largest value, by which a graph may answer otherwise
SHAKES = 6  # answers with moved weights and inputs
UNITS = 4  # of the last place


class Reference:
    """Asks the Keras model, which may refuse sizes and values.

    The first time for each set of sizes the model is called eagerly, as its
    user calls it; after that its graph is, which is faster, unless it has
    answered otherwise or not at all.

    Args:
        entry: The traced signature.

    Attributes:
        eager: Whether the model is always called eagerly.
    """

    def __init__(self, entry: Entry):
        self.entry = entry
        self.eager = False
        self._met: set[tuple] = set()

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Returns the outputs by name; raises what the model raises."""
        sizes = tuple(np.shape(array) for array in arrays.values())
        if sizes in self._met and not self.eager:
            return graph_answer(self.entry, arrays)
        answer = self.entry.reference(arrays)
        self._met.add(sizes)
        self.eager = self.eager or not self._agrees(arrays, answer)
        return answer

    def takes(self, arrays: Arrays) -> bool:
        """Returns whether the model computes on these inputs."""
        try:
            if not self.eager:
                graph_answer(self.entry, arrays)
                return True
        except Exception:  # whatever a model may raise
            if self._met:
                return False  # its graph has answered as the model did
        try:
            self.entry.reference(arrays)
        except Exception:  # whatever a model may raise
            return False
        return True

    def _agrees(self, arrays: Arrays, answer: Arrays) -> bool:
        try:
            other = graph_answer(self.entry, arrays)
        except Exception:  # whatever a model may raise
            return False
        return all(
            value.shape == other[name].shape
            and np.allclose(
                value.astype(np.float64),
                other[name].astype(np.float64),
                atol=SAME * float(np.nanmax(np.abs(value), initial=0)),
                equal_nan=True,
            )
            for name, value in answer.items()
        )


def graph_answer(entry: Entry, arrays: Arrays) -> dict[str, np.ndarray]:
    """Returns the outputs that the traced graph gives."""
    found = entry.traced(**entry._tensors(arrays))
    return {name: np.asarray(value) for name, value in found.items()}


def shaken_answers(entry: Entry, arrays: Arrays) -> list[dict]:
    """Returns a model's answer, and those with its numbers moved a little.

    Each weight, and each input that is a float, moves by up to 4 units of its
    last place, as sums of many terms round; an input that occurs twice stays,
    as it may be what a mask is made of. The model's own variables stay.

    Args:
        entry: The traced signature.
        arrays: Inputs by name.
    """
    rng = np.random.default_rng(0)
    function = entry.traced
    names = sorted(tensor.name for tensor in entry.inputs)
    variables = {id(v.handle): v for v in function.graph.variables}
    answers = [graph_answer(entry, arrays)]
    for _ in range(SHAKES):
        moved = {
            name: tf.constant(_moved_inputs(np.asarray(array), rng))
            for name, array in entry._tensors(arrays).items()
        }
        kept, captures = [], []
        for captured in function.captured_inputs:
            variable = variables.get(id(captured))
            if variable is not None and variable.dtype.is_floating:
                other = tf.Variable(
                    _moved(variable.numpy(), rng), trainable=False
                )
                kept.append(other)
                captured = other.handle
            captures.append(captured)
        # What a concrete function captured can be replaced for a call only so.
        found = function._call_flat([moved[n] for n in names], captures)
        answers.append({name: np.asarray(v) for name, v in found.items()})
    return answers


def _moved_inputs(array: np.ndarray, rng) -> np.ndarray:
    values, places, counts = np.unique(
        array, return_inverse=True, return_counts=True
    )
    once = (counts == 1)[places].reshape(array.shape)
    return np.where(once, _moved(array, rng), array)


def _moved(array: np.ndarray, rng) -> np.ndarray:
    if array.dtype.kind not in "fV":
        return array
    step = rng.uniform(-UNITS, UNITS, array.shape)
    epsilon = 2.0 ** -(10 if array.dtype.itemsize == 2 else 23)
    if array.dtype == np.float64:
        epsilon = 2.0**-52
    return (array.astype(np.float64) * (1 + epsilon * step)).astype(array.dtype)


def rankings(
    entry: Entry,
) -> tuple[dict[str, str], Callable[[Arrays], Arrays] | None]:
    """Returns which outputs are numbers of a ranking, and their scores.

    Args:
        entry: The traced signature.

    Returns:
        `TopKV2`, `ArgMax` or `ArgMin` by output name; and a function from
        inputs to the scores that the ranking reads, None if there is none.
    """
    integers = {t.name for t in entry.outputs if t.dtype.startswith("int")}
    symbolic = entry.traced.structured_outputs
    if not integers or not ranked_scores(
        {name: symbolic[name] for name in integers}
    ):
        return {}, None
    kinds: dict[str, str] = {}

    def call(**tensors: Any) -> dict:
        outputs = entry.call(**tensors)
        found = ranked_scores({name: outputs[name] for name in integers})
        kinds.update({name: kind for name, (kind, _, _) in found.items()})
        return {
            name: _axis_last(scores, axis)
            for name, (_, scores, axis) in found.items()
        }

    with float32_computation(entry.model):
        traced = trace_call(call, entry.inputs)

    def scores(arrays: Arrays) -> Arrays:
        found = traced(**entry._tensors(arrays))
        return {name: np.asarray(value) for name, value in found.items()}

    return kinds, scores


def _axis_last(tensor: tf.Tensor, axis: int) -> tf.Tensor:
    others = [i for i in range(tensor.shape.rank) if i != axis]
    return tf.transpose(tensor, [*others, axis])


def tolerance_of(entry: Entry, given: Tolerance | None) -> Tolerance:
    """Returns by how much the files of a signature may differ.

    Args:
        entry: The signature.
        given: The user's own numbers; None for the rule of columns.
    """
    r = max(bounds_of(entry).values(), default=R["float32"])
    return replace(given or Tolerance(), r=r)


def bounds_of(entry: Entry) -> dict[str, float]:
    """Returns r by output, from the precision in which it is computed."""
    recurrent = any(
        isinstance(layer, keras.layers.RNN) for layer in layers(entry.model)
    )
    bounds = {}
    for name, found in precisions(entry).items():
        # The runtimes' recurrent kernels know no other.
        if found == "float64" and recurrent:
            found = "float32"
        bounds[name] = R[found]
    return bounds


def precisions(entry: Entry) -> dict[str, str]:
    """Returns the least precise floating-point type by output.

    Of all tensors that an output is computed from, without inputs: one that
    is cast up loses nothing.
    """
    symbolic = entry.traced.structured_outputs
    return {
        tensor.name: _precision(symbolic[tensor.name], tensor.dtype)
        for tensor in entry.outputs
    }


def _precision(output: tf.Tensor, dtype: str) -> str:
    types, seen, left = {dtype}, set(), [output.op]
    while left:
        operation = left.pop()
        if operation.name in seen:
            continue
        seen.add(operation.name)
        if operation.type != "Placeholder":
            types |= {tensor.dtype.name for tensor in operation.outputs}
        left += [tensor.op for tensor in operation.inputs]
    for name in ("bfloat16", "float16", "float32", "float64"):
        if name in types:
            return name
    return "float32"
