"""Autoencoders: dense, tied, convolutional."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from toolkit.errors import ConfigError
from toolkit.layers import TiedDense, TiedModel
from toolkit.models.mlp import fresh
from toolkit.models.sizes import check_sizes


def autoencoder(
    input_shape: tuple[int, ...],
    hidden: Sequence[int] = (1000, 500, 250),
    code: int = 30,
    activation: str = "relu",
    code_activation: str = "linear",
    output_activation: str = "sigmoid",
    tied: bool = False,
    kernel_initializer="glorot_uniform",
    bias_initializer="zeros",
    name: str = "autoencoder",
) -> keras.Model:
    """Builds an autoencoder of dense layers.

    ```
    encoder  x -> hidden_1 -> ... -> hidden_n -> code
    decoder  code -> hidden_n -> ... -> hidden_1 -> reconstruction of x
    ```

    Encoder and decoder are models inside the model, called `encoder` and
    `decoder`: `model.get_layer("encoder").predict(x)` gives codes, and
    `export.export(model, ..., signatures=["encoder", "decoder"])` lets both
    leave beside the whole.

    Args:
        input_shape: shape of one example.
        hidden: units of the encoder's layers, first to last; the decoder has
            them in reverse. May be empty.
        code: width of the code, below the number of inputs.
        activation: of the hidden layers, a Keras name.
        code_activation: of the code.
        output_activation: of the reconstruction; `sigmoid` for values in
            [0, 1], `linear` for any.
        tied: whether each layer of the decoder uses the transposed kernel of
            its counterpart in the encoder.
        kernel_initializer: of every kernel.
        bias_initializer: of every bias.
        name: the model's name.

    Returns:
        A built Functional model from `image` (three axes) or `features`,
        float32 `(batch, *input_shape)`, to `reconstruction` of the same
        shape.

    Raises:
        ConfigError: an argument outside its range, such as a code as wide as
            the input.

    Example:
    >>> from toolkit.models import autoencoder
    >>> model = autoencoder((28, 28, 1), hidden=[100], code=2)
    >>> model.output_shape, model.get_layer("encoder").output_shape
    ((None, 28, 28, 1), (None, 2))

    Source: G. Hinton, R. Salakhutdinov: Reducing the dimensionality of data
    with neural networks, Science 313 (2006).
    """
    input_shape, hidden, code = check_sizes(
        sequences={"input_shape": input_shape, "hidden": hidden},
        numbers={"code": code},
    )
    _check_code(code, input_shape)

    def dense(units, active, label):
        return keras.layers.Dense(
            units,
            activation=active,
            kernel_initializer=fresh(kernel_initializer),
            bias_initializer=fresh(bias_initializer),
            name=label,
        )

    # Encoder
    inputs = _input(input_shape)
    x = inputs
    if len(input_shape) > 1:
        x = keras.layers.Flatten(name="flatten")(x)
    layers = []
    for number, units in enumerate(hidden, 1):
        layers.append(dense(units, activation, f"encode_{number}"))
        x = layers[-1](x)
    layers.append(dense(code, code_activation, "code"))
    encoder = keras.Model(inputs, layers[-1](x), name="encoder")

    # Decoder
    codes = keras.Input((code,), name="code")
    x = codes
    widths = [math.prod(input_shape), *hidden]
    for number in reversed(range(len(widths))):
        last = number == 0
        active = output_activation if last else activation
        label = "decode_last" if last else f"decode_{number}"
        if tied:
            layer = TiedDense(
                layers[number],
                activation=active,
                bias_initializer=fresh(bias_initializer),
                name=label,
            )
        else:
            layer = dense(widths[number], active, label)
        x = layer(x)
    x = _reconstruction(x, input_shape)
    decoder = keras.Model(codes, x, name="decoder")
    return _join(encoder, decoder, name, TiedModel if tied else keras.Model)


def convolutional_autoencoder(
    input_shape: tuple[int, int, int],
    filters: Sequence[int] = (32, 64),
    hidden: Sequence[int] = (),
    code: int = 30,
    activation: str = "relu",
    output_activation: str = "sigmoid",
    kernel_size: int = 3,
    name: str = "convolutional_autoencoder",
) -> keras.Model:
    """Builds an autoencoder of convolutions that halve and double the image.

    ```
    encoder  image -> convolutions with stride 2 -> dense layers -> code
    decoder  code -> dense layers -> transposed convolutions -> image
    ```

    Args:
        input_shape: height, width and channels; height and width are
            multiples of `2 ** len(filters)`.
        filters: maps of each convolution of the encoder, at least one; the
            decoder has them in reverse.
        hidden: units of dense layers between the last maps and the code.
        code: width of the code, below the number of inputs.
        activation: of all layers but code and reconstruction, a Keras name.
        output_activation: of the reconstruction.
        kernel_size: height and width of the kernels.
        name: the model's name.

    Returns:
        A built Functional model from `image`, float32 `(batch,
        *input_shape)`, to `reconstruction` of the same shape, with the models
        `encoder` and `decoder` inside, as `autoencoder` has them.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> from toolkit.models import convolutional_autoencoder
    >>> model = convolutional_autoencoder((28, 28, 1), filters=[8, 16], code=2)
    >>> model.output_shape, model.get_layer("decoder").input_shape
    ((None, 28, 28, 1), (None, 2))

    Source: J. Masci, U. Meier, D. Ciresan, J. Schmidhuber: Stacked
    convolutional auto-encoders for hierarchical feature extraction (2011);
    strided convolutions as in A. Radford, L. Metz, S. Chintala: Unsupervised
    representation learning with deep convolutional generative adversarial
    networks (2015).
    """
    input_shape, filters, hidden, code, kernel_size = check_sizes(
        sequences={
            "input_shape": input_shape,
            "filters": filters,
            "hidden": hidden,
        },
        numbers={"code": code, "kernel_size": kernel_size},
    )
    factor = 2 ** len(filters)
    if len(input_shape) != 3 or any(n % factor for n in input_shape[:2]):
        raise ConfigError(
            "`input_shape` must be (height, width, channels) with height and "
            f"width multiples of {factor}, which {len(filters)} convolutions "
            "halve. Received: "
            f"input_shape={input_shape}, filters={list(filters)}."
        )
    _check_code(code, input_shape)
    height, width, channels = input_shape
    small = (height // factor, width // factor, filters[-1])

    # Encoder
    inputs = _input(input_shape)
    x = inputs
    for number, maps in enumerate(filters, 1):
        x = keras.layers.Conv2D(
            maps,
            kernel_size,
            strides=2,
            padding="same",
            activation=activation,
            name=f"encode_maps_{number}",
        )(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for number, units in enumerate(hidden, 1):
        x = keras.layers.Dense(
            units, activation=activation, name=f"encode_{number}"
        )(x)
    encoder = keras.Model(
        inputs, keras.layers.Dense(code, name="code")(x), name="encoder"
    )

    # Decoder
    codes = keras.Input((code,), name="code")
    x = codes
    for number, units in reversed(list(enumerate(hidden, 1))):
        x = keras.layers.Dense(
            units, activation=activation, name=f"decode_{number}"
        )(x)
    x = keras.layers.Dense(
        math.prod(small), activation=activation, name="decode_maps"
    )(x)
    x = keras.layers.Reshape(small, name="maps")(x)
    for number, maps in reversed(list(enumerate([channels, *filters[:-1]], 1))):
        x = keras.layers.Conv2DTranspose(
            maps,
            kernel_size,
            strides=2,
            padding="same",
            activation=output_activation if number == 1 else activation,
            name=f"decode_maps_{number}",
        )(x)
    x = keras.layers.Identity(name="reconstruction", dtype="float32")(x)
    decoder = keras.Model(codes, x, name="decoder")
    return _join(encoder, decoder, name, keras.Model)


def _check_code(code: int, input_shape: tuple[int, ...]) -> None:
    width = math.prod(input_shape)
    if code >= width:
        raise ConfigError(
            f"`code` must be narrower than the input of {width} numbers, or "
            f"there is nothing to learn. Received: code={code}."
        )


def _input(input_shape: tuple[int, ...]):
    name = "image" if len(input_shape) == 3 else "features"
    return keras.Input(input_shape, name=name)


def _reconstruction(x, input_shape: tuple[int, ...]):
    # Mixed precision: what comes out is float32.
    if len(input_shape) == 1:
        return keras.layers.Identity(name="reconstruction", dtype="float32")(x)
    return keras.layers.Reshape(
        input_shape, name="reconstruction", dtype="float32"
    )(x)


def _join(encoder, decoder, name: str, model_class) -> keras.Model:
    inputs = _input(encoder.input_shape[1:])
    x = decoder(encoder(inputs))
    x = keras.layers.Identity(name="reconstruction", dtype="float32")(x)
    return model_class(inputs, x, name=name)
