"""The check of masks."""

from __future__ import annotations

import warnings

import keras
import numpy as np

from toolkit.testing.subject import Subject, farthest, takes, to_numpy


class WithMask(keras.layers.Layer):
    """Passes its inputs on with a mask, as `Embedding` and `Masking` do.

    Args:
        mask: truth values `(batch, time)`.
    """

    def __init__(self, mask, **options):
        super().__init__(**options)
        self._mask = keras.ops.convert_to_tensor(mask, "bool")
        self.supports_masking = True

    def call(self, inputs):
        """Returns the inputs."""
        return keras.ops.copy(inputs)

    def compute_mask(self, inputs, previous_mask=None):
        """Returns the mask."""
        return self._mask


def masks_apply(subject: Subject, mask) -> bool:
    """Whether a layer is to be called with a mask.

    It is if the user gives one, or if the layer says that it supports masks
    or takes a `mask`, and its one input has a time axis: floats of three
    axes or more, integers of two or more.

    Args:
        subject: the layer.
        mask: the user's, or None.
    """
    if mask is not None:
        return True
    layer = subject.make()
    if not (layer.supports_masking or takes(layer.call, "mask")):
        return False
    if isinstance(subject.inputs, (list, tuple, dict)):
        return False
    axes = 3 if subject.inputs.dtype.kind == "f" else 2
    return subject.inputs.ndim >= axes


def check_masks(subject: Subject, mask) -> None:
    """What is masked has no influence, and the mask is passed on."""
    layer = subject.built()
    if takes(layer.call, "mask") and not layer.supports_masking:
        subject.fail(
            "masks",
            "`call` takes a `mask`, but Keras warns that the layer destroys "
            "it. Set self.supports_masking = True; where no mask is left "
            "after it, return None from `compute_mask`.",
        )
    if mask is None:
        mask = _right_padded(*subject.inputs.shape[:2])
    masks = keras.tree.map_structure(
        lambda _, m: np.asarray(m, bool),
        subject.inputs,
        mask
        if keras.tree.is_nested(mask)
        else keras.tree.map_structure(lambda _: mask, subject.inputs),
    )
    first = keras.tree.flatten(masks)[0]
    with subject.attempt("masks", "cannot be called on masked inputs"):
        one = _call(layer, subject.inputs, masks)
        two = _call(layer, _other_content(subject.inputs, masks), masks)
    _check_passed_on(subject, one, first)
    for (a, left), (b, _) in zip(one, two, strict=True):
        valid = first if a.shape[: first.ndim] == first.shape else None
        if left is not None:
            valid = left if valid is None else left & valid
        if valid is not None:
            a, b = a[valid], b[valid]
        if farthest(a, b) > 1e-5:
            subject.fail(
                "masks",
                "what comes out at the valid steps depends on what stands at "
                f"the masked ones: it is off by {farthest(a, b):.1e} of the "
                "largest value. Use the `mask` that `call` can take; a layer "
                "that cannot must not set supports_masking.",
            )


def _check_passed_on(subject: Subject, outputs: list, mask) -> None:
    output, left = outputs[0]
    if left is None:
        if output.ndim > mask.ndim and output.shape[:2] == mask.shape:
            subject.fail(
                "masks",
                f"the output of shape {output.shape} still has the time axis, "
                "but no mask: the layers behind it take padding for content. "
                "Set self.supports_masking = True, or return the mask from "
                "`compute_mask`.",
            )
    elif left.dtype != bool or left.shape != output.shape[: left.ndim]:
        subject.fail(
            "masks",
            f"`compute_mask` gives {left.dtype} of shape {left.shape} for an "
            f"output of shape {output.shape}. It must be bool, of the first "
            "axes of the output.",
        )


def _call(layer, inputs, masks) -> list[tuple]:
    """Returns pairs of an output and its mask or None."""
    masked = keras.tree.map_structure(
        lambda a, m: WithMask(m)(keras.ops.convert_to_tensor(a)), inputs, masks
    )
    with warnings.catch_warnings():
        # Told as an error, with what to do about it.
        warnings.filterwarnings("ignore", message=".*destroy the mask")
        outputs = layer(masked, training=False)
    return [
        (
            to_numpy(item),
            None
            if getattr(item, "_keras_mask", None) is None
            else np.asarray(item._keras_mask),
        )
        for item in keras.tree.flatten(outputs)
    ]


def _right_padded(batch: int, steps: int) -> np.ndarray:
    """Returns a mask of all lengths from 1 to the number of steps."""
    lengths = np.round(np.linspace(1, steps, batch))
    return np.arange(steps) < lengths[:, None]


def _other_content(inputs, masks):
    rng = np.random.default_rng(1)

    def change(array, mask):
        if array.dtype.kind == "f":
            other = 3 * rng.normal(size=array.shape)
        else:
            other = rng.choice(np.unique(array), array.shape)
        mask = mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim))
        return np.where(mask, array, other).astype(array.dtype)

    return keras.tree.map_structure(change, inputs, masks)
