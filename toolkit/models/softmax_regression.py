"""Softmax regression, and logistic regression as its two-class form."""

from __future__ import annotations

import keras

from toolkit.errors import ConfigError
from toolkit.models.sizes import check_sizes


def softmax_regression(
    input_shape: tuple[int, ...],
    classes: int,
    l2: float = 0.0,
    name: str = "softmax_regression",
) -> keras.Model:
    """Builds softmax (multinomial logistic) regression.

    ```
    p(y = r | x) = exp(w_r . x + b_r) / sum_s exp(w_s . x + b_s)
    ```

    Args:
        input_shape: shape of one example; all its numbers are the features.
        classes: number of classes R, at least 2.
        l2: weight of the penalty `l2 * sum(w ** 2)`, at least 0.
        name: the model's name.

    Returns:
        A built Functional model from `image`, float32 `(batch,
        *input_shape)`, to `probabilities`, float32 `(batch, classes)`.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> from toolkit.models import softmax_regression
    >>> softmax_regression((8, 8, 1), classes=10).count_params()
    650

    Source: T. Mitchell, A. Moore: course notes of 10-601, logistic
    regression; C. Bishop: Pattern recognition and machine learning (2006),
    section 4.3.4.
    """
    (classes,) = check_sizes(numbers={"classes": classes})
    if classes < 2:
        raise ConfigError(
            f"`classes` must be at least 2. Received: classes={classes}. For "
            "two classes with a single output use `logistic_regression`."
        )
    return _linear(input_shape, classes, "softmax", "probabilities", l2, name)


def logistic_regression(
    input_shape: tuple[int, ...],
    l2: float = 0.0,
    name: str = "logistic_regression",
) -> keras.Model:
    """Builds logistic regression: two classes, one sigmoid unit.

    ```
    p(y = 1 | x) = 1 / (1 + exp(-(w . x + b)))
    ```

    It equals the softmax over two classes whose weights differ by `w` and
    whose biases differ by `b`.

    Args:
        input_shape: shape of one example; all its numbers are the features.
        l2: weight of the penalty `l2 * sum(w ** 2)`, at least 0.
        name: the model's name.

    Returns:
        A built Functional model from `image`, float32 `(batch,
        *input_shape)`, to `probability`, float32 `(batch, 1)`.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> from toolkit.models import logistic_regression
    >>> logistic_regression((8, 8, 1)).output_shape
    (None, 1)

    Source: C. Bishop: Pattern recognition and machine learning (2006),
    section 4.3.2.
    """
    return _linear(input_shape, 1, "sigmoid", "probability", l2, name)


def _linear(input_shape, units, activation, output, l2, name) -> keras.Model:
    (input_shape,) = check_sizes(sequences={"input_shape": input_shape})
    if l2 < 0:
        raise ConfigError(f"`l2` must be at least 0. Received: l2={l2}.")
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Flatten(name="flatten")(image)
    x = keras.layers.Dense(
        units,
        activation=activation,
        # The loss is convex: zero is as good a start as any, and repeatable.
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
        dtype="float32",
        name=output,
    )(x)
    return keras.Model(image, x, name=name)
