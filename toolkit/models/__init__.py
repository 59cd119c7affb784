"""Builders: flat arguments in, a built `keras.Model` out."""

from toolkit.models.autoencoder import autoencoder, convolutional_autoencoder
from toolkit.models.decoding import decoding_model
from toolkit.models.language_model import language_model, next_token_losses
from toolkit.models.lenet5 import lenet5
from toolkit.models.lenet5_published import lenet5_published
from toolkit.models.mlp import mlp
from toolkit.models.seq2seq import seq2seq
from toolkit.models.sequence_classifier import sequence_classifier
from toolkit.models.skip_gram import skip_gram
from toolkit.models.softmax_regression import (
    logistic_regression,
    softmax_regression,
)
from toolkit.models.word_queries import (
    analogy_words,
    nearest_words,
    word_lookup,
    word_queries,
)

__all__ = [
    "analogy_words",
    "autoencoder",
    "convolutional_autoencoder",
    "decoding_model",
    "language_model",
    "lenet5",
    "lenet5_published",
    "logistic_regression",
    "mlp",
    "nearest_words",
    "next_token_losses",
    "seq2seq",
    "sequence_classifier",
    "skip_gram",
    "softmax_regression",
    "word_lookup",
    "word_queries",
]
