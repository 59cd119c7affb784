"""The layer under test, its inputs, and how its failures are told."""

from __future__ import annotations

import contextlib
import inspect
import random
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np

from toolkit.errors import ConfigError, LayerContractError, ToolkitError
from toolkit.evaluation.float64_model import reason, value_of

LOW = ("float16", "bfloat16")


class Subject:
    """A way to make a layer, and a batch to call it on.

    Args:
        layer: a layer class, or a function that makes one.
        inputs: an array, a list or dictionary of arrays, or a shape.
        arguments: of the class, or of the function.

    Raises:
        ConfigError: an argument that cannot be used.
    """

    def __init__(self, layer, inputs, arguments: Mapping | None = None):
        if isinstance(layer, keras.layers.Layer) or not callable(layer):
            raise ConfigError(
                "`layer` must be a layer class, or a function that makes a "
                f"layer. Received: {layer!r}. Several new layers are needed, "
                "so give the class and its `arguments`."
            )
        self.label = getattr(layer, "__name__", "layer")
        self._make: Callable = layer
        self._arguments = dict(arguments or {})
        self.inputs = _batch(inputs)
        self.arrays = keras.tree.flatten(self.inputs)
        self.size = len(self.arrays[0])
        made = self.make()
        self.kind = type(made)
        self.label = self.kind.__name__

    @property
    def arguments(self) -> dict:
        """The arguments that the layer is made with."""
        return self._arguments

    def make(self, **options):
        """Returns a new layer.

        Args:
            options: `name` or `dtype`.
        """
        given = {k: _fresh(v) for k, v in self._arguments.items()}
        with self.attempt(
            "make",
            f"cannot be made with {options or 'its arguments'}",
            "Take **options in `__init__` and pass them to "
            "super().__init__; a function passes them on to the class.",
        ):
            made = self._make(**{**given, **options})
        if not isinstance(made, keras.layers.Layer):
            raise ConfigError(
                "`layer` must make a keras.layers.Layer. Received: "
                f"{type(made).__name__}."
            )
        return made

    def built(self, **options):
        """Returns a new layer that has weights, none of them at rest.

        Weights that start at 0 or 1 would hide what goes wrong with them.

        Args:
            options: as for `make`.
        """
        layer = self.make(**options)
        self.call(layer)
        self.stir(layer)
        return layer

    def stir(self, layer) -> None:
        """Changes the weights of a layer a little, each number on its own.

        Args:
            layer: from `make`, built.
        """
        rng = np.random.default_rng(0)
        for weight in layer.weights:
            if is_float(weight.dtype):
                value = value_of(weight).astype("float64")
                weight.assign(value + rng.uniform(0.0, 0.1, value.shape))

    def call(self, layer, inputs=None, **options) -> list[np.ndarray]:
        """Returns what the layer makes of the batch, as a flat list.

        Args:
            layer: from `make`.
            inputs: instead of the batch.
            options: of the call.
        """
        inputs = self.inputs if inputs is None else inputs
        with self.attempt("call", "cannot be called on the inputs"):
            outputs = layer(inputs, **options)
        return [to_numpy(item) for item in keras.tree.flatten(outputs)]

    def symbols(self):
        """Returns a `keras.Input` for each array of the inputs."""
        return keras.tree.map_structure(
            lambda a: keras.Input(a.shape[1:], dtype=a.dtype.name), self.inputs
        )

    def model(self, layer) -> keras.Model:
        """Returns a model of the layer alone.

        Args:
            layer: from `make`.
        """
        inputs = self.symbols()
        with self.attempt("call", "cannot be called on keras.Input"):
            return keras.Model(inputs, layer(inputs))

    def failure(self, check: str, text: str) -> LayerContractError:
        """Returns the exception for a broken rule.

        Args:
            check: name of the check.
            text: what is wrong and how to mend it.
        """
        return LayerContractError(f"{self.label}, {check}: {text}", check)

    def fail(self, check: str, text: str) -> None:
        """Raises `failure`.

        Args:
            check: name of the check.
            text: what is wrong and how to mend it.
        """
        raise self.failure(check, text)

    @contextlib.contextmanager
    def attempt(self, check: str, what: str, fix: str = "") -> Iterator[None]:
        """Turns what the layer's own code raises into a broken rule.

        Args:
            check: name of the check.
            what: said of the layer if the block raises.
            fix: how to mend it.
        """
        try:
            yield
        except ToolkitError:
            raise
        except Exception as error:
            text = f"{what}. {reason(error)}"
            text = text if text.endswith(".") else f"{text}."
            raise self.failure(check, f"{text} {fix}".rstrip()) from error


@contextlib.contextmanager
def reproducible() -> Iterator[None]:
    """Lets Keras draw the same weights each time, and hides that it did."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)


def to_numpy(tensor) -> np.ndarray:
    """Returns a tensor as an array; short floats as float32."""
    low = keras.backend.standardize_dtype(tensor.dtype) in LOW
    return np.asarray(keras.ops.cast(tensor, "float32") if low else tensor)


def is_float(dtype) -> bool:
    """Whether a dtype is one of floats."""
    return "float" in keras.backend.standardize_dtype(dtype)


def is_own(item) -> bool:
    """Whether a class or function is not one of Keras."""
    return item.__module__.split(".")[0] != "keras"


def takes(function, name: str) -> bool:
    """Whether a function has a parameter of a name."""
    return name in inspect.signature(function).parameters


def farthest(one: np.ndarray, two: np.ndarray) -> float:
    """Returns the largest difference, relative to the largest value."""
    if one.size == 0 or one.dtype.kind not in "fc":
        return float(not np.array_equal(one, two))
    if not np.array_equal(np.isfinite(one), np.isfinite(two)):
        return np.inf
    gaps = np.abs(np.nan_to_num(one) - np.nan_to_num(two))
    return float(gaps.max() / max(np.abs(np.nan_to_num(two)).max(), 1e-30))


def _fresh(value):
    """Returns a layer of the same settings for a layer; all else as it is."""
    if isinstance(value, keras.layers.Layer):
        return type(value).from_config(value.get_config())
    return value


def _batch(inputs):
    if isinstance(inputs, tuple) and all(isinstance(n, int) for n in inputs):
        if len(inputs) < 2:
            raise ConfigError(
                "`inputs`, given as a shape, must have the batch and at least "
                f"one axis more. Received: inputs={inputs}. The first axis is "
                f"the batch: {(4, *(inputs or (10,)))}."
            )
        inputs = np.random.default_rng(0).normal(size=inputs)
    inputs = keras.tree.map_structure(np.asarray, inputs)
    inputs = keras.tree.map_structure(
        lambda a: a.astype("float32") if a.dtype.kind == "f" else a, inputs
    )
    sizes = {a.shape[0] if a.ndim else 0 for a in keras.tree.flatten(inputs)}
    if len(sizes) != 1 or max(sizes) < 2:
        raise ConfigError(
            "`inputs` must be a shape, or arrays of one batch size, which is "
            f"at least 2. Received batch sizes: {sorted(sizes)}."
        )
    return inputs
