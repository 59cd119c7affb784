"""Neighbours and analogies, held against gensim."""

import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.text import Vocabulary, WordVectors

WORDS = [f"w{i}" for i in range(200)]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.1, 9.0, (200, 1))
    return WordVectors(Vocabulary(WORDS), rng.normal(size=(200, 8)) * scale)


@pytest.fixture(scope="module")
def peer(vectors):
    from gensim.models import KeyedVectors

    peer = KeyedVectors(vectors.size)
    peer.add_vectors(WORDS, vectors.vectors)
    return peer


def same(found, expected):
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose(
        [score for _, score in found],
        [score for _, score in expected],
        rtol=2e-6,
    )


def test_neighbours_are_those_of_gensim(vectors, peer):
    for word in WORDS[:20]:
        same(vectors.neighbours(word, 7), peer.most_similar(word, topn=7))
    query = np.arange(8.0)
    same(vectors.neighbours(query), peer.similar_by_vector(query))
    assert vectors.similarity("w3", "w4") == pytest.approx(
        peer.similarity("w3", "w4"), abs=1e-6
    )


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
def test_analogies_are_those_of_gensim(vectors, peer):
    rng = np.random.default_rng(1)
    for first, second, third in rng.choice(WORDS, (20, 3)):
        ask = {"positive": [second, third], "negative": [first], "topn": 5}
        found = vectors.analogy(first, second, third, 5)
        same(found, peer.most_similar(**ask))
        found = vectors.analogy(first, second, third, 5, "3cosmul")
        same(found, peer.most_similar_cosmul(**ask))


def test_words_and_lists_of_words_have_vectors(vectors):
    assert vectors.vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors["w3"], vectors.vectors[3])
    np.testing.assert_array_equal(
        vectors[["w5", "w3"]], vectors.vectors[[5, 3]]
    )
    assert "w3" in vectors and "x" not in vectors
    assert (len(vectors), vectors.size) == (200, 8)
    with pytest.raises(DataError, match='"wx" is not in'):
        vectors["wx"]


def test_float32_vectors_are_not_copied():
    values = np.ones((2, 3), np.float32)
    assert WordVectors(Vocabulary(["a", "b"]), values).vectors is values


def test_unit_vectors_of_any_size_and_zeros_stay_zeros():
    values = np.array([[3, 4], [0, 0], [3e30, -4e30], [3e-38, 4e-38]])
    found = WordVectors(Vocabulary(list("abcd")), values)
    expected = [[0.6, 0.8], [0, 0], [0.6, -0.8], [0.6, 0.8]]
    np.testing.assert_allclose(found.normalized, expected, rtol=1e-6)
    assert found.normalized is found.normalized
    assert found.similarity("a", "b") == 0.0
    # Zeros are nobody's neighbours, though others point away.
    assert [w for w, _ in found.neighbours("a")] == ["d", "c"]
    for method in ("3cosadd", "3cosmul"):
        assert [w for w, _ in found.analogy("a", "d", "a", 9, method)] == ["c"]
    with pytest.raises(DataError, match='"b" has no neighbours.*zeros'):
        found.neighbours("b")
    with pytest.raises(DataError, match="`word_or_vector` has no neighbours"):
        found.neighbours(np.zeros(2))


def test_of_equal_words_the_first_comes_first():
    rng = np.random.default_rng(0)
    values = np.zeros((90, 3))
    values[np.arange(90), rng.integers(0, 2, 90)] = 1.0
    found = WordVectors(Vocabulary(WORDS[:90]), values)
    equal = [w for w, v in zip(WORDS, values, strict=False) if v[1]]
    for k in (1, 5, 20):
        neighbours = found.neighbours(np.array([0.0, 2.0, 0.0]), k)
        assert neighbours == [(word, 1.0) for word in equal[:k]]


def test_words_are_left_out_and_k_may_exceed_the_vocabulary(vectors):
    near = [word for word, _ in vectors.neighbours("w0", 6)]
    left = vectors.neighbours("w0", 4, exclude=near[:2])
    assert [word for word, _ in left] == near[2:]
    assert len(vectors.neighbours("w0", 999)) == 199
    assert len(vectors.analogy("w0", "w1", "w2", 999)) == 197
    one = WordVectors(Vocabulary(["a"]), [[1.0]])
    assert one.neighbours("a") == []


def test_k_method_and_words_are_checked(vectors):
    for k in (0, -1, 1.5, True):
        with pytest.raises(ConfigError, match=f"`k` must.*Received: k={k!r}"):
            vectors.neighbours("w0", k)
    with pytest.raises(ConfigError, match='method "cosadd". Did you mean "3c'):
        vectors.analogy("w0", "w1", "w2", method="cosadd")
    with pytest.raises(DataError, match='"x" is not in'):
        vectors.neighbours("w0", exclude=["x"])
    with pytest.raises(DataError, match=r"8 finite numbers.*\(9,\)"):
        vectors.neighbours(np.ones(9))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((3, 2)), r"\(2, size\) for 2 words. Received: \(3, 2\)"),
        (np.ones(2), r"Received: \(2,\)"),
        (np.ones((2, 0)), r"Received: \(2, 0\)"),
        ([[1.0], [np.nan]], 'finite. That of word 1, "b"'),
        ([[1e300], [1.0]], 'finite. That of word 0, "a"'),
    ],
)
def test_vectors_must_fit_and_be_finite(values, message):
    with pytest.raises(DataError, match=message):
        WordVectors(Vocabulary(["a", "b"]), values)


def test_vocabulary_must_be_one():
    with pytest.raises(DataError, match="Vocabulary.words.*Received: list"):
        WordVectors(["a"], [[1.0]])
