"""The loss of a float64 model as a function of its weights."""

from __future__ import annotations

import inspect

import numpy as np

from toolkit.errors import ConfigError
from toolkit.evaluation.float64_model import (
    reason,
    restore,
    states_of,
    value_of,
)
from toolkit.evaluation.gradient_batch import shapes_of

ULP = np.finfo(np.float64).eps
LOW = ("float32", "bfloat16", "float16")


class Objective:
    """Loss and gradients of a model on one batch.

    The states of the model, those of seeds too, are the same at each
    evaluation, so that a layer which draws random numbers draws the same.

    Args:
        model: a Keras model in float64 with a loss, called once.
        weights: those of its variables whose gradients are wanted.
        x: a batch of inputs.
        y: its targets.
        sample_weight: weights of the examples, or None.
        training: the mode in which the model is called.
        eagerly: whether to run without a graph.
    """

    def __init__(
        self, model, weights, x, y, sample_weight, training: bool, eagerly: bool
    ):
        import tensorflow as tf

        self.model = model
        self.weights = weights
        self._data = (x, y, sample_weight)
        self._training = training
        states = states_of(model)
        self._states: list = []
        first = self._first()
        self._states = [
            (variable, value)
            for variable, value in states
            if not np.array_equal(variable, value, equal_nan=True)
        ]
        self._value, self._gradients = self._loss, self._tape
        if not eagerly:
            # Traced once and for all: TensorFlow takes the functions of many
            # checks for one that is traced again and again, and warns.
            self._value, self._gradients = (
                tf.function(item).get_concrete_function()
                for item in (self._loss, self._tape)
            )
            self._refuse_low_precision()
        if not np.isfinite(first):
            raise ConfigError(
                f"The loss is {first} on this batch, so it has no gradient. "
                "Give weights and inputs for which it is a number."
            )
        again = [self.value(), self.value()]
        if again[0] != again[1]:
            raise ConfigError(
                "The loss must be the same twice. Received: "
                f"{again[0]} and {again[1]}. A layer that draws random "
                "numbers must draw them from a `keras.random.SeedGenerator`."
            )

    def value(self) -> float:
        """Returns the loss."""
        self._reset()
        return float(self._value())

    def gradients(self) -> list[np.ndarray | None]:
        """Returns the framework's gradient of every trainable weight.

        One that the loss does not depend on, so far as the framework knows,
        has None.
        """
        import tensorflow as tf

        self._reset()
        found = []
        for weight, gradient in zip(
            self.weights, self._gradients(), strict=True
        ):
            if isinstance(gradient, tf.IndexedSlices):  # of an Embedding
                dense = np.zeros(weight.shape)
                np.add.at(dense, np.asarray(gradient.indices), gradient.values)
                gradient = dense
            found.append(None if gradient is None else np.asarray(gradient))
        return found

    def noise(self, rng: np.random.Generator) -> float:
        """Returns how much rounding changes the loss.

        Args:
            rng: source of the changes in the weights' last bits.
        """
        here = self.value()
        starts = [value_of(weight) for weight in self.weights]
        losses = []
        for _ in range(5):
            for weight, start in zip(self.weights, starts, strict=True):
                bits = rng.integers(-2, 3, start.shape)
                weight.assign(start * (1 + bits * ULP))
            losses.append(self.value())
        for weight, start in zip(self.weights, starts, strict=True):
            weight.assign(start)
        return float(np.abs(np.array(losses) - here).max() + ULP * abs(here))

    def _first(self) -> float:
        """Returns the loss, and makes what it makes only once."""
        try:
            return float(self._loss())
        # Whatever Keras, TensorFlow or the user's loss raises.
        except Exception as error:
            x, y, sample_weight = map(shapes_of, self._data)
            outputs = shapes_of(self.model(self._data[0], training=False))
            raise ConfigError(
                f"The loss cannot be computed of y of shape {y}, and "
                f"sample_weight of shape {sample_weight}, where x is of shape "
                f"{x} and the model gives {outputs}. {reason(error)}"
            ) from error

    def _reset(self) -> None:
        restore(self._states)

    def _loss(self):
        import tensorflow as tf

        model = self.model
        x, y, sample_weight = self._data
        options = {"x": x, "y": y, "sample_weight": sample_weight}
        options["y_pred"] = model(x, training=self._training)
        if "training" in inspect.signature(model.compute_loss).parameters:
            options["training"] = self._training
        return tf.reduce_sum(model.compute_loss(**options))

    def _tape(self):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self._loss()
        return tape.gradient(loss, self.weights)

    def _refuse_low_precision(self) -> None:
        places = narrowings(self._value, [w.value.handle for w in self.weights])
        if places:
            raise ConfigError(
                "Differences need float64 all the way from the weights to "
                "the loss. Less than that is computed in: "
                f"{', '.join(places)}. Cast to `self.compute_dtype` of the "
                "layer, or `self.dtype` of the loss, instead."
            )


def narrowings(function, handles) -> list[str]:
    """Returns where a graph leaves float64, between handles and output.

    Args:
        function: a concrete function with one output.
        handles: resource tensors of variables that it reads.
    """
    import tensorflow as tf

    wanted = {id(handle) for handle in handles}
    graph = function.graph
    sources = {
        inside.op for outside, inside in graph.captures if id(outside) in wanted
    }
    after, before = set(sources), {function.structured_outputs.op}
    operations = graph.get_operations()
    for op in operations:
        if any(tensor.op in after for tensor in op.inputs):
            after.add(op)
    for op in reversed(operations):
        if op in before:
            before.update(tensor.op for tensor in op.inputs)
    inner = {
        item.signature.name: item.node_def
        for item in graph.as_graph_def().library.function
    }
    found = []
    for op in operations:
        if op in after and op in before:
            double = any(
                t.dtype == tf.float64 and t.op in after for t in op.inputs
            )
            casts = double and any(t.dtype.name in LOW for t in op.outputs)
            bodies = _bodies(op.node_def, inner)
            if _narrows(bodies, inner) if bodies else casts:
                found.append(op.name)
    return found


def _bodies(node, inner: dict) -> list:
    """Returns the nodes of the functions that a node calls."""
    names = [value.func.name for value in node.attr.values()]
    return [child for name in names for child in inner.get(name, ())]


def _narrows(nodes: list, inner: dict) -> bool:
    """Whether a loop or branch, or one in it, casts float64 down."""
    import tensorflow as tf

    low = {getattr(tf, name).as_datatype_enum for name in LOW}
    return any(
        node.op == "Cast"
        and node.attr["SrcT"].type == tf.float64.as_datatype_enum
        and node.attr["DstT"].type in low
        or _narrows(_bodies(node, inner), inner)
        for node in nodes
    )
