"""`keras.layers.TimeDistributed`: all steps at once, as more samples.

Keras calls the inner layer once for every step, or by `vectorized_map` where
the number of steps is open, which neither converter takes. A layer that treats
every sample by itself gives the same if the steps are folded into the batch.
Where that is not sure and the number of steps is fixed, Keras' own way stays;
where it is open, folding is the only way, and the comparison with the model
tells whether it was right.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from export.lowering.registry import Fallback, register

# They do what a function or a file says.
ANYTHING = (keras.layers.Lambda, keras.layers.TFSMLayer)


@register(keras.layers.TimeDistributed, "onnx")
@register(keras.layers.TimeDistributed, "litert")
def time_distributed(layer: keras.layers.TimeDistributed):
    """Lowers the layer to one call of its inner layer."""
    inner, step_by_step = layer.layer, layer.call
    mixing = _mixing(inner)
    steps = _built_for(layer)
    if mixing and steps is not None:
        return Fallback(
            f"{mixing} may mix the samples of a batch, so it is called for "
            f"each of the {steps} steps"
        )

    def call(inputs, training=None, mask=None):
        options = {}
        if inner._call_has_training_arg:
            options["training"] = training
        if inner._call_has_mask_arg and mask is not None:
            options["mask"] = _folded(mask)
        # A mask of one value a sample may be broadcast along the features,
        # which means something else with another batch size.
        doubtful = mixing or ("mask" in options and len(mask.shape) == 2)
        if doubtful and inputs.shape[1] is not None:
            return step_by_step(inputs, training=training, mask=mask)
        return _unfolded(inner.call(_folded(inputs), **options), inputs)

    return call


def _built_for(layer: keras.layers.TimeDistributed) -> int | None:
    """Returns the number of steps that a layer was built for; None if open."""
    shape = (layer.get_build_config() or {}).get("input_shape")
    return None if shape is None else shape[1]


def _mixing(inner: keras.layers.Layer) -> str:
    """Returns what of a layer may look at other samples; empty if nothing.

    Keras' layers and this toolkit's treat every sample by itself in inference,
    unless they work along the axis of the batch or call what a user wrote.
    """
    for layer in inner._flatten_layers():
        package = type(layer).__module__.split(".")[0]
        axes = keras.tree.flatten(getattr(layer, "axis", None))
        if (
            package not in ("keras", "toolkit")
            or isinstance(layer, ANYTHING)
            or any(isinstance(a, int) and a < 1 and a != -1 for a in axes)
        ):
            return f"{type(layer).__name__} {layer.name}"
        if isinstance(layer, keras.Model):
            for operation in getattr(layer, "operations", []):
                if not isinstance(operation, keras.layers.Layer):
                    return f"the operation {operation.name}"
    return ""


def _sizes(array) -> list:
    """Returns a tensor's sizes: numbers, and tensors for those left open."""
    sizes = tf.shape(array)
    return [sizes[i] if n is None else n for i, n in enumerate(array.shape)]


def _folded(array):
    """Returns `(batch, time, ...)` as `(batch * time, ...)`."""
    return tf.reshape(array, [-1, *_sizes(array)[2:]])


def _unfolded(outputs, inputs):
    """Returns `(batch * time, ...)` as `(batch, time, ...)`."""
    batch, steps = inputs.shape[:2]
    leading = [-1 if batch is None else batch, steps]
    if steps is None:
        leading = [_sizes(inputs)[0], -1]
    return tf.reshape(outputs, [*leading, *_sizes(outputs)[1:]])
