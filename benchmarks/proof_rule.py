"""The bound of a proof: two candidates on right and on wrong files.

    python -m benchmarks.proof_rule

Right files are exports of models of many kinds, run in ONNX Runtime and in
LiteRT on the inputs of a proof. For each it prints how far the answers are from
Keras', as a share of

    (a) |Keras| + the largest |Keras| of the column, over ordinary inputs or
        those of the kind (the rule that is applied, without what it leaves to
        the model's own rounding);
    (b) the largest |Keras in float32 - Keras in float64| of the value's row or
        column, whichever is smaller, plus 8 units of the last place.

Wrong files are those of tests/export/test_wrong_files.py; for each it prints
whether (a) with 2e-5, and (b) with twice the largest share of the right files,
refuses it.
"""

from __future__ import annotations

import sys
import tempfile

import keras
import numpy as np

import export
from export import runtime
from export.answers import ORDINARY, R, as_columns
from export.cases import with_answers
from export.program import trace
from export.signatures import resolve
from tests.export.test_wrong_files import PAIRS, models_of
from tests.export.user_models import mixed_precision
from toolkit import models

TINY = np.finfo(np.float32).tiny
ULPS = 8


def mobile_net():
    """MobileNetV2 with random weights and statistics."""
    model = keras.applications.MobileNetV2((96, 96, 3), 0.35, weights=None)
    rng = np.random.default_rng(0)
    for variable in model.non_trainable_variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def long_recurrence(cell):
    """A layer over 300 steps."""

    def build():
        x = keras.Input((300, 8), name="x")
        layer = getattr(keras.layers, cell)(32, return_sequences=True)
        return keras.Model(x, layer(x))

    return build


def transformer():
    """One block of attention."""
    x = keras.Input((None, 32), name="x")
    y = keras.layers.MultiHeadAttention(4, 8)(x, x)
    y = keras.layers.LayerNormalization()(x + y)
    z = keras.layers.Dense(64, "gelu")(y)
    return keras.Model(x, keras.layers.Dense(32)(z) + y)


RIGHT = {
    "softmax regression": lambda: models.softmax_regression((8, 8, 1), 10),
    "mlp 960-3-4": lambda: models.mlp((960,), [3], 4),
    "LeNet-5": models.lenet5,
    "LeNet-5 as published": models.lenet5_published,
    "autoencoder": lambda: models.autoencoder((28, 28, 1), [128, 64], 30),
    **{
        f"language model, {cell}": (
            lambda cell=cell: models.language_model(1000, cell, 64, 32)
        )
        for cell in ("elman", "gru", "lstm", "peephole_lstm")
    },
    "sequence classifier": lambda: models.sequence_classifier(1000, 4),
    "MobileNetV2": mobile_net,
    "mixed precision": lambda: mixed_precision()[0],
    "attention": transformer,
    "300 steps, SimpleRNN": long_recurrence("SimpleRNN"),
    "300 steps, GRU": long_recurrence("GRU"),
    "300 steps, LSTM": long_recurrence("LSTM"),
}


def answers_of(model):
    """Returns the entry and Keras' answers."""
    program, answers = with_answers(trace(model, resolve(model), {}))
    entry = program.entries[0]
    return entry, answers[entry.name]


def twin(model):
    """Returns the model in float64; None where it cannot be made."""

    def clone(layer):
        config = layer.get_config()
        config["dtype"] = "float64"
        return type(layer).from_config(config)

    try:
        other = keras.models.clone_model(model, clone_function=clone)
        other.set_weights(model.get_weights())
    except (TypeError, ValueError, KeyError, NotImplementedError):
        return None
    return other


def shares(answers, exact, run):
    """Returns the largest share of (a) on ordinary and other inputs, and (b).

    Args:
        answers: Keras' answers.
        exact: The model in float64, called on the inputs; None for none.
        run: The file.
    """
    by_column, by_noise = {True: 0.0, False: 0.0}, 0.0
    for case, expected in zip(answers.cases, answers.expected, strict=True):
        found = dict(zip(expected, run(case.inputs).values(), strict=True))
        better = exact(case.inputs) if exact else {}
        for name, wanted in expected.items():
            if wanted.dtype.kind in "iub":
                continue
            limit = answers.allowed(case, name, wanted)
            gap = np.abs(found[name].astype(np.float64) - wanted)
            lost = np.isnan(found[name]) & ~np.isnan(wanted)
            gap = np.where(lost, np.inf, np.where(np.isfinite(gap), gap, 0.0))
            share = answers.tolerance.r * float((gap / limit).max())
            kind = case.kind in ORDINARY
            by_column[kind] = max(by_column[kind], share)
            if name in better:
                noise = as_columns(np.abs(wanted - better[name]))
                rows = noise.reshape(-1, noise.shape[-1])
                least = np.minimum(
                    rows.max(axis=1, keepdims=True),
                    rows.max(axis=0, keepdims=True),
                ).reshape(wanted.shape)
                ulp = ULPS * np.spacing(np.abs(wanted).astype(np.float32))
                left = np.maximum(gap - ulp, 0.0)
                with np.errstate(divide="ignore", invalid="ignore"):
                    ratio = np.where(left > 0, left / least, 0.0)
                by_noise = max(by_noise, float(ratio.max()))
    return by_column[True], by_column[False], by_noise


def caller(model, entry):
    """Returns a function that calls a float64 model on named inputs."""
    names = [tensor.name for tensor in entry.inputs]
    outputs = [tensor.name for tensor in entry.outputs]

    def call(arrays):
        given = [arrays[name] for name in names]
        result = keras.tree.flatten(
            model(given if len(given) > 1 else given[0])
        )
        return dict(zip(outputs, map(np.asarray, result), strict=True))

    return call


def measure_right(names):
    """Prints the shares of right files; returns the largest of (b)."""
    heads = f"{'(a) U, N':>10}{'(a) else':>10}{'(b)':>10}"
    print(f"{'right file':30}{'format':8}{heads}")
    largest = 0.0
    for name in names:
        keras.utils.set_random_seed(0)
        model = RIGHT[name]()
        entry, answers = answers_of(model)
        exact = twin(model)
        exact = caller(exact, entry) if exact is not None else None
        with tempfile.TemporaryDirectory() as folder:
            done = export.export(model, folder, ["onnx", "litert"])
            for kind, path in done.paths.items():
                run = runtime.load(path).run
                usual, other, noise = shares(answers, exact, run)
                if np.isfinite(noise):
                    largest = max(largest, noise)
                print(
                    f"{name:24}{kind:8}{usual:10.1e}{other:10.1e}{noise:8.1f}",
                    flush=True,
                )
    return largest


def measure_wrong(noise):
    """Prints which of the wrong files each rule refuses."""
    print(f"\n{'wrong file':34}{'(a)':>9}{'(b)':>9}")
    for name in PAIRS:
        wrong, right = models_of(name)
        entry, answers = answers_of(right)
        exact = twin(right)
        exact = caller(exact, entry) if exact is not None else None
        with tempfile.TemporaryDirectory() as folder:
            path = export.export(wrong, folder, ["onnx"]).paths["onnx"]
            run = runtime.load(path).run
            integers = any(
                not np.array_equal(run(case.inputs)[key], value)
                for case, expected in zip(
                    answers.cases, answers.expected, strict=True
                )
                for key, value in expected.items()
                if value.dtype.kind in "iu"
            )
            usual, other, share = shares(answers, exact, run)
        by_column = integers or max(usual, other) > R["float32"]
        by_noise = integers or share > 2 * noise
        said = ["refused" if x else "PASSES" for x in (by_column, by_noise)]
        if exact is None and not integers:
            said[1] = "no twin"
        print(f"{name:34}{said[0]:>9}{said[1]:>9}", flush=True)


def main():
    """Prints both tables."""
    names = sys.argv[1:] or list(RIGHT)
    measure_wrong(measure_right(names))


if __name__ == "__main__":
    main()
