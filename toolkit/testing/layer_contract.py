"""What every layer must do, for layers of your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

from toolkit.testing.calling import check_inference, check_shapes
from toolkit.testing.fresh_process import check_fresh_process
from toolkit.testing.learning import (
    check_fit,
    check_layer_gradients,
    check_mixed_precision,
    learns,
)
from toolkit.testing.masks import check_masks, masks_apply
from toolkit.testing.saving import check_config, check_saving
from toolkit.testing.subject import Subject, reproducible


def check_layer(
    layer: type[keras.layers.Layer] | Callable[..., keras.layers.Layer],
    inputs,
    *,
    arguments: Mapping | None = None,
    mask=None,
    shapes: bool = True,
    config: bool = True,
    saving: bool = True,
    inference: bool = True,
    masks: bool = True,
    fit: bool = True,
    jit: bool = True,
    mixed_precision: bool = True,
    gradients: bool = True,
    fresh_process: bool = True,
) -> tuple[str, ...]:
    """Holds a layer to what every layer must do.

    Each check has a flag, to be set to False where a layer cannot do it:

    - `shapes`: called on `keras.Input` and on arrays it gives the same shapes
      and dtypes, those of `compute_output_shape`, at any batch size; where a
      graph leaves the batch size open, it gives the same values too.
    - `config`: `get_config` returns every argument of `__init__`, fit for
      JSON; a layer made from it, with the same weights, answers the same.
    - `saving`: it is registered; a model with it, saved and loaded, answers
      the same.
    - `inference`: called again without `training`, it answers the same.
    - `masks`: what stands at masked steps does not change what comes out at
      the others; an output that still has the time axis still has a mask.
    - `fit`, `jit`: a step of training, without and with XLA, changes every
      trainable weight, and none to NaN.
    - `mixed_precision`: with `mixed_bfloat16` it gives bfloat16, within 5 %
      of its largest value in float32, and keeps its weights in float32.
    - `gradients`: those of weights and inputs are what central differences
      say (`toolkit.evaluation.check_gradients`).
    - `fresh_process`: saved, and loaded by name in a new process that imports
      only the modules which define it, it answers the same.

    Masking: the check of masks runs if a `mask` is given, or if the layer
    supports masking or its `call` takes a `mask`, and its input is a sequence
    (floats with three axes or more, integers with two or more); the last
    steps are masked then. A layer that takes a `mask` must set
    `supports_masking`. One that does neither is not checked: Keras itself
    warns where it destroys a mask. Checks that train are left out for layers
    without an output of floats, that of XLA where `supports_jit` is False.

    Args:
        layer: a layer class, or a function `make(**options)` that returns a
            new layer; it is called with `name`, `dtype` or nothing, and
            passes them on.
        inputs: a batch of at least two: an array, floats or integers, or a
            list or dictionary of arrays where `call` takes that as its first
            argument; or a shape that begins with the batch, such as (4, 10), of
            which normally distributed inputs are drawn.
        arguments: of the class.
        mask: truth values `(batch, time)`, False at what is to be ignored; by
            default it masks the last steps.
        shapes: whether to check that.
        config: whether to check that.
        saving: whether to check that.
        inference: whether to check that.
        masks: whether to check that, where it applies.
        fit: whether to check that, where it applies.
        jit: whether to check that, where it applies.
        mixed_precision: whether to check that, where it applies.
        gradients: whether to check that, where it applies; a gradient that is
            none on purpose, such as a straight-through estimate, fails.
        fresh_process: whether to check that; it takes a start of TensorFlow.
            `check_fresh_process` checks many layers in one.

    Returns:
        The names of the checks that ran.

    Raises:
        LayerContractError: the layer breaks the contract; says which check
            failed, what was expected, and how to mend it.
        ConfigError: an argument that cannot be used.

    Example:
    >>> from toolkit.layers import ScaledTanh
    >>> from toolkit.testing import check_layer
    >>> check_layer(
    ...     ScaledTanh, (4, 6, 3), arguments={"slope": 0.5}, jit=False,
    ...     fresh_process=False, gradients=False,
    ... )
    ('shapes', 'config', 'saving', 'inference', 'masks', 'fit',
     'mixed_precision')
    """
    with reproducible():
        subject = Subject(layer, inputs, arguments)
        trains = learns(subject)
        jit = jit and trains and subject.make().supports_jit
        masks = masks and masks_apply(subject, mask)
        checks = {
            "shapes": (shapes, lambda: check_shapes(subject)),
            "config": (config, lambda: check_config(subject)),
            "saving": (saving, lambda: check_saving(subject)),
            "inference": (inference, lambda: check_inference(subject)),
            "masks": (masks, lambda: check_masks(subject, mask)),
            "fit": (fit and trains, lambda: check_fit(subject, jit=False)),
            "jit": (jit, lambda: check_fit(subject, jit=True)),
            "mixed_precision": (
                mixed_precision and trains,
                lambda: check_mixed_precision(subject),
            ),
            "gradients": (
                gradients and trains,
                lambda: check_layer_gradients(subject),
            ),
            "fresh_process": (
                fresh_process,
                lambda: check_fresh_process(
                    {subject.label: (layer, inputs, arguments)}
                ),
            ),
        }
        for wanted, check in checks.values():
            if wanted:
                check()
    return tuple(name for name, (wanted, _) in checks.items() if wanted)
