"""What the lowerings of all recurrent layers to ONNX share.

A mask is data of the run: the steps that count are moved to the front, the
fused node runs over so many of them, and its outputs are moved back. A step
that does not count repeats the output before it, as Keras has it.

The nodes compute in float32, the only precision of ONNX Runtime's kernels; a
layer in float64 has its results cast back.
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
# Not Softplus: in these operators ONNX Runtime's is infinite from 89 on.
ACTIVATIONS = {
    keras.activations.tanh: ("Tanh", None, None),
    keras.activations.sigmoid: ("Sigmoid", None, None),
    keras.activations.relu: ("Relu", None, None),
    keras.activations.hard_sigmoid: ("HardSigmoid", 1 / 6, 0.5),
    keras.activations.elu: ("Elu", 1.0, None),
    keras.activations.leaky_relu: ("LeakyRelu", 0.2, None),
    keras.activations.softsign: ("Softsign", None, None),
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
        """Width of each state."""
        return self.recurrent_kernel.shape[1]

    @property
    def states(self) -> int:
        """Number of states."""
        return 2 if self.op_type == "LSTM" else 1


def lower(layer: keras.layers.RNN, *nodes: Fused) -> Callable | Fallback:
    """Returns a `call` with recurrent ONNX nodes.

    Args:
        layer: the Keras layer, for its options.
        nodes: one for every cell; each reads what the one before shows.
    """
    for fused in nodes:
        for activation in fused.activations:
            if _activation(activation) is None:
                name = getattr(
                    activation, "__name__", type(activation).__name__
                )
                return Fallback(
                    f"no activation of ONNX' {fused.op_type} is known to "
                    f"equal {name}"
                )

    def call(sequences, initial_state=None, mask=None, training=False):
        del training  # an exported graph infers
        x = tf.cast(sequences, tf.float32)
        given = None
        if initial_state is not None:
            given = [
                tf.cast(state, tf.float32) for state in _flat(initial_state)
            ]
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
        states = []
        for index, fused in enumerate(nodes):
            start = len(states)
            x, *new = _node(
                fused,
                x,
                given and given[start : start + fused.states],
                None if counts is None else counts[:, -1],
                "reverse" if layer.go_backwards and not turned else "forward",
                layer.return_sequences or index + 1 < len(nodes),
            )
            states += new
        outputs, last = x, new[0]
        if counts is not None:
            any_step = counts[:, -1:] > 0
            last = tf.where(any_step, last, tf.zeros_like(last))
            before = given or [tf.zeros_like(state) for state in states]
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
        batch, steps, _ = sequences.shape
        result = tf.ensure_shape(last, (batch, fused.units))
        if layer.return_sequences:
            result = tf.ensure_shape(outputs, (batch, steps, fused.units))
        return returned(layer, result, states, initial_state)

    return call


def returned(layer: keras.layers.RNN, result, states: list, before=None):
    """Returns what a layer returns, in its own precision.

    Args:
        layer: the Keras layer.
        result: its output.
        states: its last states, one after the other.
        before: its first states, in the structure in which Keras returns the
            last; None if they were not given.
    """
    dtype = layer.compute_dtype
    result = tf.cast(result, dtype)
    if not layer.return_state:
        return result
    states = [tf.cast(state, dtype) for state in states]
    if before is None:
        before = layer.get_initial_state(batch_size=1)
    if keras.tree.is_nested(before):
        states = keras.tree.pack_sequence_as(before, states)
    return (result, *states)


def _activation(activation: Callable) -> tuple | None:
    """Returns an activation as ONNX has it, as in `ACTIVATIONS`, or None."""
    kind = type(activation)
    if kind is keras.layers.Activation:
        return _activation(activation.activation)
    if kind is keras.layers.LeakyReLU:
        return "LeakyRelu", float(activation.negative_slope), None
    if kind is keras.layers.ELU:
        return "Elu", float(activation.alpha), None
    if kind is keras.layers.ReLU and activation.max_value is None:
        slope, threshold = activation.negative_slope, activation.threshold
        if slope == threshold == 0:
            return "Relu", None, None
        if threshold == 0:
            return "LeakyRelu", float(slope), None
        if slope == 0:
            return "ThresholdedRelu", float(threshold), None
    return ACTIVATIONS.get(activation)


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


def _node(fused: Fused, x, given, lengths, direction, all_outputs):
    """Returns all outputs (or None) and the last states, batch first."""
    units = fused.units
    names = [_activation(a) for a in fused.activations]
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
    given = [state[None] for state in given or []] or [None, None]
    inputs = [
        tf.transpose(x, (1, 0, 2)),
        fused.kernel[None],
        fused.recurrent_kernel[None],
        None if fused.bias is None else fused.bias[None],
        lengths,
        given[0],
    ]
    if fused.op_type == "LSTM":
        inputs.append(given[1])
        if fused.peepholes is not None:
            inputs.append(fused.peepholes[None])
    state = ((1, None, units), tf.float32)
    everything = ((None, 1, None, units), tf.float32)
    made = onnx_node(
        fused.op_type,
        inputs,
        [everything if all_outputs else None, *[state] * fused.states],
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
