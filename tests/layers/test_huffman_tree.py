import numpy as np
import pytest
from gensim.models import KeyedVectors
from gensim.models.word2vec import _assign_binary_codes

from toolkit.errors import ConfigError
from toolkit.layers.huffman_tree import huffman_tree

RNG = np.random.default_rng(0)
SORTED = {
    "zipf": 10_000 // np.arange(1, 301),  # most counts come many times
    "equal": np.ones(21, int),
    "deepest": np.array([13, 8, 5, 3, 2, 1, 1]),
    "zeros": np.array([5, 3, 0, 0, 0]),
    "two": np.array([7, 7]),
}


def word2vec_c(counts):
    """`CreateBinaryTree`, line by line; returns codes and points."""
    words = len(counts)
    count = [*map(int, counts)] + [10**15] * words
    binary, parent = [0] * (2 * words), [0] * (2 * words)
    one, two = words - 1, words

    def smaller():
        nonlocal one, two
        if one >= 0 and count[one] < count[two]:
            one -= 1
            return one + 1
        two += 1
        return two - 1

    for new in range(words - 1):
        first, second = smaller(), smaller()
        count[words + new] = count[first] + count[second]
        parent[first] = parent[second] = words + new
        binary[second] = 1
    paths = []
    for word in range(words):
        node, codes, points = word, [], []
        while node != 2 * words - 2:
            codes.insert(0, binary[node])
            node = parent[node]
            points.insert(0, node - words)
        paths.append((codes, points))
    return paths


@pytest.mark.parametrize("name", SORTED)
def test_codes_and_points_are_those_of_word2vec_c(name):
    tree = huffman_tree(SORTED[name])
    for word, (codes, points) in enumerate(word2vec_c(SORTED[name])):
        length = tree.lengths[word]
        assert tree.codes[word, :length].tolist() == codes
        assert tree.points[word, :length].tolist() == points
        assert not tree.codes[word, length:].any()
        assert not tree.points[word, length:].any()
    assert tree.lengths.max() == tree.points.shape[1] == tree.codes.shape[1]
    kinds = [part.dtype.name for part in tree]
    assert kinds == ["int32", "int8", "int32"]


@pytest.mark.parametrize("name", SORTED)
def test_total_length_is_that_of_gensim(name):
    counts = RNG.permutation(SORTED[name])
    peer = KeyedVectors(1)
    words = [str(word) for word in range(len(counts))]
    peer.add_vectors(words, np.zeros((len(counts), 1), np.float32))
    for word, count in zip(words, counts, strict=True):
        peer.set_vecattr(word, "count", int(count))
    _assign_binary_codes(peer)
    expected = [len(peer.get_vecattr(word, "code")) for word in words]
    assert huffman_tree(counts).lengths @ counts == expected @ counts


def test_order_of_words_does_not_matter():
    counts = np.unique(RNG.integers(1, 10**6, 500))[::-1]
    order = RNG.permutation(len(counts))
    mixed = huffman_tree(counts[order])
    for one, two in zip(huffman_tree(counts), mixed, strict=True):
        np.testing.assert_array_equal(one[order], two)


def test_no_code_begins_another_and_none_is_missing():
    tree = huffman_tree(RNG.integers(0, 50, 1000))
    assert np.sum(0.5**tree.lengths) == 1.0  # Kraft
    codes = {
        tuple(row[:n]) for row, n in zip(tree.codes, tree.lengths, strict=True)
    }
    assert len(codes) == 1000
    assert not any(
        code[:n] in codes for code in codes for n in range(len(code))
    )


def test_every_inner_node_is_passed_and_the_root_first():
    tree = huffman_tree(RNG.random(100))  # floats are weights as well
    passed = np.arange(tree.points.shape[1]) < tree.lengths[:, None]
    assert set(tree.points[passed]) == set(range(99))
    assert (tree.points[:, 0] == 98).all()


def test_many_words():
    counts = 10**8 // np.arange(1, 100_001)
    tree = huffman_tree(counts)
    entropy = -np.sum(counts * np.log2(counts / counts.sum()))
    assert entropy <= tree.lengths @ counts <= entropy + counts.sum()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3], "at least 2 words. Received: counts of 1"),
        ([], "must be numbers, one for each word"),
        ([[1, 2]], "must be numbers, one for each word"),
        (["a", "b"], "must be numbers, one for each word"),
        ([1, -2], "at least 0. Received: -2 for word 1"),
        ([1.0, np.nan], "finite .* nan for word 1"),
        ([0, 0], "must not all be 0"),
    ],
)
def test_it_refuses(counts, message):
    with pytest.raises(ConfigError, match=message):
        huffman_tree(counts)
