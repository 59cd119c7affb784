"""One golden instance per public layer: arguments and an input."""

import keras
import numpy as np

from toolkit import layers

RNG = np.random.default_rng(0)


def tied(**options):
    """A layer that decodes what another one, which has weights, encodes."""
    encode = keras.layers.Dense(3, use_bias=False)
    encode.build((None, 5))
    return layers.TiedDense(
        encode, "tanh", bias_initializer="random_normal", **options
    )


def steps(**options):
    """The cell, inside the layer that Keras has for cells."""
    cell = layers.PeepholeLSTMCell(4, dtype=options.get("dtype"))
    return keras.layers.RNN(cell, return_sequences=True, **options)


def pairs():
    """Vectors and the words that they predict, two of them padding."""
    rng = np.random.default_rng(1)
    words = rng.integers(0, 5, (4, 6)).astype("int32")
    words[1, 4:] = -1
    return [rng.normal(size=(4, 6, 3)).astype("float32"), words]


def looked_back():
    """States, memory and what was read, the end of it padding."""
    rng = np.random.default_rng(2)
    read = np.array([[4, 2, 3, 0], [1, 0, 0, 0], [5, 5, 5, 5]], "int32")
    return [
        rng.normal(size=(3, 5, 3)).astype("float32"),
        rng.normal(size=(3, 4, 6)).astype("float32"),
        read,
    ]


LAYERS = {
    "PeepholeLSTM": (
        lambda **options: layers.PeepholeLSTM(
            4, return_sequences=True, **options
        ),
        RNG.normal(size=(4, 6, 3)).astype("float32"),
    ),
    "PeepholeLSTMCell": (
        steps,
        RNG.normal(size=(4, 6, 3)).astype("float32"),
    ),
    "NegativeSampling": (
        lambda **options: layers.NegativeSampling(
            5, 3, [8, 1, 0, 4, 4], seed=1, **options
        ),
        pairs(),
    ),
    "GlobalAttention": (
        lambda **options: layers.GlobalAttention("additive", **options),
        looked_back(),
    ),
    "HierarchicalSoftmax": (
        lambda **options: layers.HierarchicalSoftmax(
            5, [8, 1, 0, 4, 4], **options
        ),
        pairs(),
    ),
    "SampledSoftmax": (
        lambda **options: layers.SampledSoftmax(
            5, 3, [8, 1, 0, 4, 4], seed=1, use_bias=True, **options
        ),
        pairs(),
    ),
    "FullSoftmax": (
        lambda **options: layers.FullSoftmax(5, **options),
        pairs(),
    ),
    "TiedDense": (tied, RNG.normal(size=(4, 6, 3)).astype("float32")),
    "ScaledTanh": (
        lambda **options: layers.ScaledTanh(1.5, 0.8, **options),
        RNG.normal(size=(4, 6, 5)).astype("float32"),
    ),
    "TrainableSubsampling2D": (
        lambda **options: layers.TrainableSubsampling2D(
            3,
            coefficient_initializer="random_normal",
            bias_initializer="random_normal",
            **options,
        ),
        RNG.normal(size=(4, 7, 9, 2)).astype("float32"),
    ),
    "ConnectedConv2D": (
        lambda **options: layers.ConnectedConv2D(
            ("XX.", ".XX"), (2, 3), bias_initializer="random_normal", **options
        ),
        RNG.normal(size=(4, 6, 7, 2)).astype("float32"),
    ),
    "RBFOutput": (
        lambda **options: layers.RBFOutput([[1, -1, 1], [2, 0, 0]], **options),
        RNG.normal(size=(4, 3)).astype("float32"),
    ),
}
