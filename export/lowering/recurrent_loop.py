"""What the lowerings of all recurrent layers to LiteRT share.

LiteRT has a fused operator for some cells only, and that one keeps its state
from call to call. Its builtin loop serves all: the input is projected for all
steps at once, only the recurrence is left inside, and each output is written
into a buffer made before. Batch and time stay open. It computes in float32,
the precision of LiteRT's kernels; a layer in float64 has its results cast back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import (
    xla_dynamic_update_slice,
)

from export.lowering.recurrent_node import returned

CHUNK = 4  # steps in one round of the loop


@dataclass(frozen=True)
class Steps:
    """A cell as the loop makes its steps.

    Attributes:
        step: takes what `project` made of one step, and the list of states;
            returns the output and the list of new states.
        states: width of each state.
        units: width of the output.
        project: takes inputs, `(..., features)`; does all that needs no
            state, for many steps at once outside the loop.
        shows_state: whether the output is the first of the new states.
        from_zeros: whether the first states are 0 if none are given; else
            the layer makes them.
    """

    step: Callable[[Any, list], tuple[Any, list]]
    states: Sequence[int]
    units: int
    project: Callable[[Any], Any] = tf.identity
    shows_state: bool = True
    from_zeros: bool = True


def lower(layer: keras.layers.RNN, steps: Steps) -> Callable:
    """Returns a `call` with one loop of builtin operators.

    Args:
        layer: the Keras layer, for its options.
        steps: its cell.
    """

    def call(sequences, initial_state=None, mask=None, training=False):
        del training  # an exported graph infers
        x = _time_first(tf.cast(sequences, tf.float32))
        counts = None
        if mask is not None:
            mask = tf.cast(keras.tree.flatten(mask)[0], tf.bool)
            counts = tf.expand_dims(_time_first(mask), 2)
        if layer.go_backwards:
            x = tf.reverse(x, [0])
            counts = None if counts is None else tf.reverse(counts, [0])
        batch = tf.shape(x)[1]
        nothing = tf.zeros((batch, steps.units))
        states = [tf.zeros((batch, width)) for width in steps.states]
        if initial_state is None and not steps.from_zeros:
            initial_state = layer.get_initial_state(batch_size=batch)
        if initial_state is not None:
            given = keras.tree.flatten(initial_state)
            states = [tf.cast(state, tf.float32) for state in given]
        outputs, last, states = _run(
            layer, steps, _projected(steps, x), counts, nothing, states
        )
        if layer.return_sequences:
            last = tf.transpose(outputs, (1, 0, 2))
            last.set_shape((*sequences.shape[:2], steps.units))
        else:
            last = tf.ensure_shape(last, (sequences.shape[0], steps.units))
        states = [
            tf.ensure_shape(state, (sequences.shape[0], width))
            for state, width in zip(states, steps.states, strict=True)
        ]
        return returned(layer, last, states, initial_state)

    return call


def affine(kernel, bias=None) -> Callable[[Any], Any]:
    """Returns `x W + b` with weights as they are now.

    Args:
        kernel: W `(features, units)`.
        bias: b `(units,)`; None for none.
    """
    kernel = np.asarray(kernel, np.float32)
    if bias is None:
        return lambda x: tf.matmul(x, kernel)
    bias = np.asarray(bias, np.float32)
    return lambda x: tf.nn.bias_add(tf.matmul(x, kernel), bias)


def _time_first(array):
    return tf.transpose(array, (1, 0, *range(2, array.shape.rank)))


def _projected(steps: Steps, x):
    """Projects the inputs of all steps in one product.

    The product takes three axes. Between a reshape to two axes and one back,
    whose sizes are known at run time only, XNNPACK reads memory of another
    tensor at the second call, in a few percent of fresh interpreters.
    """
    projected = steps.project(x)
    return tf.ensure_shape(projected, (*x.shape[:2], projected.shape[-1]))


def _run(layer, steps: Steps, projected, counts, nothing, states):
    """Runs the loop.

    Returns:
        Outputs, time first, if the layer returns them; the last output; the
        last states.
    """
    # What the last step showed has a place of its own only if it is not the
    # first state anyway.
    shown = [] if counts is None and steps.shows_state else [nothing]

    def step(z, m, shown, states):
        output, new = steps.step(z, states)
        if m is None:
            return output, [output][: len(shown)], new
        repeated = tf.where(m, output, shown[0])
        new = [tf.where(m, a, b) for a, b in zip(new, states, strict=True)]
        if layer.zero_output_for_mask:
            output = tf.where(m, output, tf.zeros_like(output))
            return output, [output], new
        return repeated, [repeated], new

    fixed = projected.shape[0]
    if fixed is not None and fixed <= CHUNK:  # not worth a loop
        outputs = []
        for t in range(fixed):
            m = None if counts is None else counts[t]
            output, shown, states = step(projected[t], m, shown, states)
            outputs.append(output)
        return tf.stack(outputs), (*shown, states[0])[0], states

    length = tf.shape(projected)[0]
    buffer = []
    if layer.return_sequences:
        # LiteRT checks that a whole round fits, even if none is run.
        room = tf.maximum(length, CHUNK)
        sizes = tf.stack([room, tf.shape(nothing)[0], steps.units])
        buffer = [tf.zeros(sizes)]

    def several(count):
        def body(t, shown, states, buffer):
            outputs = []
            for k in range(count):
                z = tf.gather(projected, t + k)
                m = None if counts is None else tf.gather(counts, t + k)
                output, shown, states = step(z, m, shown, states)
                outputs.append(output)
            buffer = [
                xla_dynamic_update_slice(
                    into, tf.stack(outputs), tf.stack([t, 0, 0])
                )
                for into in buffer
            ]
            return t + count, shown, states, buffer

        return body

    state = (tf.constant(0), shown, states, buffer)
    for count in (CHUNK, 1):  # what is left at the end goes one by one
        state = tf.while_loop(
            lambda t, *_, count=count: t <= length - count,
            several(count),
            state,
        )
    _, shown, states, buffer = state
    outputs = buffer[0][:length] if buffer else None
    return outputs, (*shown, states[0])[0], states
