"""LeNet-5 as it was published in 1998."""

from __future__ import annotations

import keras
import numpy as np

from toolkit.errors import ConfigError
from toolkit.layers import (
    LENET5_C3,
    ConnectedConv2D,
    RBFOutput,
    ScaledTanh,
    TrainableSubsampling2D,
    digit_codes,
)

FEATURES = 84


def lenet5_published(
    classes: int = 10,
    codes: np.ndarray | None = None,
    name: str = "lenet5_published",
) -> keras.Model:
    """Builds LeNet-5 with everything that the paper describes.

    ```
    image      32x32x1
    C1  6 kernels of 5x5                        28x28x6       156 parameters
    S2  2x2 sums, a weight and a bias per map   14x14x6        12
    C3  16 maps, each seeing some maps of S2    10x10x16    1,516
    S4  2x2 sums, a weight and a bias per map     5x5x16       32
    C5  120 kernels of 5x5x16                    1x1x120   48,120
    F6  84 units                                      84   10,164
        penalties: squared distances from codes        10      840, fixed
    ```

    Each layer up to F6 is followed by the scaled tanh; weights start uniform
    within 2.4 / (inputs of the unit). Train it with `MAPLoss` on images whose
    ground is -0.1 and whose ink is 1.175, as the paper does.

    Args:
        classes: number of classes, at least 2.
        codes: `(classes, 84)`, what F6 should answer for each class; by
            default `digit_codes(classes)`.
        name: the model's name.

    Returns:
        A built Functional model from `image`, float32 `(batch, 32, 32, 1)`,
        to `penalties`, float32 `(batch, classes)`: the smallest one is the
        answer.

    Raises:
        ConfigError: codes that do not fit the classes.

    Example:
    >>> from toolkit.models import lenet5_published
    >>> model = lenet5_published()
    >>> model.output_shape, model.count_params()
    ((None, 10), 60840)

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition, Proceedings of the IEEE 86 (1998), section II.B.
    """
    if codes is None:
        codes = digit_codes(classes, FEATURES)
    codes = np.asarray(codes, np.float32)
    if codes.shape != (classes, FEATURES):
        raise ConfigError(
            f"`codes` must be ({classes}, {FEATURES}). Received: {codes.shape}."
        )

    def uniform(inputs: int) -> keras.initializers.Initializer:
        return keras.initializers.RandomUniform(-2.4 / inputs, 2.4 / inputs)

    image = keras.Input((32, 32, 1), name="image")
    x = keras.layers.Conv2D(6, 5, kernel_initializer=uniform(25), name="c1")(
        image
    )
    x = ScaledTanh(name="c1_squashed")(x)
    x = TrainableSubsampling2D(2, name="s2")(x)
    x = ScaledTanh(name="s2_squashed")(x)
    x = ConnectedConv2D(LENET5_C3, 5, name="c3")(x)
    x = ScaledTanh(name="c3_squashed")(x)
    x = TrainableSubsampling2D(2, name="s4")(x)
    x = ScaledTanh(name="s4_squashed")(x)
    x = keras.layers.Conv2D(120, 5, kernel_initializer=uniform(400), name="c5")(
        x
    )
    x = ScaledTanh(name="c5_squashed")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(
        FEATURES, kernel_initializer=uniform(120), name="f6"
    )(x)
    # Mixed precision: distances stay in float32.
    x = ScaledTanh(dtype="float32", name="f6_squashed")(x)
    penalties = RBFOutput(codes, dtype="float32", name="penalties")(x)
    return keras.Model(image, penalties, name=name)
