"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.errors import ConfigError
from toolkit.models.sizes import check_sizes


def mlp(
    input_shape: tuple[int, ...],
    hidden: Sequence[int],
    outputs: int,
    activation: str = "sigmoid",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l2: float = 0.0,
    hidden_initializer="glorot_uniform",
    output_initializer="glorot_uniform",
    name: str = "mlp",
) -> keras.Model:
    """Builds a feed-forward net of dense layers (multilayer perceptron).

    ```
    h_1 = activation(W_1 x + b_1), ..., h_n = activation(W_n h_(n-1) + b_n)
    y   = output_activation(V h_n + c)
    ```

    Args:
        input_shape: shape of one example; all its numbers are the features.
        hidden: units of each hidden layer, first to last; may be empty.
        outputs: output units.
        activation: of the hidden layers, a Keras name.
        output_activation: of the output layer: `softmax` for one of several
            classes, `sigmoid` for numbers in (0, 1), `linear` for any.
        dropout: fraction of each hidden layer's units dropped in training,
            in [0, 1).
        l2: weight of the penalty `l2 * sum(w ** 2)` on the kernels.
        hidden_initializer: of the hidden kernels. Zeros are possible for a
            single hidden layer whose `output_initializer` is random.
        output_initializer: of the output kernel.
        name: the model's name.

    Returns:
        A built Functional model from `image` (three axes) or `features`,
        float32 `(batch, *input_shape)`, to `probabilities` (softmax) or
        `outputs`, float32 `(batch, outputs)`. The hidden layers are called
        `hidden_1`, `hidden_2`, ...

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> from toolkit.models import mlp
    >>> model = mlp((32, 30, 1), hidden=[3], outputs=4)
    >>> model.output_shape, model.count_params()
    ((None, 4), 2899)

    Source: T. Mitchell: Machine learning (1997), chapter 4; D. Rumelhart,
    G. Hinton, R. Williams: Learning representations by back-propagating
    errors, Nature 323 (1986).
    """
    input_shape, hidden, outputs = check_sizes(
        sequences={"input_shape": input_shape, "hidden": hidden},
        numbers={"outputs": outputs},
    )
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(
            f"`dropout` must be in [0, 1). Received: dropout={dropout}."
        )
    if l2 < 0:
        raise ConfigError(f"`l2` must be at least 0. Received: l2={l2}.")

    def dense(units, initializer, **options):
        return keras.layers.Dense(
            units,
            kernel_initializer=fresh(initializer),
            kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
            **options,
        )

    inputs = keras.Input(
        input_shape, name="image" if len(input_shape) == 3 else "features"
    )
    x = inputs
    if len(input_shape) > 1:
        x = keras.layers.Flatten(name="flatten")(x)
    for number, units in enumerate(hidden, 1):
        label = f"hidden_{number}"
        x = dense(units, hidden_initializer, activation=activation, name=label)(
            x
        )
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"{label}_dropout")(x)
    x = dense(
        outputs,
        output_initializer,
        activation=output_activation,
        dtype="float32",  # mixed precision: answers stay in float32
        name="probabilities" if output_activation == "softmax" else "outputs",
    )(x)
    return keras.Model(inputs, x, name=name)


def fresh(initializer):
    """Returns an initializer to be used once: a copy if it is an object."""
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.__class__.from_config(initializer.get_config())
    return initializer
