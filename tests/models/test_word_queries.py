"""Models that answer questions about words, against `WordVectors`."""

import keras
import numpy as np
import pytest

from tests.models.contracts import QUERIES
from toolkit.errors import ConfigError
from toolkit.models import (
    analogy_words,
    nearest_words,
    word_lookup,
    word_queries,
)
from toolkit.text import Vocabulary, WordVectors


def flat(answer):
    return [np.asarray(part) for part in keras.tree.flatten(answer)]


@pytest.fixture(scope="module")
def vectors():
    """Vectors of all lengths, one of zeros."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 12)) * rng.lognormal(0, 2, size=(300, 1))
    table[7] = 0
    return WordVectors(Vocabulary([f"w{n}" for n in range(300)]), table)


@pytest.fixture(scope="module")
def model(vectors):
    return word_queries(vectors.vectors, k=6)


def told(answer, row, words):
    """One row of an answer as `WordVectors` gives it."""
    numbers, values = answer["neighbours"][row], answer["similarities"][row]
    return [
        (words[int(number)], float(value))
        for number, value in zip(numbers, values, strict=True)
    ]


def same(found, expected):
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose(
        [value for _, value in found],
        [value for _, value in expected],
        atol=1e-6,
    )


@pytest.mark.parametrize("name", QUERIES)
def test_model_of_queries_survives_saving(name, tmp_path):
    build, inputs = QUERIES[name]
    model = build()
    assert not model.trainable_weights
    expected = model.predict(inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights) == 2
    for got, wanted in zip(
        flat(loaded.predict(inputs, verbose=0)), flat(expected), strict=True
    ):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", QUERIES)
def test_mixed_precision_changes_no_answer(name):
    build, inputs = QUERIES[name]
    expected = flat(build()(inputs))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = flat(build()(inputs))
    finally:
        keras.config.set_dtype_policy("float32")
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_names_and_types_are_those_that_are_promised(model):
    assert model.name == "word2vec" and model.output_names == ["vectors"]
    words = np.array([1, 2], "int32")
    assert model.inputs[0].dtype == "int32" and model.inputs[0].shape == (None,)
    assert model(words).dtype == "float32"
    assert [t.name for t in model.neighbours.inputs] == ["words"]
    assert [t.name for t in model.analogy.inputs] == ["word1", "word2", "word3"]
    for part, inputs in (
        (model.neighbours, words),
        (model.analogy, 3 * [words]),
    ):
        answer = part(inputs)
        assert set(answer) == {"neighbours", "similarities"}
        assert answer["neighbours"].dtype == "int32"
        assert answer["similarities"].dtype == "float32"
        assert answer["neighbours"].shape == (2, 6)


def test_lookup_returns_the_vectors(vectors, model):
    numbers = np.arange(300, dtype="int32")
    for found in (model(numbers), word_lookup(vectors.vectors)(numbers)):
        np.testing.assert_allclose(found, vectors.vectors, rtol=3e-7)


def test_minus_one_is_the_last_word_as_in_keras(vectors, model):
    np.testing.assert_allclose(
        model(np.array([-1])), vectors.vectors[-1:], rtol=3e-7
    )


def test_neighbours_are_those_of_word_vectors(vectors, model):
    numbers = [n for n in range(300) if n != 7]
    answer = model.neighbours(np.array(numbers, "int32"))
    for row, number in enumerate(numbers):
        same(
            told(answer, row, vectors.vocabulary.words),
            vectors.neighbours(f"w{number}", 6),
        )


def test_analogies_are_those_of_word_vectors(vectors, model):
    asked = np.random.default_rng(1).integers(0, 300, (3, 200)).astype("int32")
    asked[1, :20] = asked[0, :20]  # the same word twice
    asked[2, 10:20] = asked[0, 10:20]  # and three times
    answer = model.analogy(list(asked))
    for row, numbers in enumerate(asked.T):
        if 7 in numbers:
            continue
        same(
            told(answer, row, vectors.vocabulary.words),
            vectors.analogy(*(f"w{n}" for n in numbers), k=6),
        )


def test_of_equal_words_the_lower_number_comes_first():
    points = np.eye(3)[[0, 1, 1, 2, 1, 0]] * np.array([[1], [2], [4]] * 2)
    answer = nearest_words(points, k=5)(np.array([2, 0]))
    assert answer["neighbours"].numpy().tolist() == [
        [1, 4, 0, 3, 5],
        [5, 1, 2, 3, 4],
    ]
    assert answer["similarities"].numpy().tolist() == [
        [1, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
    ]


def test_words_without_a_direction_are_no_answer_and_get_none():
    points = np.array([[1, 0], [0, 0], [-1, 0], [0, 0]])
    answer = nearest_words(points, k=4)(np.array([0, 1]))
    assert answer["similarities"].numpy().tolist() == [
        [-1, -2, -2, -2],
        [-2, -2, -2, -2],
    ]
    assert answer["neighbours"].numpy()[0, 0] == 2
    analogy = analogy_words(points, k=2)
    asked = [np.array([n]) for n in (0, 0, 1)]  # the sum is zeros
    assert analogy(asked)["similarities"].numpy().tolist() == [[-2, -2]]


def test_very_long_and_very_short_vectors_have_a_direction():
    points = np.array([[3e30, 4e30], [3e-30, 4e-30], [0, 2e-38]], "float32")
    answer = nearest_words(points, k=2)(np.array([0]))
    assert answer["neighbours"].numpy().tolist() == [[1, 2]]
    np.testing.assert_allclose(answer["similarities"], [[1, 0.8]], atol=1e-6)
    np.testing.assert_allclose(
        word_lookup(points)(np.arange(3)), points, rtol=3e-7
    )


def test_models_may_share_a_table(vectors):
    lookup = word_lookup(vectors.vectors)
    table = lookup.get_layer("vectors")
    nearest, analogy = nearest_words(table, k=2), analogy_words(table, k=2)
    weights = {id(w) for m in (lookup, nearest, analogy) for w in m.weights}
    assert len(weights) == 2


def test_loaded_models_still_share_their_table(model, tmp_path):
    model.save(tmp_path / "words.keras")
    loaded = keras.models.load_model(tmp_path / "words.keras")
    table = loaded.get_layer("vectors")
    for part in (loaded.neighbours, loaded.analogy):
        assert part.get_layer("vectors") is table
    table.lengths.embeddings.assign(2 * table.lengths.embeddings)
    number = np.array([3])
    np.testing.assert_array_equal(loaded(number), 2 * model(number))


@pytest.mark.parametrize("build", [word_queries, nearest_words, analogy_words])
@pytest.mark.parametrize(
    ("vectors", "k", "message"),
    [
        (np.ones((3, 2)), 4, "at most the number of words, 3. Received: k=4"),
        (np.ones((3, 2)), 0, "`k` must be a positive integer. Received: k=0"),
        (np.ones((3, 2)), 1.5, "`k` must be a positive integer"),
        (np.ones(3), 1, r"must be numbers of shape \(words, size\).*\(3,\)"),
        (np.array([["a"]]), 1, "must be numbers of shape"),
        (np.ones((0, 2)), 1, r"Received: float64 of shape \(0, 2\)"),
        (
            np.array([[1.0], [np.nan]]),
            1,
            "finite and of a length.*Row 1 is not",
        ),
        (
            np.array([[1.0], [1e300]]),
            1,
            "to 3.4e.38, which float32 holds. Row 1",
        ),
        (np.array([[1.0], [1e-40]]), 1, "from 1.2e-38 to .* Row 1 is not"),
    ],
)
def test_what_makes_no_queries_is_refused(build, vectors, k, message):
    with pytest.raises(ConfigError, match=message):
        build(vectors, k)
