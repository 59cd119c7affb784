"""Gradients of a model's loss beside central differences."""

from __future__ import annotations

import numpy as np

from toolkit.errors import ConfigError, GradientError
from toolkit.evaluation.differences import Comparison, compare
from toolkit.evaluation.float64_model import (
    float64,
    loss_in_float64,
    rebuild,
    to_float64,
    value_of,
)
from toolkit.evaluation.gradient_batch import check_inputs, check_targets
from toolkit.evaluation.gradient_report import (
    DIRECTION,
    NOWHERE,
    GradientReport,
    WeightGradient,
)
from toolkit.evaluation.objective import Objective
from toolkit.whole_numbers import check_whole

BESIDE = 1e-3  # how far a weight is moved off a kink, relative to its size


def check_gradients(
    model,
    x,
    y=None,
    loss=None,
    *,
    sample_weight=None,
    entries: int = 20,
    tolerance: float = 1e-5,
    seed: int = 0,
    training: bool = False,
    raises: bool = True,
) -> GradientReport:
    """Holds backpropagation against central differences, weight by weight.

    ```
    dE/dw = (E(w + h) - E(w - h)) / (2 h) + O(h^2)
    ```

    Works on any Keras model that can be made again from its config, with
    layers, losses and gradients (`tf.custom_gradient`) of your own. A copy of
    the model in float64 is checked; the model itself, and Keras' settings,
    stay as they are. `E` is the loss and the penalties of the layers, on one
    batch: a few examples are enough.

    A weight tensor of up to `entries` numbers is compared entry by entry. Of
    a larger one so many are, half of them those of the largest gradient, half
    drawn at random, and with them a random direction `d` of +1 and -1 over
    the whole tensor, in which every entry counts:

    ```
    sum_i d_i dE/dw_i = (E(w + h d) - E(w - h d)) / (2 h) + O(h^2)
    ```

    Where the slopes to the left and to the right differ, as at 0 in ReLU and
    between equal numbers in max pooling, the loss has no derivative; the
    entry is compared a little beside it, or set aside. Rounding and sharp
    curvature are measured and allowed for. A gradient that is none on
    purpose, such as a straight-through estimate, is reported as wrong.

    A wrong gradient with respect to the inputs of a layer shows in the weights
    before it. Before the first layer there are none: what it returns for the
    model's own inputs is not seen here. `toolkit.testing.check_layer` finds
    it; so does a `Dense` layer put before it.

    It takes about 2 (`entries` + 1) evaluations of the loss per weight.

    Args:
        model: a Keras model that has weights: Functional, Sequential or a
            subclass.
        x: inputs of one batch, an array or a list or dictionary of arrays.
            Floats are taken as float64, integers stay integers.
        y: targets, in the same forms, or None where the loss needs none.
        loss: as for `keras.Model.compile`; by default the loss that the model
            is compiled with.
        sample_weight: weights of the examples, as for `fit`.
        entries: how many entries of each weight tensor are compared, at
            least 1.
        tolerance: relative error that is accepted, above 0.
        seed: of the entries and directions drawn.
        training: whether the model is called as in training; by default as
            in inference, without dropout. Random numbers from Keras' seed
            generators stay the same for the whole check.
        raises: whether a wrong gradient is an exception.

    Returns:
        A report; `print` shows it as a table.

    Raises:
        GradientError: a gradient is wrong; names the weights, and holds the
            report as `.report`.
        ConfigError: there is no loss, no trainable weight, an argument is out
            of its range, the loss cannot be computed, or the model cannot be
            made again in float64.
        DataError: a batch without examples, inputs, targets and weights of
            different numbers of examples, or a class that is no output.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from toolkit.evaluation import check_gradients
    >>> inputs = keras.Input((3,))
    >>> outputs = keras.layers.Dense(2, "tanh", name="hidden")(inputs)
    >>> model = keras.Model(inputs, outputs)
    >>> x, y = np.eye(3), np.ones((3, 2))
    >>> report = check_gradients(model, x, y, loss="mse")
    >>> report.passed, [weight.name for weight in report.weights]
    (True, ['hidden/kernel', 'hidden/bias'])

    Source: C. Bishop: Pattern recognition and machine learning (2006),
    section 5.3.3, equation 5.69; the gradients are those of backpropagation,
    T. Mitchell: Machine learning (1997), sections 4.5.2 and 4.6.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ConfigError(
            "`model` must be a keras.Model. Received: "
            f"{type(model).__name__}. Put a layer into a model first."
        )
    check_whole("entries", entries, 1)
    if not tolerance > 0:
        raise ConfigError(
            f"`tolerance` must be above 0. Received: tolerance={tolerance}."
        )
    batch = [to_float64(item) for item in (x, y, sample_weight)]
    check_inputs(batch[0])
    twin = rebuild(model, x)
    loss, factors = _loss_of(model, loss)
    if loss is None and not _has_own_loss(twin, y):
        raise ConfigError(
            f'The model "{model.name}" is not compiled with a loss. Pass '
            '`loss`, such as loss="mse".'
        )
    trained = {id(weight) for weight in model.trainable_variables}
    pairs = [
        (old.path, new)
        for old, new in zip(model.weights, twin.weights, strict=True)
        if id(old) in trained
    ]
    if not pairs:
        raise ConfigError(
            f'The model "{model.name}" has no trainable weight, so there is '
            "no gradient to check."
        )
    with float64():
        plain = type(model).compute_loss is keras.Model.compute_loss
        check_targets(twin, *batch, loss if plain else None)
        if loss is not None:
            keras.Model.compile(
                twin,
                loss=loss_in_float64(loss),
                loss_weights=factors,
                jit_compile=False,
            )
        objective = Objective(
            twin,
            [weight for _, weight in pairs],
            *batch,
            training,
            model.run_eagerly,
        )
        rng = np.random.default_rng(seed)
        noise, gradients = objective.noise(rng), objective.gradients()
        weights = [
            _check_weight(
                objective, i, name, gradients[i], entries, tolerance, noise, rng
            )
            for i, (name, _) in enumerate(pairs)
        ]
        report = GradientReport(objective.value(), tolerance, tuple(weights))
    if raises and not report.passed:
        raise GradientError(report.message(), report)
    return report


def _loss_of(model, loss):
    """Returns the loss, and the factors of several, for `compile`."""
    compiled = model._compile_loss
    if loss is not None or compiled is None:
        return loss, None
    return compiled._user_loss, compiled._user_loss_weights


def _has_own_loss(model, y) -> bool:
    import keras

    own = type(model).compute_loss is not keras.Model.compute_loss
    return own or (y is None and bool(model.losses))


def _check_weight(
    objective: Objective,
    index: int,
    name: str,
    gradient: np.ndarray | None,
    entries: int,
    tolerance: float,
    noise: float,
    rng: np.random.Generator,
) -> WeightGradient:
    weight = objective.weights[index]
    start = value_of(weight)
    scale = (
        max(1.0, float(np.sqrt(np.square(start).mean()))) if start.size else 1
    )
    connected = gradient is not None
    gradient = gradient if connected else np.zeros_like(start)
    signs = rng.choice([-1.0, 1.0], start.shape)

    def compare_at(point, slopes, here, where) -> tuple[float, Comparison]:
        if where == DIRECTION:
            direction = signs
            magnitude = float(np.linalg.norm(slopes))
        else:
            direction = np.zeros_like(point)
            direction[where] = 1.0
            magnitude = 0.0

        def move(distance: float) -> float:
            weight.assign(point + distance * direction)
            return objective.value()

        analytic = float(np.sum(slopes * direction))
        return analytic, compare(
            move, here, analytic, magnitude, scale, noise, tolerance
        )

    places = _places(gradient, entries, rng)
    here = objective.value()
    found = {at: compare_at(start, gradient, here, at) for at in places}
    kinks = [at for at in places if found[at][1].kink]
    if kinks:
        # ReLU at 0, with biases that are still 0: all is well beside it.
        offset = rng.uniform(0.5, 1.0, start.shape) * signs
        beside = start + BESIDE * scale * offset
        weight.assign(beside)
        slopes = objective.gradients()[index]
        slopes = np.zeros_like(start) if slopes is None else slopes
        here = objective.value()
        found.update((at, compare_at(beside, slopes, here, at)) for at in kinks)
    weight.assign(start)
    compared = {at: item for at, item in found.items() if not item[1].kink}
    worst = max(compared, key=lambda at: compared[at][1].error, default=NOWHERE)
    analytic, comparison = compared.get(worst, (np.nan, Comparison(np.nan, 0)))
    return WeightGradient(
        name,
        start.shape,
        comparison.error,
        worst,
        analytic,
        comparison.numeric,
        len(compared),
        len(kinks),
        connected,
        comparison.error <= tolerance,
    )


def _places(gradient: np.ndarray, entries: int, rng) -> list:
    """Returns the entries to compare, and the direction if not all."""
    if gradient.size <= entries:
        return list(np.ndindex(gradient.shape))
    sizes = np.abs(gradient).ravel()
    largest = np.argsort(-np.where(np.isfinite(sizes), sizes, np.inf))
    chosen = list(largest[: entries // 2])
    for item in rng.choice(gradient.size, entries, replace=False):
        if len(chosen) < entries and item not in chosen:
            chosen.append(item)
    places = np.transpose(np.unravel_index(chosen, gradient.shape))
    return [*(tuple(map(int, place)) for place in places), DIRECTION]
