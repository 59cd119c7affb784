"""Which layer is lowered by what, and the layers of a model swapped for it."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras

from export.formats import FORMATS
from toolkit.errors import ConfigError, unknown

BUILTIN = ("rnn", "time_distributed", "word_table")


@dataclass(frozen=True)
class Fallback:
    """Says that a layer is traced as it is.

    Attributes:
        reason: why; the report and `export.explain` repeat it.
    """

    reason: str


Lowering = Callable[[keras.layers.Layer], Callable | Fallback]
_REGISTRY: dict[tuple[type, str], Lowering] = {}


def register(layer_class: type, format_name: str) -> Callable:
    """Registers the decorated function as a lowering; the last one counts.

    Args:
        layer_class: exactly this class is lowered, no subclass.
        format_name: `onnx` or `litert`.

    Returns:
        A decorator for a function that takes a layer and returns a function
        `call(inputs, ..., mask=None, training=False)` of TensorFlow operators
        (and `onnx_node`), or a `Fallback`.

    Raises:
        ConfigError: not a layer class, or no such format.

    Example:
    >>> import keras
    >>> from export import lowering
    >>> class Swish(keras.layers.Layer):
    ...     def call(self, x):
    ...         return x * keras.ops.sigmoid(x)
    >>> @lowering.register(Swish, "onnx")
    ... def swish(layer):
    ...     def call(x):
    ...         sigmoid, = lowering.onnx_node(
    ...             "Sigmoid", [x], [(x.shape, x.dtype)])
    ...         return x * sigmoid
    ...     return call
    """
    if not (
        isinstance(layer_class, type)
        and issubclass(layer_class, keras.layers.Layer)
    ):
        raise ConfigError(
            "`layer_class` must be a subclass of keras.layers.Layer. "
            f"Received: {layer_class!r}."
        )
    if format_name not in FORMATS:
        raise ConfigError(unknown("format", format_name, FORMATS))

    def decorate(lower: Lowering) -> Lowering:
        _REGISTRY[layer_class, format_name] = lower
        return lower

    return decorate


def find(layer: keras.layers.Layer, format_name: str) -> Lowering | None:
    """Returns the lowering of a layer; None if its own `call` is traced.

    A layer whose `call` was replaced on the instance does something else than
    its class, and has none.
    """
    _load()
    if "call" in vars(layer):
        return None
    return _REGISTRY.get((type(layer), format_name))


@contextlib.contextmanager
def lowered(model: keras.Model, format_name: str) -> Iterator[dict[str, str]]:
    """Swaps the `call` of every layer that has a lowering.

    Layers inside models and wrappers are found too. Every layer has its own
    `call` back when the block ends.

    Args:
        model: the model.
        format_name: `onnx` or `litert`.

    Yields:
        For every layer with a lowering, by path: an empty text if it is
        lowered, else the reason why not.

    Raises:
        ConfigError: a lowering returned neither a function nor a `Fallback`.
    """
    outcome: dict[str, str] = {}
    swapped = []
    try:
        for layer in layers(model):
            lower = find(layer, format_name)
            if lower is None:
                continue
            call = lower(layer)
            if isinstance(call, Fallback):
                outcome[layer.path] = call.reason
                continue
            if not callable(call):
                raise ConfigError(
                    f'The lowering of the layer "{layer.path}" '
                    f"({type(layer).__name__}, {format_name}) must return a "
                    "function `call(inputs, ...)`, or `Fallback(reason)` to "
                    f"leave the layer as it is. Received: {call!r} (of type "
                    f"{type(call).__name__})."
                )
            outcome[layer.path] = ""
            swapped.append(layer)
            layer.call = call
        yield outcome
    finally:
        for layer in swapped:
            del layer.call


def fallbacks(model: keras.Model, format_name: str) -> dict[str, str]:
    """Returns the reason by layer path for every layer that is not lowered."""
    with lowered(model, format_name) as outcome:
        return {path: reason for path, reason in outcome.items() if reason}


def layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns every layer of a model once, also inside models and wrappers."""
    return list({id(x): x for x in model._flatten_layers()}.values())


@functools.cache
def _load() -> None:
    """Registers this project's own lowerings, under those of users."""
    users = dict(_REGISTRY)
    for name in BUILTIN:
        importlib.import_module(f"export.lowering.{name}")
    _REGISTRY.update(users)
