"""Correlation with judgements, held against gensim."""

import numpy as np
import pytest

from tests.conftest import SHARED
from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import read_word_pairs, word_similarity
from toolkit.text import Vocabulary, WordVectors

WORDS = [f"w{i}" for i in range(40)]
CASES = (str.lower, str.upper)


def example(seed):
    """Vectors with two spellings of some words, and pairs with ties."""
    rng = np.random.default_rng(seed)
    words = WORDS + [word.upper() for word in WORDS[::3]]
    order = rng.permutation(len(words))
    values = rng.normal(size=(len(words), 5))
    vectors = WordVectors(Vocabulary([words[i] for i in order]), values)
    pairs = []
    for i, j in rng.integers(0, 46, (150, 2)):  # w40 to w45 are unknown
        cosine = values[i % 40] @ values[j % 40]
        judged = round(float(cosine + rng.normal()))
        case = CASES[rng.integers(2)]
        pairs.append((case(f"w{i}"), f"w{j}", float(judged)))
    return vectors, pairs


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("restrict", [300_000, 20])
def test_numbers_are_those_of_gensim(tmp_path, seed, fold, restrict):
    from gensim.models import KeyedVectors

    vectors, pairs = example(seed)
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join("\t".join(map(str, pair)) for pair in pairs))
    peer = KeyedVectors(vectors.size)
    peer.add_vectors(list(vectors.vocabulary), vectors.vectors)
    pearson, spearman, unknown = peer.evaluate_word_pairs(
        str(path), restrict_vocab=restrict, case_insensitive=fold
    )
    found = word_similarity(
        vectors,
        read_word_pairs(path),
        restrict_vocabulary=restrict,
        case_insensitive=fold,
    )
    assert found.pearson == pytest.approx(pearson[0], abs=1e-6)
    assert found.spearman == pytest.approx(spearman[0], abs=1e-6)
    assert 100 * found.unknown_share == pytest.approx(unknown)
    assert found.pairs + found.skipped == len(pairs)
    assert found.skipped > 10 and found.pairs > 3


@pytest.mark.parametrize("name", ["WS-353-ALL", "MEN-TR-3k", "SIMLEX-999"])
def test_published_pairs_are_read(name):
    path = SHARED / "word_eval" / f"EN-{name}.txt"
    if not path.is_file():
        pytest.skip("the published pairs are not beside this checkout")
    pairs = read_word_pairs(path)
    counts = {"WS-353-ALL": 353, "MEN-TR-3k": 3000, "SIMLEX-999": 999}
    assert len(pairs) == counts[name]
    words = sorted({word for pair in pairs for word in pair[:2]})
    values = np.random.default_rng(0).normal(size=(len(words), 9))
    found = word_similarity(WordVectors(Vocabulary(words), values), pairs)
    assert found.skipped == 0 and abs(found.spearman) < 0.3


def test_any_separator_parts_the_words(tmp_path):
    path = tmp_path / "p"
    path.write_bytes(
        "# word 1, word 2, mean\nnew york\tÜber \t1\r\n\na,  b b,2.5\n"
        " a   b -3e0\n#x\n".encode()
    )
    assert read_word_pairs(path) == [
        ("new york", "Über", 1.0),
        ("a", "b b", 2.5),
        ("a", "b", -3.0),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b 1\nWord 1,Word 2,Mean\n", "p, line 2: .* # before a heading"),
        (b"# x\n\na b\n", "p, line 3: must be two words and a num.*'a b'"),
        (b"a b 1 2\n", "p, line 1: must"),
        (b"a\tb c 1\n", "p, line 1: must"),
        (b"a,,1\n", "p, line 1: must"),
        (b"a b nan\n", "p, line 1: must"),
        (b"a b 1\n\xff b 1\n", "p, line 2: is not UTF-8"),
        (b"# a b 1\n", "p: there is no pair"),
    ],
)
def test_damaged_pairs_are_refused_by_line(tmp_path, content, message):
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_word_pairs(tmp_path / "p")


def test_pairs_that_cannot_correlate_are_refused(tmp_path):
    vectors = WordVectors(Vocabulary(list("abc")), [[1, 0], [1, 1], [0, 1]])
    with pytest.raises(DataError, match="nowhere: No such file"):
        read_word_pairs(tmp_path / "nowhere")
    with pytest.raises(DataError, match="Of 2 pairs of words, 1 are in"):
        word_similarity(vectors, [("a", "b", 1.0), ("a", "x", 1.0)])
    with pytest.raises(DataError, match="all the same.* 2 pairs"):
        word_similarity(vectors, [("a", "b", 0.1), ("a", "c", 0.1)])
    with pytest.raises(DataError, match="all the same"):
        word_similarity(vectors, [("a", "b", 1.0), ("B", "A", 2.0)])
    with pytest.raises(ConfigError, match="`restrict_vocabulary`.*: 0"):
        word_similarity(vectors, [], restrict_vocabulary=0)
