"""Checks of a call: shapes, and the same answer twice."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from toolkit.testing.subject import Subject, farthest, takes, to_numpy


def check_shapes(subject: Subject) -> None:
    """Symbolic, eager and graph calls agree, at any batch size."""
    layer = subject.make()
    eager = subject.call(layer)
    expected = [_signature(item, subject.size) for item in eager]
    layer = subject.make()
    model = subject.model(layer)
    found = [
        (tuple(item.shape), keras.backend.standardize_dtype(item.dtype))
        for item in keras.tree.flatten(model.output)
    ]
    if found != expected:
        subject.fail(
            "shapes",
            f"called on keras.Input it gives {_list(found)}, called on the "
            f"batch {_list(expected)}. Let `compute_output_shape`, or "
            "`compute_output_spec`, say what `call` does.",
        )
    _check_compute_output_shape(subject, [item.shape for item in eager])
    subject.stir(layer)
    _check_dynamic_batch(subject, layer, model, expected)


def check_inference(subject: Subject) -> None:
    """Calls in inference give one answer, and it is the default."""
    layer = subject.built()
    once = subject.call(layer, training=False)
    for again, how in (
        (subject.call(layer, training=False), "again with training=False"),
        (subject.call(layer), "without `training`"),
    ):
        for a, b in zip(once, again, strict=True):
            if farthest(a, b) > 1e-5:
                subject.fail(
                    "inference",
                    f"called {how} it gives another answer: "
                    f"{farthest(a, b):.1e} of the largest value away. Draw "
                    "random numbers, and change state, only if `training` is "
                    "true, and let it be false by default.",
                )
    if takes(layer.call, "training"):
        subject.call(layer, training=True)


def _signature(array: np.ndarray, size: int) -> tuple:
    shape = array.shape
    if shape[:1] == (size,):
        shape = (None, *shape[1:])
    return shape, array.dtype.name


def _check_compute_output_shape(subject: Subject, expected: list) -> None:
    base = keras.layers.Layer.compute_output_shape
    if subject.kind.compute_output_shape is base:
        return  # Keras follows the call instead
    for batch in (subject.size, None):
        shapes = keras.tree.map_structure(
            lambda a, n=batch: (n, *a.shape[1:]), subject.inputs
        )
        with subject.attempt(
            "shapes", f"`compute_output_shape` fails on {shapes}"
        ):
            found = _flat_shapes(subject.make().compute_output_shape(shapes))
        wanted = [
            (batch, *shape[1:]) if shape[:1] == (subject.size,) else shape
            for shape in map(tuple, expected)
        ]
        if found != wanted:
            subject.fail(
                "shapes",
                f"`compute_output_shape` gives {_list(found)} for inputs of "
                f"{shapes}; `call` gives {_list(wanted)}.",
            )


def _flat_shapes(shapes) -> list[tuple]:
    if isinstance(shapes, dict):
        return [s for key in sorted(shapes) for s in _flat_shapes(shapes[key])]
    shapes = tuple(shapes)
    if all(n is None or isinstance(n, int) for n in shapes):
        return [shapes]
    return [shape for item in shapes for shape in _flat_shapes(item)]


def _check_dynamic_batch(
    subject: Subject, layer, model, expected: list
) -> None:
    open_batch = [
        tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in subject.arrays
    ]

    @tf.function
    def call(*arrays):
        packed = keras.tree.pack_sequence_as(subject.inputs, arrays)
        return keras.tree.flatten(model(packed, training=False))

    traced = None  # once: many traces of one function make a warning
    for size in (1, subject.size):
        with subject.attempt(
            "shapes",
            f"cannot be called on a batch of {size} in a graph whose batch "
            "size is left open",
            "Take sizes from `ops.shape(x)`, where x.shape says None.",
        ):
            traced = traced or call.get_concrete_function(*open_batch)
            outputs = traced(*(tf.constant(a[:size]) for a in subject.arrays))
        found = [tuple(item.shape) for item in outputs]
        wanted = [
            tuple(size if n is None else n for n in shape)
            for shape, _ in expected
        ]
        if found != wanted:
            subject.fail(
                "shapes",
                f"a batch of {size} gives {_list(found)} instead of "
                f"{_list(wanted)}. The batch size must not be fixed.",
            )
        _check_same_values(subject, layer, outputs, size)


def _check_same_values(subject: Subject, layer, outputs, size: int) -> None:
    inputs = keras.tree.map_structure(lambda a: a[:size], subject.inputs)
    once, again = (
        subject.call(layer, inputs, training=False) for _ in range(2)
    )
    for a, b, output in zip(once, again, outputs, strict=True):
        if farthest(a, b) > 1e-5:
            continue  # it is not the batch: `check_inference` tells of it
        found = to_numpy(output)
        if farthest(found, a) > 1e-4:
            subject.fail(
                "shapes",
                f"a batch of {size} gives other values in a graph whose batch "
                "size is left open than it does directly: "
                f"{farthest(found, a):.1e} of the largest value away. Take "
                "sizes from `ops.shape(x)`: x.shape says None in the graph.",
            )


def _list(items: list) -> str:
    return ", ".join(map(str, items))
