"""Checks of training: a fit step, mixed precision, gradients."""

from __future__ import annotations

import math
import warnings

import keras
import numpy as np

from toolkit.errors import ConfigError, GradientError
from toolkit.evaluation import check_gradients
from toolkit.evaluation.float64_model import value_of
from toolkit.testing.subject import Subject, is_float


@keras.saving.register_keras_serializable("toolkit")
class Shift(keras.layers.Layer):
    """Adds zeros that can be trained: their gradient is the inputs'."""

    def build(self, shape):
        """Makes a zero for every number of the batch."""
        self.value = self.add_weight(
            name="value", shape=shape, initializer="zeros"
        )

    def call(self, inputs):
        """Returns the inputs."""
        return inputs + self.value


class Join(keras.layers.Layer):
    """Lays the outputs of a layer side by side, and ends their masks."""

    def __init__(self, **options):
        super().__init__(**options)
        self.supports_masking = True

    def call(self, inputs):
        """Returns `(batch, numbers of all inputs)`."""
        rows = [
            keras.ops.reshape(item, (-1, math.prod(item.shape[1:])))
            for item in inputs
        ]
        return keras.ops.concatenate(rows, axis=-1)

    def compute_mask(self, inputs, previous_mask=None):
        """Returns None."""


def projection(targets, outputs):
    """Returns the mean product with targets: any gradient can be had."""
    return keras.ops.mean(targets * outputs, axis=-1)


def learns(subject: Subject) -> bool:
    """Whether a layer has an output of floats, which can be trained on."""
    return any(item.dtype.kind == "f" for item in subject.call(subject.make()))


def check_fit(subject: Subject, jit: bool) -> None:
    """A fit step changes every trainable weight, and none to NaN."""
    check = "jit" if jit else "fit"
    layer = subject.built()
    inputs = subject.symbols()
    # Something that floats pass before the layer, so that it has to return
    # gradients as well.
    scaled = keras.tree.map_structure(
        lambda a: keras.layers.Rescaling(0.7)(a) if is_float(a.dtype) else a,
        inputs,
    )
    with subject.attempt(check, "cannot be called on keras.Input"):
        outputs = layer(scaled)
    joined = Join()(_floats(outputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(joined))
    model.compile("adam", "mse", jit_compile=jit)
    before = [value_of(weight) for weight in layer.trainable_weights]
    with (
        subject.attempt(
            check,
            "does not compile with XLA (jit_compile=True)"
            if jit
            else "cannot be trained",
            "If it never shall, set self.supports_jit = False." if jit else "",
        ),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Gradients do not exist")
        targets = np.ones((subject.size, 1), "float32")
        model.fit(
            subject.inputs,
            targets,
            batch_size=subject.size,
            epochs=2,
            verbose=0,
        )
    after = [value_of(weight) for weight in layer.trainable_weights]
    for weight, old, new in zip(
        layer.trainable_weights, before, after, strict=True
    ):
        if not np.isfinite(new).all():
            subject.fail(check, f'a fit step makes "{weight.name}" NaN.')
        if np.array_equal(old, new):
            subject.fail(
                check,
                f'a fit step leaves "{weight.name}" untouched. Let the output '
                "depend on it, in operations that have gradients, or make it "
                "with trainable=False.",
            )


def check_mixed_precision(subject: Subject) -> None:
    """It computes in bfloat16, keeps float32 weights, and is as right."""
    check = "mixed_precision"
    layer = subject.built(dtype="mixed_bfloat16")
    with subject.attempt(check, "cannot be called in mixed precision"):
        outputs = keras.tree.flatten(layer(subject.inputs, training=False))
    for output in outputs:
        kind = keras.backend.standardize_dtype(output.dtype)
        if is_float(kind) and kind != "bfloat16":
            subject.fail(
                check,
                f"gives {kind} instead of bfloat16. Write no dtype into the "
                "layer: cast to `self.compute_dtype`, and pass `dtype` on to "
                "layers that it makes.",
            )
    wrong = [
        f'"{w.name}" ({w.dtype})'
        for w in layer.weights
        if is_float(w.dtype) and w.dtype != "float32"
    ]
    if wrong:
        subject.fail(
            check,
            f"weights must stay float32: {', '.join(wrong)}. Leave `dtype=` "
            "out of `add_weight`.",
        )
    full = subject.make(dtype="float32")
    subject.call(full)
    full.set_weights(layer.get_weights())
    expected = subject.call(full, training=False)
    for low, high in zip(outputs, expected, strict=True):
        if high.dtype.kind != "f":
            continue
        low = np.asarray(keras.ops.cast(low, "float32"))
        gap = np.abs(low - high).max(initial=0.0)
        limit = 0.05 * np.abs(high).max(initial=0.0)
        if not gap <= limit:
            subject.fail(
                check,
                f"its answer in bfloat16 is off by {gap:.2g}, more than 5 % "
                "of the largest value. Do what loses digits, such as sums "
                "over many values, in float32, and cast the result.",
            )


def check_layer_gradients(subject: Subject) -> None:
    """Gradients of weights and inputs are those of central differences."""
    layer = subject.built()
    inputs = keras.tree.map_structure(
        lambda a: keras.Input(batch_shape=a.shape, dtype=a.dtype.name),
        subject.inputs,
    )
    flat = keras.tree.flatten(inputs)
    names = [f"inputs_{i}" for i in range(len(flat))]
    shifted = keras.tree.pack_sequence_as(
        inputs,
        [
            Shift(name="inputs" if len(flat) == 1 else name)(item)
            if is_float(item.dtype)
            else item
            for name, item in zip(names, flat, strict=True)
        ],
    )
    outputs = _floats(layer(shifted))
    model = keras.Model(inputs, outputs)
    if not model.trainable_weights:
        return
    rng = np.random.default_rng(0)
    targets = [rng.normal(size=item.shape) for item in outputs]
    try:
        check_gradients(model, subject.inputs, targets, projection)
    except (GradientError, ConfigError) as error:
        raise subject.failure("gradients", str(error)) from error


def _floats(outputs) -> list:
    return [t for t in keras.tree.flatten(outputs) if is_float(t.dtype)]
