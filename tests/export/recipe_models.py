"""The models of all recipes, small, with random weights."""

from __future__ import annotations

from functools import partial

from tests.export.user_models import randomize
from toolkit import models


def _random(model, **options):
    return randomize(model), options


def _autoencoder():
    model = models.autoencoder((6, 4, 1), [9], 2, "elu", tied=True)
    return _random(model, signatures=["encoder", "decoder"])


def _word2vec():
    from tests.export.conftest import word_vectors

    model = models.word_queries(word_vectors().vectors, 5)
    return model, {"signatures": ["neighbours", "analogy"]}


def _language_model(cell):
    model = models.language_model(30, cell, units=8, embedding=5)
    return _random(model, streaming=True)


def _seq2seq(cell="gru"):
    model = models.seq2seq(9, 12, cell, 6, embedding=5)
    return _random(models.decoding_model(model, 6))


RECIPE_MODELS = {
    "softmax_regression": lambda: _random(
        models.softmax_regression((8, 8, 1), classes=10)
    ),
    "encoder_8_3_8": lambda: _random(models.mlp((8,), [3], 8)),
    "lenet5": lambda: _random(models.lenet5()),
    "lenet5_published": lambda: _random(models.lenet5_published()),
    "autoencoder": _autoencoder,
    "word2vec": _word2vec,
    **{
        f"language_model_{cell}": partial(_language_model, cell)
        for cell in ("elman", "gru", "lstm", "peephole_lstm")
    },
    "sequence_classifier": lambda: _random(models.sequence_classifier(30, 3)),
    "seq2seq": _seq2seq,
}
