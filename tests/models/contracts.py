"""One golden instance per public builder and layer."""

import keras
import numpy as np

from toolkit import models
from toolkit.layers import MAPLoss

RNG = np.random.default_rng(0)

BUILDERS = {
    "lenet5": (
        lambda: models.lenet5((16, 16, 1), classes=3, dropout=0.1),
        RNG.random((8, 16, 16, 1), np.float32),
        RNG.integers(0, 3, 8),
        "sparse_categorical_crossentropy",
    ),
    "lenet5_published": (
        lambda: models.lenet5_published(classes=3),
        RNG.random((8, 32, 32, 1), np.float32),
        RNG.integers(0, 3, 8),
        MAPLoss(),
    ),
    "softmax_regression": (
        lambda: models.softmax_regression((4, 4, 1), classes=3, l2=0.01),
        RNG.random((8, 4, 4, 1), np.float32),
        RNG.integers(0, 3, 8),
        "sparse_categorical_crossentropy",
    ),
    "logistic_regression": (
        lambda: models.logistic_regression((4, 4, 1)),
        RNG.random((8, 4, 4, 1), np.float32),
        RNG.integers(0, 2, 8),
        "binary_crossentropy",
    ),
    "mlp": (
        lambda: models.mlp((4, 4, 1), [6, 5], 3, dropout=0.1, l2=0.01),
        RNG.random((8, 4, 4, 1), np.float32),
        RNG.integers(0, 3, 8),
        "sparse_categorical_crossentropy",
    ),
    "autoencoder": (
        lambda: models.autoencoder((4, 4, 1), [6, 5], 2, "elu", tied=True),
        *2 * (RNG.random((8, 4, 4, 1), np.float32),),
        "mse",
    ),
    "language_model": (
        lambda: models.language_model(7, "peephole_lstm", 5, 2, 4, 0.1),
        RNG.integers(0, 7, (8, 6)),
        RNG.integers(0, 7, (8, 6)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "seq2seq": (
        lambda: models.seq2seq(
            9, 7, "gru", 5, 1, 4, attention="additive", dropout=0.1, tied=True
        ),
        {
            "source": RNG.integers(0, 9, (8, 6)),
            "target": RNG.integers(1, 7, (8, 5)),
        },
        RNG.integers(1, 7, (8, 5)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "next_token_losses": (
        lambda: models.next_token_losses(
            models.language_model(
                7,
                "lstm",
                5,
                embedding=4,
                tied=True,
                objective="sampled_softmax",
                sampled=3,
                counts=[9, *6 * [1]],
            )
        ),
        2 * [RNG.integers(0, 7, (8, 6))],
        None,
        None,
    ),
    "sequence_classifier": (
        lambda: models.sequence_classifier(
            3, 4, "gru", 5, bidirectional=True, masked=True
        ),
        RNG.random((8, 6, 3), np.float32),
        RNG.integers(0, 4, 8),
        "sparse_categorical_crossentropy",
    ),
    "convolutional_autoencoder": (
        lambda: models.convolutional_autoencoder(
            (8, 4, 1), (3, 4), [6], 2, "elu"
        ),
        *2 * (RNG.random((8, 8, 4, 1), np.float32),),
        "mse",
    ),
}

VECTORS = RNG.normal(size=(9, 4))
WORD = RNG.integers(0, 9, 6).astype("int32")

# Builders of models that hold what they are given: nothing is trained.
QUERIES = {
    "word_lookup": (lambda: models.word_lookup(VECTORS), WORD),
    "nearest_words": (lambda: models.nearest_words(VECTORS, k=3), WORD),
    "analogy_words": (
        lambda: models.analogy_words(VECTORS, k=3),
        [WORD, WORD[::-1], (WORD + 4) % 9],
    ),
    "word_queries": (lambda: models.word_queries(VECTORS, k=3), WORD),
}

# Builders of models that write what another model, which is trained, makes
# most of.
SEARCHES = {
    "decoding_model": (
        lambda: models.decoding_model(
            models.seq2seq(9, 7, "gru", 5, 1, 4), 6, beam_width=3
        ),
        RNG.integers(0, 9, (4, 6)).astype("int32"),
    ),
}

# Builders of models that are trained on blocks of text, without a loss.
TEXTS = {"skip_gram": lambda: models.skip_gram([9, 5, 4, 4], 4, window=2)}
