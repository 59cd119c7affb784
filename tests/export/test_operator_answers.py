"""Each operator answers in ONNX Runtime and LiteRT as it does in Keras.

One model holds all functions of one input, so that a format is converted once.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import activations, ops

from export import runtime, to_litert, to_onnx
from export.program import trace
from export.signatures import resolve

CONVERTERS = {"onnx": to_onnx, "litert": to_litert}
SIZES = (
    0, 1e-30, 1e-7, 1e-4, 0.01, 0.1, 0.5, 0.9, 1, 1.5, 2, 2.5, 3, 3.5, 5, 6, 10,
    15, 20, 30, 50, 86, 89, 95, 100, 104, 110, 1e3, 1e4,
)  # fmt: skip
FLOATS = np.float32([[sign * size for size in SIZES for sign in (1, -1)]])
WHOLE = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 127)
INTEGERS = np.array([[sign * n for n in WHOLE for sign in (1, -1)]])

ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid",
    "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax",
    "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
    "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
    "sparsemax", "tanh", "tanh_shrink",
)  # fmt: skip
OPERATIONS = (
    "abs", "argmax", "argmin", "argsort", "ceil", "cumsum", "exp", "exp2",
    "expm1", "floor", "log", "log10", "log1p", "log2", "logsumexp", "max",
    "mean", "min", "reciprocal", "round", "rsqrt", "sign", "signbit", "sort",
    "sqrt", "square", "std", "trunc", "var",
)  # fmt: skip
OF_FLOATS = {
    **{name: getattr(activations, name) for name in ACTIVATIONS},
    **{name: getattr(ops, name) for name in OPERATIONS},
    "gelu": lambda x: activations.gelu(ops.flip(x, -1)),
    "gelu_tanh": functools.partial(activations.gelu, approximate=True),
    "clip": lambda x: ops.clip(x, -2.0, 3.0),
    "divide_no_nan": lambda x: ops.divide_no_nan(1.0, x),
    "floor_divide": lambda x: ops.floor_divide(x, 3.0),
    "floor_divide_negative": lambda x: ops.floor_divide(x, -3.0),
    "last_argmax": lambda x: ops.argmax(x, axis=-1),
    "log1p_of_exp": lambda x: ops.log1p(ops.exp(ops.minimum(x, 88.0))),
    "logaddexp": lambda x: ops.logaddexp(x, 1.0),
    "mod": lambda x: ops.mod(x, 3.0),
    "mod_large": lambda x: ops.mod(x * 1e16, 3.0),
    "mod_negative": lambda x: ops.mod(x, -3.0),
    "one_decimal": lambda x: ops.round(x, 1),
    "power": lambda x: ops.power(ops.abs(x), 0.3),
    "to_integer": lambda x: ops.cast(x, "int32"),
    "top_k": lambda x: ops.top_k(x, 3)[1],
    "cross_entropy": lambda x: ops.binary_crossentropy(
        ops.cast(x > 1, "float32"), x, from_logits=True
    ),
}
# How far an answer may be off, beside 1e-5 of itself. What is not 0 here is
# the runtime's own approximation; the limits stand in docs/operators.md.
ABSOLUTE = {
    ("onnx", "gelu"): 2e-7,
    ("onnx", "gelu_tanh"): 4e-7,
    ("onnx", "glu"): 3e-3,  # 1e4 times that of sigmoid
    ("onnx", "sigmoid"): 2e-7,
    ("onnx", "silu"): 3e-6,
    ("onnx", "tanh_shrink"): 2e-8,
    ("litert", "elu"): 3e-8,  # Keras is: exp(x) - 1
    ("litert", "gelu"): 6e-7,
    ("litert", "gelu_tanh"): 4e-7,
    ("litert", "tanh_shrink"): 2e-8,
}


def of_integers(dtype: str) -> dict:
    def constant(value):
        return ops.cast(value, dtype)

    def divided(x):  # by every number, of both signs
        return ops.floor_divide(constant(17), 2 * x + constant(1))

    def rest(x):
        return ops.mod(constant(17), 2 * x + constant(1))

    return {
        "floor_divide": lambda x: ops.floor_divide(x, constant(4)),
        "floor_divide_negative": lambda x: ops.floor_divide(x, constant(-3)),
        "divisors": divided,
        "mod": lambda x: ops.mod(x, constant(4)),
        "mod_negative": lambda x: ops.mod(x, constant(-3)),
        "mod_divisors": rest,
        "python": lambda x: x // 2 + x % 5,
        "one_hot": lambda x: ops.one_hot(x, 6),
        "one_hot_first": lambda x: ops.one_hot(x, 6, axis=0),
        "one_hot_middle": lambda x: ops.one_hot(x, 6, axis=1),
        "one_hot_of_rank_1": lambda x: ops.one_hot(x[0], 6),
        "one_hot_integers": lambda x: ops.one_hot(x, 6, dtype="int32"),
        "one_hot_truth": lambda x: ops.one_hot(x, 6, dtype="bool"),
        "one_hot_values": lambda x: tf.one_hot(x, 6, 2.5, -1.5),
        "one_hot_whole_values": lambda x: tf.one_hot(x, 6, 7, -1),
        "multi_hot": lambda x: ops.multi_hot(x, 6),
        "shifted": lambda x: ops.right_shift(x, constant(2)),
        "sum": lambda x: ops.sum(x, -1),
        "equal": lambda x: ops.equal(x, constant(3)),
        "at_least": lambda x: ops.greater_equal(x, constant(3)),
    }


# What a runtime lacks for a dtype; it is refused
LACKING = {
    ("litert", "int8"): {
        "divisors", "mod_divisors", "one_hot_values", "one_hot_whole_values",
        "python",
    },
    ("onnx", "uint8"): {"sum"},
    ("litert", "uint8"): {
        "divisors", "floor_divide", "floor_divide_negative", "mod",
        "mod_divisors", "mod_negative", "one_hot_values",
        "one_hot_whole_values", "python", "sum",
    },
    ("litert", "int64"): {
        "floor_divide", "floor_divide_negative", "divisors", "python",
        "shifted",
    },
}  # fmt: skip


@keras.saving.register_keras_serializable("tests")
class Functions(keras.layers.Layer):
    """Applies many functions to one input."""

    def __init__(self, functions, **options):
        super().__init__(**options)
        self.functions = functions

    def call(self, x):
        return {name: f(x) for name, f in self.functions.items()}


def answers(format_name: str, dtype: str) -> tuple[dict, dict]:
    """Returns what the file answers, and Keras, by function."""
    x = FLOATS if dtype == "float32" else INTEGERS.astype(dtype)
    functions = OF_FLOATS if dtype == "float32" else of_integers(dtype)
    lacking = LACKING.get((format_name, dtype), ())
    functions = {k: f for k, f in functions.items() if k not in lacking}
    inputs = keras.Input(x.shape[1:], dtype=dtype, name="x")
    model = keras.Model(inputs, Functions(functions)(inputs))
    program = trace(model, resolve(model), {})
    with tempfile.TemporaryDirectory() as folder:
        suffix = {"onnx": ".onnx", "litert": ".tflite"}[format_name]
        path = Path(folder) / f"model{suffix}"
        CONVERTERS[format_name].convert(program, path, {})
        found = runtime.load(path).run({"x": x})
    expected = {name: np.asarray(f(x)) for name, f in functions.items()}
    return found, expected


def differing(format_name: str, dtype: str) -> list[str]:
    found, expected = answers(format_name, dtype)
    assert len(expected) > 9
    wrong = []
    for name, value in expected.items():
        allowed = np.where(np.isfinite(value), 1e-5 * np.abs(value), 0)
        allowed += ABSOLUTE.get((format_name, name), 1e-30)
        if value.dtype.kind != "f":
            allowed = 0
        with np.errstate(invalid="ignore"):
            near = np.abs(found[name] * 1.0 - value * 1.0) <= allowed
        same = (found[name] == value) | near
        same |= (found[name] != found[name]) & (value != value)  # NaN
        if found[name].dtype != value.dtype or not same.all():
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("format_name", CONVERTERS)
def test_functions_of_floats_answer_as_in_keras(format_name):
    assert differing(format_name, "float32") == []


@pytest.mark.parametrize("format_name", CONVERTERS)
@pytest.mark.parametrize("dtype", ["int32", "int64", "int8", "uint8"])
def test_integers_are_divided_shifted_and_compared_as_in_keras(
    dtype, format_name
):
    assert differing(format_name, dtype) == []
