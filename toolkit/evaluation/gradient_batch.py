"""The batch on which gradients are checked: does it fit the model?"""

from __future__ import annotations

import contextlib

import numpy as np

from toolkit.errors import DataError
from toolkit.evaluation.float64_model import restore, states_of


def check_inputs(x) -> None:
    """Raises for a batch without examples, or for inputs of several sizes.

    Args:
        x: tensors from `to_float64`.

    Raises:
        DataError: there is nothing to compute a loss of.
    """
    sizes = _sizes(x)
    if 0 in sizes:
        raise DataError(
            "`x` must have at least one example. Received: x of shape "
            f"{shapes_of(x)}."
        )
    if len(sizes) > 1:
        raise DataError(
            "All inputs must have as many examples. Received: x of shapes "
            f"{shapes_of(x)}."
        )


def check_targets(model, x, y, sample_weight, loss) -> None:
    """Raises for targets that do not belong to the inputs or the outputs.

    Args:
        model: the model in float64, called once.
        x: inputs that `check_inputs` took.
        y: targets, tensors from `to_float64`.
        sample_weight: weights of the examples, likewise.
        loss: as for `keras.Model.compile`; None if the model has its own.

    Raises:
        DataError: other numbers of examples, or a class that is no output.
    """
    states = states_of(model)
    outputs = model(x, training=False)
    restore(states)
    # A model may give something else than one answer per example.
    allowed = _sizes(x) | _sizes(outputs)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if not _sizes(value) <= allowed:
            raise DataError(
                f"`{name}` must have as many examples as `x`. Received: x of "
                f"shape {shapes_of(x)}, {name} of shape {shapes_of(value)}."
            )
    if loss is not None:
        _check_labels(loss, y, outputs)


def shapes_of(data):
    """Returns the shape of an array, or those of several in a list.

    Args:
        data: tensors, in lists and dictionaries; or None.
    """
    import keras

    leaves = keras.tree.flatten(data)
    shapes = [tuple(leaf.shape) for leaf in leaves if leaf is not None]
    return shapes[0] if len(shapes) == 1 else shapes or None


def _sizes(data) -> set[int]:
    import keras

    leaves = keras.tree.flatten(data)
    return {leaf.shape[0] for leaf in leaves if leaf is not None and leaf.ndim}


def _check_labels(loss, y, outputs) -> None:
    """TensorFlow raises for such labels on a CPU, and gives NaN on a GPU."""
    import keras

    items = [keras.tree.flatten(item) for item in (loss, y, outputs)]
    losses, targets, answers = items
    if len(answers) > 1 and any(
        isinstance(item, dict) for item in (loss, y, outputs)
    ):
        return  # whose order is not that of the outputs
    if len(losses) == 1:
        losses = losses * len(answers)
    if not len(losses) == len(targets) == len(answers):
        return
    for one, target, answer in zip(losses, targets, answers, strict=True):
        with contextlib.suppress(ValueError):  # unknown: Keras will say so
            one = keras.losses.get(one)
        kind = keras.losses.SparseCategoricalCrossentropy
        if target is None or not (
            type(one) is kind
            or one is keras.losses.sparse_categorical_crossentropy
        ):
            continue
        classes = answer.shape[getattr(one, "_fn_kwargs", {}).get("axis", -1)]
        labels = np.asarray(target)
        labels = labels[labels != getattr(one, "ignore_class", None)]
        if labels.size and not (0 <= labels.min() <= labels.max() < classes):
            raise DataError(
                f"`y` must hold classes from 0 to {classes - 1}, because the "
                f"model gives {classes}. Received: y from {labels.min():g} to "
                f"{labels.max():g}. Number the classes from 0, or give the "
                "model more outputs."
            )
