"""What the lowerings of all recurrent layers to ONNX share.

A mask is data of the run: the steps that count are moved to the front, the
fused node runs over so many of them, and its outputs are moved back. A step
that does not count repeats the output before it, as Keras has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from export.lowering.onnx_nodes import onnx_node
from export.lowering.registry import Fallback

# Keras' activations as ONNX' recurrent operators have them: name, alpha, beta.
ACTIVATIONS = {
    keras.activations.tanh: ("Tanh", None, None),
    keras.activations.sigmoid: ("Sigmoid", None, None),
    keras.activations.relu: ("Relu", None, None),
    keras.activations.hard_sigmoid: ("HardSigmoid", 1 / 6, 0.5),
    keras.activations.elu: ("Elu", 1.0, None),
    keras.activations.softsign: ("Softsign", None, None),
    keras.activations.softplus: ("Softplus", None, None),
    keras.activations.linear: ("Affine", 1.0, 0.0),
}


@dataclass(frozen=True)
class Fused:
    """A recurrent ONNX node: its operator and its weights.

    Attributes:
        op_type: `RNN`, `LSTM` or `GRU`.
        kernel: W `(gates * units, features)`.
        recurrent_kernel: R `(gates * units, units)`.
        bias: those of W and R, `(2 * gates * units,)`; None for none.
        activations: Keras activations, in ONNX' order.
        peepholes: `(3 * units,)`, order i, o, f; None for none.
        attributes: more attributes of the node.
    """

    op_type: str
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None
    activations: tuple[Callable, ...]
    peepholes: np.ndarray | None = None
    attributes: Mapping[str, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """Width of the state."""
        return self.recurrent_kernel.shape[1]


def lower(layer: keras.layers.RNN, fused: Fused) -> Callable | Fallback:
    """Returns a `call` with one recurrent ONNX node.

    Args:
        layer: the Keras layer, for its options.
        fused: the node.
    """
    missing = [a for a in fused.activations if a not in ACTIVATIONS]
    if missing:
        name = getattr(missing[0], "__name__", type(missing[0]).__name__)
        return Fallback(f"ONNX' {fused.op_type} has no activation {name}")

    def call(sequences, initial_state=None, mask=None, training=False):
        del training  # an exported graph infers
        x = tf.cast(sequences, tf.float32)
        if mask is not None:
            mask = tf.cast(keras.tree.flatten(mask)[0], tf.bool)
        # The node can read backwards by itself, but then puts each output
        # where its input was; Keras wants them as they were read.
        turned = layer.go_backwards and (
            mask is not None or layer.return_sequences
        )
        if turned:
            x = x[:, ::-1]
            mask = None if mask is None else mask[:, ::-1]
        counts = None
        if mask is not None:
            x, counts = _to_the_front(x, mask)
        outputs, *states = _node(
            fused,
            x,
            initial_state,
            None if counts is None else counts[:, -1],
            "reverse" if layer.go_backwards and not turned else "forward",
            layer.return_sequences,
        )
        last = states[0]
        if counts is not None:
            any_step = counts[:, -1:] > 0
            last = tf.where(any_step, last, tf.zeros_like(last))
            before = (
                [tf.zeros_like(new) for new in states]
                if initial_state is None
                else [tf.cast(old, tf.float32) for old in _flat(initial_state)]
            )
            states = [
                tf.where(any_step, new, old)
                for new, old in zip(states, before, strict=True)
            ]
            if layer.return_sequences:
                outputs = _back_in_place(outputs, counts)
            if layer.zero_output_for_mask:
                shown = tf.cast(mask, tf.float32)
                last = last * shown[:, -1:]
                if layer.return_sequences:
                    outputs = outputs * shown[..., None]
        result = outputs if layer.return_sequences else last
        return (result, *states) if layer.return_state else result

    return call


def _flat(states) -> list:
    return keras.tree.flatten(states)


def _to_the_front(x, mask):
    """Moves the steps that count to the front, in their order.

    Returns:
        The sequences, and how many steps have counted up to each step,
        int32 `(batch, time)`.
    """
    steps = tf.shape(x)[1]
    places = tf.range(steps)[None]
    keys = tf.where(mask, places, places + steps)  # all different
    order = tf.math.top_k(-keys, k=steps).indices
    counts = tf.cumsum(tf.cast(mask, tf.int32), axis=1)
    return tf.gather(x, order, batch_dims=1), counts


def _back_in_place(outputs, counts):
    """Gives each step the output of the last step that counted."""
    nothing = tf.zeros_like(outputs[:, :1])
    return tf.gather(
        tf.concat([nothing, outputs], axis=1), counts, batch_dims=1
    )


def _node(fused: Fused, x, initial_state, lengths, direction, all_outputs):
    """Returns all outputs (or None) and the last states, batch first."""
    units = fused.units
    names = [ACTIVATIONS[a] for a in fused.activations]
    attributes = {
        "hidden_size": units,
        "direction": direction,
        "activations": [name for name, _, _ in names],
        **fused.attributes,
    }
    alphas = [a for _, a, _ in names if a is not None]
    betas = [b for _, _, b in names if b is not None]
    if alphas:
        attributes["activation_alpha"] = alphas
    if betas:
        attributes["activation_beta"] = betas
    given = [None, None]
    if initial_state is not None:
        for index, state in enumerate(_flat(initial_state)):
            given[index] = tf.cast(state, tf.float32)[None]
    inputs = [
        tf.transpose(x, (1, 0, 2)),
        fused.kernel[None],
        fused.recurrent_kernel[None],
        None if fused.bias is None else fused.bias[None],
        lengths,
        given[0],
    ]
    states = 1
    if fused.op_type == "LSTM":
        states = 2
        inputs.append(given[1])
        if fused.peepholes is not None:
            inputs.append(fused.peepholes[None])
    state = ((1, None, units), tf.float32)
    everything = ((None, 1, None, units), tf.float32)
    made = onnx_node(
        fused.op_type,
        inputs,
        [everything if all_outputs else None, *[state] * states],
        attributes,
    )
    outputs = None
    if all_outputs:
        outputs = tf.transpose(tf.squeeze(made.pop(0), 1), (1, 0, 2))
    return outputs, *(tf.squeeze(item, 0) for item in made)


def reordered(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Returns Keras' gates in ONNX' order, gates first.

    Args:
        array: `(..., gates * units)`.
        order: places of the gates in Keras' order.

    Returns:
        float32 `(gates * units, ...)`.
    """
    parts = np.split(np.asarray(array, np.float32), len(order), axis=-1)
    return np.ascontiguousarray(
        np.concatenate([parts[i] for i in order], axis=-1).T
    )
