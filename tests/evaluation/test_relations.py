"""The table of a relation."""

import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import relation_table
from toolkit.text import Vocabulary, WordVectors

COUNTRIES = ["france", "italy", "japan"]
CAPITALS = ["paris", "rome", "tokyo"]


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    here = rng.normal(size=(3, 10))
    there = here + rng.normal(size=10)
    other = rng.normal(size=(20, 10))
    return WordVectors(
        Vocabulary([*COUNTRIES, *CAPITALS, *(f"w{i}" for i in range(20))]),
        np.concatenate([here, there, other]),
    )


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_rows_are_the_analogies_of_the_words(vectors, method):
    found = relation_table(
        vectors, " france : paris", COUNTRIES[1:], k=2, method=method
    )
    assert found.relation == ("france", "paris")
    assert [word for word, _ in found.rows] == ["italy", "japan"]
    assert [answers[0][0] for _, answers in found.rows] == ["rome", "tokyo"]
    for word, answers in found.rows:
        expected = vectors.analogy("france", "paris", word, 2, method)
        assert list(answers) == expected


def test_table_has_a_line_for_each_word(vectors):
    found = relation_table(vectors, "france:paris", ["japan", "italy"])
    head, *lines = found.table().splitlines()
    assert head == "france : paris"
    for line, (word, answers) in zip(lines, found.rows, strict=True):
        shown = [f"{answer} {score:.2f}" for answer, score in answers]
        assert line.split("   ")[0].strip() == word
        assert all(cell in line for cell in shown) and len(shown) == 3
    # Columns begin at one place.
    starts = [
        [line.index(answer) for answer, _ in answers]
        for line, (_, answers) in zip(lines, found.rows, strict=True)
    ]
    assert starts[0] == starts[1]


@pytest.mark.parametrize("relation", ["", "france", "france:", "a:b:c", ":"])
def test_relation_must_be_two_words(vectors, relation):
    with pytest.raises(ConfigError, match=f"two words.*Received: '{relation}'"):
        relation_table(vectors, relation, ["italy"])


def test_words_must_be_known_and_a_list(vectors):
    with pytest.raises(DataError, match='"itali" is not.*Did you mean "italy"'):
        relation_table(vectors, "france:paris", ["itali"])
    for words in ([], "italy"):
        with pytest.raises(ConfigError, match="`words` must be a list"):
            relation_table(vectors, "france:paris", words)
