"""The streaming twin of a recurrent model: a chunk and the states in and out.

Fed chunk by chunk, each time with the states that came out of the time
before, it gives what the model gives over the whole sequence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import keras
import tensorflow as tf

from export.errors import UnsupportedModelError
from export.formats import Format
from export.lowering.registry import layers
from export.lowering.rnn import shows_its_state
from export.program import named_outputs
from export.signatures import DEFAULT, Signature, identifier, unique
from toolkit.training.carried_state import reads_backwards

STREAMING = "streaming"
RESET = "streaming_reset"  # LiteRT takes the first name for the default
NEXT = "_next"
EXPLICIT, INTERNAL = "explicit", "internal"


@dataclass(frozen=True)
class States:
    """The states of a model's recurrent layers.

    Attributes:
        of: names of its states by layer, in the order of its cell.
        specs: shape and dtype by name of a state; batch comes first.
    """

    of: Mapping[keras.layers.RNN, tuple[str, ...]]
    specs: Mapping[str, tf.TensorSpec]


def find_states(model: keras.Model) -> States:
    """Returns the states that a model carries from step to step.

    They are called after their layer: `lstm_h` and `lstm_c`, `gru_h`, or
    `rnn_state_0` for cells of users.

    Args:
        model: the model.

    Raises:
        UnsupportedModelError: it has no recurrent layer, one that reads
            backwards, or one whose state is no vector.
    """
    recurrent = []
    for layer in layers(model):
        if reads_backwards(layer):
            raise UnsupportedModelError(
                f'The layer "{layer.path}" reads from the end of a sequence, '
                "which has not come yet when the first chunk has. Leave out "
                "`streaming`, or train the model with layers that read "
                "forwards."
            )
        if isinstance(layer, keras.layers.RNN):
            recurrent.append(layer)
    if not recurrent:
        raise UnsupportedModelError(
            f'The model "{model.name}" has no recurrent layer '
            "(keras.layers.RNN), so there is no state to carry from chunk to "
            "chunk. Leave out `streaming`."
        )
    names: dict[keras.layers.RNN, tuple[str, ...]] = {}
    specs = {}
    # A graph has one space of names for inputs, outputs and layers.
    taken = {identifier(layer.name) for layer in layers(model)}
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    batch = inputs[0].shape[0] if inputs else None
    taken |= {identifier(tensor.name) for tensor in inputs}
    outputs = getattr(model, "_outputs_struct", None)
    if isinstance(outputs, Mapping):
        taken |= {identifier(str(name)) for name in outputs}
    labels = unique(identifier(layer.name) for layer in recurrent)
    for layer, label in zip(recurrent, labels, strict=True):
        sizes = keras.tree.flatten(layer.cell.state_size)
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise UnsupportedModelError(
                f'The state of the layer "{layer.path}" is no vector '
                f"(state_size={layer.cell.state_size}), which streaming does "
                "not know. Leave out `streaming`."
            )
        known = ("h", "c")[: len(sizes)]
        if not shows_its_state(layer.cell):
            known = tuple(f"state_{i}" for i in range(len(sizes)))
        while any(
            f"{label}_{state}{end}" in taken
            for state in known
            for end in ("", NEXT)
        ):
            label += "_state"
        names[layer] = tuple(f"{label}_{state}" for state in known)
        for name, size in zip(names[layer], sizes, strict=True):
            specs[name] = tf.TensorSpec((batch, size), tf.float32)
    return States(names, specs)


def sequence_inputs(signature: Signature) -> list[str]:
    """Returns the names of the inputs that have steps, in order."""
    found = []
    for name, spec in signature.inputs.items():
        if name in signature.states or len(spec.shape) < 2:
            continue
        if len(spec.shape) > 2 or spec.shape[1] is None:
            found.append(name)
    return found


def with_streaming(
    model: keras.Model,
    signature: Signature,
    chunk: int | None = None,
    batch: int | None = None,
) -> dict[str, Signature]:
    """Returns the signatures of whole sequences and of chunks.

    Args:
        model: the model.
        signature: that of the model.
        chunk: steps of a chunk; None leaves them open.
        batch: batch size of the chunks; None leaves it as it is.

    Raises:
        UnsupportedModelError: as `find_states`; a chunk below 1 step; a model
            for sequences of one length.
    """
    states = find_states(model)
    whole = isinstance(chunk, int) and not isinstance(chunk, bool)
    if chunk is not None and (not whole or chunk < 1):
        raise UnsupportedModelError(
            f"`chunk` must be at least 1 step. Received: chunk={chunk!r}."
        )
    for name in sequence_inputs(signature):
        steps = signature.inputs[name].shape[1]
        if steps is not None:
            raise UnsupportedModelError(
                f'The input "{name}" is built for sequences of {steps} steps, '
                "no more and no less, so it cannot take chunks. Build the "
                "model with keras.Input((None, ...)) and give it the weights: "
                "twin.set_weights(model.get_weights())."
            )
    return {
        DEFAULT: whole_signature(model, signature),
        STREAMING: replace(
            _chunk(model, signature, states),
            fixed={"time": chunk, **({"batch": batch} if batch else {})},
        ),
    }


def check_states(kind: str, chosen: Iterable[Format]) -> None:
    """Raises unless all formats can keep states so.

    Raises:
        UnsupportedModelError: another kind than `explicit` and `internal`, or
            one that a format does not have.
    """
    if kind not in (EXPLICIT, INTERNAL):
        raise UnsupportedModelError(
            f'`states` must be "{EXPLICIT}" or "{INTERNAL}". Received: '
            f"states={kind!r}."
        )
    others = [item.title for item in chosen if item.name != "litert"]
    if kind == INTERNAL and others:
        raise UnsupportedModelError(
            f'`states="{INTERNAL}"` is for LiteRT alone: {others[0]} files '
            'have no memory. Export with states="explicit".'
        )


def describe_states(signature: Signature, kind: str) -> dict:
    """Returns what a file says of its states, for JSON."""
    facts = {"kind": kind, "sequences": sequence_inputs(signature)}
    if kind == INTERNAL:
        return {**facts, "reset": RESET}
    return {**facts, "next": {name: name + NEXT for name in signature.states}}


def whole_signature(model: keras.Model, signature: Signature) -> Signature:
    """Returns the signature of whole sequences.

    The states that stateful layers have at the moment play no part in it.
    """
    stateful = [
        layer.path
        for layer in layers(model)
        if isinstance(layer, keras.layers.RNN) and layer.stateful
    ]
    if not stateful:
        return signature

    def function(inputs):
        with _options(layers(model), stateful=False):
            return _call(model, signature, inputs)

    return replace(
        signature,
        function=function,
        pack=lambda tensors: {"inputs": _pack(signature, tensors)},
        resets=True,
        notes=(
            *signature.notes,
            f"The layer {', '.join(stateful)} is stateful: in the signature "
            "of whole sequences its state begins at 0 with every call; in "
            f'"{STREAMING}" it goes in and comes out.',
        ),
    )


def _chunk(
    model: keras.Model, signature: Signature, states: States
) -> Signature:
    """Returns the signature that takes a chunk and the states."""

    def pack(tensors):
        given = {name: tensors[name] for name in states.specs}
        rest = {k: v for k, v in tensors.items() if k not in given}
        return {"inputs": _pack(signature, rest), "states": given}

    def function(inputs, states_in):
        with _carried(states, states_in) as after:
            result = _call(model, signature, inputs)
        missing = [
            layer.path
            for layer, names in states.of.items()
            if names[0] + NEXT not in after
        ]
        if missing:
            raise UnsupportedModelError(
                f"The layer {', '.join(missing)} is not called by this "
                "signature, so its state cannot be found. Export the inner "
                "model that calls it."
            )
        return {**named_outputs(result, signature.output_names), **after}

    return Signature(
        {**signature.inputs, **states.specs},
        lambda **packed: function(packed["inputs"], packed["states"]),
        pack,
        notes=signature.notes,
        axes={**signature.axes, **{name: ("batch",) for name in states.specs}},
        states=tuple(states.specs),
        resets=True,
    )


def _call(model: keras.Model, signature: Signature, inputs):
    if signature.function is None:
        return model(inputs, training=False)
    return signature.function(**inputs)


def _pack(signature: Signature, tensors: dict):
    return signature.pack(tensors) if signature.pack else tensors


@contextlib.contextmanager
def _options(changed, **options) -> Iterator[None]:
    """Sets options of recurrent layers for the time of a block."""
    before = [
        (layer, name, getattr(layer, name))
        for layer in changed
        if isinstance(layer, keras.layers.RNN)
        for name in options
    ]
    try:
        for layer, name, _ in before:
            setattr(layer, name, options[name])
        yield
    finally:
        for layer, name, value in before:
            setattr(layer, name, value)


@contextlib.contextmanager
def _carried(states: States, given: Mapping) -> Iterator[dict]:
    """Lets the recurrent layers begin with given states.

    Args:
        states: which layer has which.
        given: tensors by name.

    Yields:
        A dict that takes the states after the call, by name and `_next`.
    """
    after: dict = {}
    before = [(layer, vars(layer).get("call")) for layer in states.of]
    try:
        for layer, names in states.of.items():
            layer.call = _carrying(layer, names, given, after)
        yield after
    finally:
        for layer, call in before:
            if call is None:
                del layer.call
            else:
                layer.call = call


def _carrying(layer, names, given, after) -> Callable:
    """Returns a `call` for a layer that takes and leaves states."""
    inner = layer.call

    def call(sequences, initial_state=None, mask=None, training=False):
        if initial_state is not None:
            raise UnsupportedModelError(
                f'The layer "{layer.path}" gets its initial state from the '
                "model, so the exporter cannot carry it on. Make that state "
                "an input of the model and `return_state` an output, and "
                "leave out `streaming`."
            )
        if names[0] + NEXT in after:
            raise UnsupportedModelError(
                f'The layer "{layer.path}" is called twice, so it has two '
                "states, which streaming does not know. Use a layer for each."
            )
        states = [tf.cast(given[name], sequences.dtype) for name in names]
        structure = layer.cell.state_size
        with _options([layer], return_state=True, stateful=False):
            outputs, *new = inner(
                sequences,
                initial_state=keras.tree.pack_sequence_as(structure, states)
                if keras.tree.is_nested(structure)
                else states,
                mask=mask,
                training=training,
            )
        if mask is not None:
            outputs = _begun(layer, outputs, mask, states[0])
        new = keras.tree.flatten(new)
        for name, state in zip(names, new, strict=True):
            after[name + NEXT] = tf.cast(state, tf.float32)
        return (outputs, *new) if layer.return_state else outputs

    return call


def _begun(layer, outputs, mask, hidden):
    """Puts the last output of the chunk before at steps that do not count.

    A layer alone knows no output before its first step, and returns zeros.
    """
    if layer.zero_output_for_mask:
        return outputs
    if not shows_its_state(layer.cell):
        raise UnsupportedModelError(
            f'The layer "{layer.path}" gets a mask, and its cell '
            f"{type(layer.cell).__name__} does not show its state, so what it "
            "showed in the chunk before cannot be known. Leave out "
            "`streaming`, or the mask."
        )
    mask = tf.cast(keras.tree.flatten(mask)[0], tf.int32)
    begun = tf.cumsum(mask, axis=1) > 0
    if layer.return_sequences:
        return tf.where(
            tf.expand_dims(begun, 2), outputs, tf.expand_dims(hidden, 1)
        )
    return tf.where(
        tf.reduce_any(begun, axis=1, keepdims=True), outputs, hidden
    )
