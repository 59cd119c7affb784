"""How large the gradient is, layer by layer and step back by step back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import ConfigError
from toolkit.training.traces import Trace


class GradientNorms(Trace):
    """Notes gradient norms on one batch, at the start and after every epoch.

    For every layer with weights the norm of the loss' gradient with respect
    to all of them. For every recurrent layer, step back by step back, the
    norm of the gradient with respect to the state that is handed on (h, and c
    of an LSTM): with errors that shrink by a factor at each step it vanishes,
    with such that grow it explodes. Where the model answers at every step, the
    loss of the last step alone counts, so that every gradient has come the
    whole way; a sequence whose last step is padding is left out, as Keras'
    losses leave out what is masked.

    Args:
        x: a batch of inputs.
        y: its targets, one tensor.
        loss: as for `gradient_norms`.

    Attributes:
        notes: `layers/NAME`, a number, and `steps/NAME`, `(time,)` with the
            last step first, mean over the batch; a list of them by name, in
            the order of the epochs.

    Source: S. Hochreiter: Untersuchungen zu dynamischen neuronalen Netzen
    (1991); R. Pascanu, T. Mikolov, Y. Bengio: On the difficulty of training
    recurrent neural networks (2013), section 2.
    """

    def __init__(self, x: Any, y: Any, loss: Any = None):
        super().__init__(lambda model: gradient_norms(model, x, y, loss))

    def on_train_batch_end(self, batch, logs=None):
        """Notes nothing."""

    def on_epoch_end(self, epoch, logs=None):
        """Notes the norms."""
        self._note()


def gradient_norms(
    model: keras.Model, x: Any, y: Any, loss: Any = None
) -> dict[str, np.ndarray]:
    """Returns gradient norms on one batch; see `GradientNorms`.

    Args:
        model: a model with a loss, or any with `loss` given; it has one
            output.
        x: inputs.
        y: targets, one tensor.
        loss: `loss(y, outputs)`; the compiled model's by default. One of
            Keras' own minds the mask of the outputs.

    Returns:
        `layers/NAME`, a number per layer with weights; `steps/NAME`
        `(time,)` per recurrent layer, the last step read first. A layer
        inside others is called `OUTER/INNER` where its own name is not the
        only one. At a step that a mask passes over, the state is that of the
        step before, and so is the gradient. A layer that is called several
        times shows the steps of the last call.

    Raises:
        ConfigError: several outputs or targets; or every sequence of the
            batch ends in padding.

    Example:
    >>> import keras, numpy as np
    >>> from toolkit.training import gradient_norms
    >>> x = keras.Input((None, 3))
    >>> y = keras.layers.SimpleRNN(4, name="rnn")(x)
    >>> model = keras.Model(x, keras.layers.Dense(1, name="out")(y))
    >>> norms = gradient_norms(
    ...     model, np.ones((2, 6, 3)), np.ones((2, 1)),
    ...     keras.losses.MeanSquaredError())
    >>> sorted(norms), norms["steps/rnn"].shape
    (['layers/out', 'layers/rnn', 'steps/rnn'], (6,))
    """
    with stepwise(model) as states, tf.GradientTape() as tape:
        outputs, targets = _last_step(model, model(x, training=False), y)
        value = (
            model.compute_loss(x, targets, outputs)
            if loss is None
            else loss(targets, outputs)
        )
    owners = _owners(model)
    weights = [
        [v.value for v in layer.trainable_variables]
        for layer in owners.values()
    ]
    found = tape.gradient(
        value, [list(states.values()), weights], unconnected_gradients="zero"
    )
    norms = {}
    for name, gradients in zip(states, found[0], strict=True):
        steps = [
            tf.reduce_mean(tf.norm(tf.concat(parts, axis=-1), axis=-1))
            for parts in gradients
        ]
        norms[f"steps/{name}"] = np.array(steps[::-1], np.float32)
    for name, gradients in zip(owners, found[1], strict=True):
        norms[f"layers/{name}"] = np.float32(
            tf.linalg.global_norm([tf.convert_to_tensor(g) for g in gradients])
        )
    return norms


def _last_step(model: keras.Model, outputs: Any, y: Any) -> tuple:
    """Returns outputs and targets, of several steps those of the last."""
    taken = "Gradient norms take a model with one output, and one tensor `y`"
    if keras.tree.is_nested(outputs):
        raise ConfigError(
            f'{taken}. The model "{model.name}" returns a '
            f"{type(outputs).__name__}. Measure keras.Model(model.inputs, "
            "OUTPUT), with the loss of that output."
        )
    try:
        targets = tf.convert_to_tensor(y)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{taken}. Received: y of type {type(y).__name__}."
        ) from error
    if len(outputs.shape) != 3:
        return outputs, targets
    if targets.shape[1:2] not in ([1], outputs.shape[1:2]):
        raise ConfigError(
            f'The model "{model.name}" answers at each of {outputs.shape[1]} '
            "steps, so `y` must be (batch, time, ...). Received: shape "
            f"{tuple(targets.shape)}."
        )
    mask = getattr(outputs, "_keras_mask", None)
    outputs, targets = outputs[:, -1:], targets[:, -1:]
    if mask is not None:
        mask = mask[:, -1:]
        if not tf.reduce_any(mask):
            raise ConfigError(
                "Every sequence of the batch ends in padding, so none has a "
                "loss at the last step. Cut the steps off that are padding "
                "everywhere."
            )
        outputs._keras_mask = mask  # where Keras' losses look for it
    return outputs, targets


@contextlib.contextmanager
def stepwise(model: keras.Model) -> Iterator[dict[str, list]]:
    """Lets recurrent layers run step by step, eagerly, and keep every state.

    Args:
        model: the model.

    Yields:
        By layer name a list of the state's parts for every step, in the order
        in which the steps are read.
    """
    layers = {
        name: layer
        for name, layer in _named(model).items()
        if isinstance(layer, keras.layers.RNN)
        and not isinstance(layer.cell, keras.layers.StackedRNNCells)
    }
    states: dict[str, list] = {name: [] for name in layers}
    with contextlib.ExitStack() as stack:
        for name, layer in layers.items():
            layer.call = _stepwise_call(layer, states[name])
            stack.callback(delattr, layer, "call")
        yield states


def _named(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Returns all layers inside a model by names that are all different."""
    found: list[tuple[tuple[str, ...], keras.layers.Layer]] = []
    seen = set()

    def walk(layer, outer: tuple[str, ...]) -> None:
        for inner in layer._flatten_layers(include_self=False, recursive=False):
            if id(inner) not in seen:
                seen.add(id(inner))
                found.append(((*outer, inner.name), inner))
                walk(inner, found[-1][0])

    walk(model, ())
    names = [path[-1] for path, _ in found]
    named = {}
    for path, layer in found:
        name = path[-1] if names.count(path[-1]) == 1 else "/".join(path)
        more = 2
        while name in named:
            name = f"{'/'.join(path)}_{more}"
            more += 1
        named[name] = layer
    return named


def _owners(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Returns the layers that have weights; a recurrent one has its cell's."""
    named = _named(model)
    cells = {
        id(inner)
        for layer in named.values()
        if isinstance(layer, keras.layers.RNN)
        for inner in layer._flatten_layers(include_self=False)
    }
    return {
        name: layer
        for name, layer in named.items()
        if id(layer) not in cells
        and (
            layer._trainable_variables
            or isinstance(layer, keras.layers.RNN)
            and layer.trainable_variables
        )
    }


def _stepwise_call(layer: keras.layers.RNN, kept: list):
    def call(sequences, initial_state=None, mask=None, training=False):
        del kept[:]
        if initial_state is None:
            initial_state = layer.get_initial_state(tf.shape(sequences)[0])
        states = [
            tf.cast(state, sequences.dtype)
            for state in keras.tree.flatten(initial_state)
        ]
        mask = None if mask is None else keras.tree.flatten(mask)[0]
        steps = range(sequences.shape[1])
        outputs, read, shown = [], None, None
        for step in reversed(steps) if layer.go_backwards else steps:
            output, new = layer.cell(
                sequences[:, step], states, training=training
            )
            new = keras.tree.flatten(new)
            is_state = output is new[0]
            if mask is None:
                # What is handed on, apart from what the step itself does
                # with it: an LSTM's h is made of c.
                new = [tf.identity(state) for state in new]
                output = new[0] if is_state else output
            else:
                counts = tf.cast(mask[:, step, None], tf.bool)
                read = counts if read is None else read | counts
                new = [
                    tf.where(counts, a, b)
                    for a, b in zip(new, states, strict=True)
                ]
                zeros = tf.zeros_like(output)
                shown = zeros if shown is None else shown
                shown = tf.where(counts, output, shown)
                # The state itself, so that its gradient is the whole one.
                output = tf.where(read, new[0], zeros) if is_state else shown
                if layer.zero_output_for_mask:
                    output = tf.where(counts, output, zeros)
            kept.append(new)
            states = new
            outputs.append(output)
        result = (
            tf.stack(outputs, axis=1) if layer.return_sequences else outputs[-1]
        )
        return (result, *states) if layer.return_state else result

    return call
