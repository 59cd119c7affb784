"""LeNet-5 with a softmax output layer."""

from __future__ import annotations

import keras

from toolkit.errors import ConfigError, closest
from toolkit.models.sizes import check_sizes

POOLING = ("average", "max")


def lenet5(
    input_shape: tuple[int, int, int] = (32, 32, 1),
    classes: int = 10,
    activation: str = "tanh",
    pooling: str = "average",
    dropout: float = 0.0,
    batch_normalization: bool = False,
    name: str = "lenet5",
) -> keras.Model:
    """Builds LeNet-5: two convolutions, two poolings, three dense layers.

    ```
    image      32x32x1
    C1  6 kernels of 5x5, stride 1     28x28x6       156 parameters
    S2  2x2 pooling                    14x14x6         0
    C3  16 kernels of 5x5x6            10x10x16    2,416
    S4  2x2 pooling                      5x5x16        0
    C5  120 units over all of S4           120    48,120
    F6  84 units                            84    10,164
        softmax over `classes`              10       850
    ```

    C3 sees every map of S2, the pooling has no weights and the output is a
    softmax: the form in which the net is taught today. With the defaults it
    has 61,706 parameters.

    Args:
        input_shape: height, width and channels of an image. Height and width
            are at least 16, so that S4 has a pixel left.
        classes: number of classes, at least 2.
        activation: activation of C1, C3, C5 and F6; a Keras name.
        pooling: `average` or `max`.
        dropout: fraction of C5's and F6's units dropped in training, in
            [0, 1).
        batch_normalization: whether each convolution and dense layer but the
            last is followed by a batch normalization (which replaces its
            bias).
        name: the model's name.

    Returns:
        A built Functional model from `image`, float32 `(batch, height, width,
        channels)` with values in [0, 1], to `probabilities`, float32
        `(batch, classes)`.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> from toolkit.models import lenet5
    >>> model = lenet5()
    >>> model.output_shape, model.count_params()
    ((None, 10), 61706)

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition, Proceedings of the IEEE 86 (1998), section II.B.
    """
    input_shape, classes = check_sizes(
        sequences={"input_shape": input_shape}, numbers={"classes": classes}
    )
    if len(input_shape) != 3 or min(input_shape[:2]) < 16:
        raise ConfigError(
            "`input_shape` must be (height, width, channels) with at least "
            f"16 rows and columns. Received: input_shape={input_shape}. "
            "Resize the images, for example to 32x32."
        )
    if classes < 2:
        raise ConfigError(
            f"`classes` must be at least 2. Received: classes={classes}."
        )
    if pooling not in POOLING:
        raise ConfigError(
            f'`pooling` must be "average" or "max". Received: '
            f'pooling="{pooling}".{closest(pooling, POOLING)}'
        )
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(
            f"`dropout` must be in [0, 1). Received: dropout={dropout}."
        )
    pool = {
        "average": keras.layers.AveragePooling2D,
        "max": keras.layers.MaxPooling2D,
    }[pooling]

    def block(x, layer, label):
        layer = layer(use_bias=not batch_normalization, name=label)
        x = layer(x)
        if batch_normalization:
            x = keras.layers.BatchNormalization(name=f"{label}_normalized")(x)
        return keras.layers.Activation(activation, name=f"{label}_active")(x)

    def convolution(filters):
        return lambda **options: keras.layers.Conv2D(filters, 5, **options)

    def dense(units):
        return lambda **options: keras.layers.Dense(units, **options)

    image = keras.Input(input_shape, name="image")
    x = block(image, convolution(6), "c1")
    x = pool(2, name="s2")(x)
    x = block(x, convolution(16), "c3")
    x = pool(2, name="s4")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for units, label in ((120, "c5"), (84, "f6")):
        x = block(x, dense(units), label)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"{label}_dropout")(x)
    # Mixed precision: probabilities stay in float32.
    probabilities = keras.layers.Dense(
        classes, activation="softmax", dtype="float32", name="probabilities"
    )(x)
    return keras.Model(image, probabilities, name=name)
