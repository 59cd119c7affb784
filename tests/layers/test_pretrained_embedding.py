import keras
import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.layers import pretrained_embedding
from toolkit.text import Vocabulary, WordVectors

WORDS = ["the", "cat", "sat", "mat"]
TABLE = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
VECTORS = WordVectors(Vocabulary(WORDS), TABLE)


@pytest.mark.parametrize("vectors", [TABLE, TABLE.tolist(), VECTORS])
def test_without_a_vocabulary_rows_stay_in_their_order(vectors):
    layer = pretrained_embedding(vectors)
    assert type(layer) is keras.layers.Embedding
    assert layer.built
    assert layer.unknown_words == ()
    np.testing.assert_array_equal(layer(np.array([2, 0])), TABLE[[2, 0]])


@pytest.mark.parametrize(
    "vocabulary",
    [["sat", "the", "cat"], Vocabulary(["sat", "the", "cat"]), iter("x")],
    ids=["list", "vocabulary", "iterator"],
)
def test_rows_are_picked_by_word(vocabulary):
    if not isinstance(vocabulary, (list, Vocabulary)):
        vocabulary = iter(["sat", "the", "cat"])
    layer = pretrained_embedding(VECTORS, vocabulary)
    np.testing.assert_array_equal(
        layer(np.array([[0, 1, 2]])), TABLE[None, [2, 0, 1]]
    )


def test_words_of_text_vectorization_meet_their_vectors():
    vectorize = keras.layers.TextVectorization(output_sequence_length=4)
    vectorize.adapt(["the cat sat", "the dog sat"])
    words = vectorize.get_vocabulary()
    layer = pretrained_embedding(VECTORS, words, mask_zero=True)
    ids = vectorize(["The cat, the dog", "sat"])
    found = np.asarray(layer(ids))
    zeros = np.zeros(3)
    expected = [[TABLE[0], TABLE[1], TABLE[0], zeros], [TABLE[2]] + [zeros] * 3]
    np.testing.assert_array_equal(found, expected)
    assert set(layer.unknown_words) == {"", "[UNK]", "dog"}
    np.testing.assert_array_equal(layer.compute_mask(ids), np.asarray(ids) > 0)


def test_unknown_words_get_the_rows_asked_for():
    words = ["dog", "cat", "cow"]
    options = {
        "unknown_initializer": keras.initializers.RandomNormal(0.0, 0.1, seed=4)
    }
    layer = pretrained_embedding(VECTORS, words, **options)
    table = np.asarray(layer.embeddings)
    np.testing.assert_array_equal(table[1], TABLE[1])
    assert 0 < np.abs(table[[0, 2]]).max() < 1
    assert (table[0] != table[2]).all()
    assert layer.unknown_words == ("dog", "cow")
    options["unknown_initializer"] = keras.initializers.RandomNormal(
        0.0, 0.1, seed=4
    )
    again = pretrained_embedding(VECTORS, words, **options)
    np.testing.assert_array_equal(again.embeddings, table)
    np.testing.assert_array_equal(VECTORS.vectors, TABLE)  # were not touched


@pytest.mark.parametrize("trainable", [True, False])
def test_only_a_trainable_one_is_changed_by_training(trainable):
    layer = pretrained_embedding(VECTORS, WORDS, trainable, name="words")
    assert layer.name == "words"
    assert len(layer.trainable_weights) == trainable
    model = keras.Sequential(
        [layer, keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    model.fit(np.array([[0, 1], [2, 3]]), np.ones(2), verbose=0)
    changed = (np.asarray(layer.embeddings) != TABLE).any()
    assert changed == trainable


@pytest.mark.parametrize("trainable", [True, False])
def test_saved_model_needs_no_vectors(trainable, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    layer = pretrained_embedding(VECTORS, ["", *WORDS[::-1]], trainable)
    keras.Model(ids, layer(ids)).save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    x = np.array([[4, 3, 0]])
    np.testing.assert_array_equal(loaded(x), layer(x))
    assert type(loaded.layers[-1]) is keras.layers.Embedding
    assert loaded.layers[-1].trainable == trainable


def test_it_refuses():
    with pytest.raises(ConfigError, match="which word a row belongs to"):
        pretrained_embedding(TABLE, WORDS)
    with pytest.raises(DataError, match="None of the 2 words.*differ in case"):
        pretrained_embedding(VECTORS, ["CAT", "SAT"])
    for vocabulary in ("cat", [], [b"cat"], [1, 2]):
        with pytest.raises(ConfigError, match="must be a list of words"):
            pretrained_embedding(VECTORS, vocabulary)
    for array in (TABLE[0], np.zeros((0, 3)), np.zeros((2, 0))):
        with pytest.raises(DataError, match="array \\(words, size\\)"):
            pretrained_embedding(array)
    with pytest.raises(DataError, match="Row 1 is not"):
        pretrained_embedding([[1.0, 2.0], [np.nan, 3.0]])
