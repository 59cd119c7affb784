"""A copy of a Keras model that computes in float64."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator

import numpy as np

from toolkit.errors import ConfigError
from toolkit.evaluation.float64_config import (
    config_of,
    from_config,
    in_float64,
)


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Makes float64 Keras' default for a block, whatever happens in it."""
    import keras

    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def to_float64(data):
    """Returns arrays as tensors: floats as float64, all others as they are.

    Args:
        data: an array, or lists and dictionaries of arrays; `None` stays.
    """
    import keras
    import tensorflow as tf

    if isinstance(data, (list, tuple)) and not any(
        hasattr(item, "shape") or isinstance(item, (dict, list, tuple))
        for item in data
    ):
        data = np.asarray(data)  # plain numbers, not several arrays

    def convert(leaf):
        if leaf is None:
            return None
        tensor = tf.convert_to_tensor(leaf)
        floating = tensor.dtype.is_floating
        return tf.cast(tensor, tf.float64) if floating else tensor

    return keras.tree.map_structure(convert, data)


def rebuild(model, x):
    """Returns a copy of a model in float64, to be called inside `float64()`.

    The model is written down as its config, every dtype in it is replaced,
    and it is read again with the classes and functions of the model's own
    layers, registered or not. It is called once, and given the same weights.

    Args:
        model: a Keras model that has weights.
        x: a batch of inputs.

    Raises:
        ConfigError: the model has no weights yet, cannot be made from its
            config, has a trainable weight of a fixed dtype, does not run in
            float64, or gives another answer than the original.
    """
    if not model.built:
        raise ConfigError(
            f'The model "{model.name}" has no weights yet. Call it on a batch '
            "first."
        )
    expected = _answer(model, x)
    drawn = random.getstate()  # from which new layers draw their seeds
    try:
        twin = _remake(model)
    finally:
        random.setstate(drawn)
    with float64():
        x = to_float64(x)
        # Whatever the user's code raises is told with what to do about it.
        try:
            twin(x, training=False)
        except Exception as error:
            raise ConfigError(_not_in_float64(model, error)) from error
        _copy_weights(model, twin)
        answer = _answer(twin, x)
    if expected is not None and answer is not None:
        _check_same(model, expected, answer)
    return twin


def loss_in_float64(loss):
    """Returns a loss that computes in float64.

    Args:
        loss: as for `keras.Model.compile`.
    """
    import keras

    def convert(item):
        if isinstance(item, keras.losses.Loss):
            # Not copy.copy: it would save and load the loss, by name.
            twin = object.__new__(type(item))
            twin.__dict__.update(item.__dict__)
            twin._dtype_policy = keras.DTypePolicy("float64")
            twin._dtype = "float64"
            return twin
        return item

    return keras.tree.map_structure(convert, loss)


def states_of(model) -> list[tuple]:
    """Returns what calling a model may change: variables and their values.

    Args:
        model: a built Keras model.
    """
    variables = [*model.non_trainable_variables, *_recurrent_states(model)]
    return [(variable, value_of(variable)) for variable in variables]


def value_of(variable) -> np.ndarray:
    """Returns a copy of a variable's value."""
    return np.asarray(variable).copy()


def restore(states: list[tuple]) -> None:
    """Puts back what `states_of` returned."""
    for variable, value in states:
        variable.assign(value)


def _recurrent_states(model) -> list:
    """Returns the states of stateful layers, which Keras does not list."""
    import keras

    return [
        state
        for layer in model._flatten_layers()
        if getattr(layer, "stateful", False)
        for state in keras.tree.flatten(getattr(layer, "states", None))
        if state is not None
    ]


def _remake(model):
    try:
        config = config_of(model)
        with float64():
            return from_config(model, in_float64(config))
    except ConfigError:
        raise
    except Exception as error:
        if _can_be_made(model):
            raise ConfigError(_not_in_float64(model, error)) from error
        raise ConfigError(
            f'The model "{model.name}" cannot be made again from its config, '
            "which checking it in float64 takes. Give it, and each layer of "
            "your own, a `get_config` that returns the arguments of "
            f"`__init__`. {reason(error)}"
        ) from error


def _can_be_made(model) -> bool:
    try:
        from_config(model, config_of(model))
    except Exception:  # for any reason
        return False
    return True


def _not_in_float64(model, error: Exception) -> str:
    return (
        f'The model "{model.name}" does not run in float64. A layer with a '
        "dtype written into its code does that: use `self.compute_dtype` or "
        f"the dtype of the inputs there. {reason(error)}"
    )


def _copy_weights(model, twin) -> None:
    ours = [(w.name, tuple(w.shape)) for w in model.weights]
    theirs = [(w.name, tuple(w.shape)) for w in twin.weights]
    if ours != theirs:
        raise ConfigError(
            f'The model "{model.name}", made again from its config, has other '
            f"weights: {_list(theirs)} instead of {_list(ours)}. Let "
            "`get_config` return all arguments of `__init__`, and make every "
            "weight in `build`."
        )
    fixed = [
        f'"{old.path}" ({new.dtype})'
        for old, new in zip(model.weights, twin.weights, strict=True)
        if old.trainable and new.dtype != "float64"
    ]
    if fixed:
        raise ConfigError(
            "A weight must have the dtype of its layer, so that it can be "
            f"checked in float64. Fixed are: {', '.join(fixed)}. Leave "
            "`dtype=` out of `add_weight`."
        )
    for old, new in zip(model.weights, twin.weights, strict=True):
        new.assign(np.asarray(old))
        new.trainable = old.trainable
    for layer in twin._flatten_layers():
        if hasattr(layer, "finalize_state"):  # of Normalization, adapted
            layer.finalize_state()
    states = map(_recurrent_states, (model, twin))
    for old, new in zip(*states, strict=True):
        new.assign(np.asarray(old))


def _answer(model, x) -> list[np.ndarray] | None:
    """Returns the outputs on a batch, or None where they vary or are coarse.

    States, such as those of seeds and of stateful layers, are put back at
    the end.
    """
    import keras

    coarse = {"float16", "bfloat16"}
    if coarse & {layer.compute_dtype for layer in model._flatten_layers()}:
        return None
    states = states_of(model)
    answers = []
    try:
        for _ in range(2):
            outputs = keras.tree.flatten(model(x, training=False))
            answers.append([np.asarray(item) for item in outputs])
    finally:
        restore(states)
    same = all(np.array_equal(a, b) for a, b in zip(*answers, strict=True))
    return answers[0] if same else None


def _check_same(model, expected: list, answer: list) -> None:
    """Raises where the config forgets what the model computes with."""
    for a, b in zip(expected, answer, strict=True):
        if a.dtype.kind != "f":
            continue
        errors = np.abs(a - b)
        if not errors.max(initial=0) <= 0.01 * max(np.abs(a).max(), 1e-3):
            worst = errors.argmax()
            raise ConfigError(
                f'The model "{model.name}", made again from its config with '
                "the same weights, gives another answer: "
                f"{b.flat[worst]:.6g} instead of {a.flat[worst]:.6g}. Let "
                "`get_config` of each layer of your own return all arguments "
                "of `__init__`."
            )


def _list(weights) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in weights) or "none"


def reason(error: Exception) -> str:
    """Returns the innermost of the reasons that Keras nests in a message."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    lambdas = r"\{'value': \('.*?\)\}"
    text = re.sub(lambdas, "a lambda. Use `def`", text, flags=re.S)
    where = re.search(r"when calling (.*?\))", text)
    mark = r"(?:Exception|Error) encountered(?: when calling .*)?:?\s"
    last = re.split(mark, text)[-1]
    first = last.strip().split("\n\n")[0]
    reason = " ".join(first.split())[:300] or type(error).__name__
    return f"{where[1]} received: {reason}" if where else f"Received: {reason}"
