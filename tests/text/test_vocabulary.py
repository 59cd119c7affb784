"""Words as numbers, and their file."""

import numpy as np
import pytest

from toolkit.errors import DataError
from toolkit.text import Vocabulary

WORDS = ["the", "Übermut", "cat", "sat", "to"]


def test_words_come_back_from_their_numbers():
    vocabulary = Vocabulary(WORDS, [9, 5, 5, 1, 0])
    numbers = vocabulary.encode(["cat", "dog", "the", "Cat"])
    assert numbers.dtype == np.int32
    assert numbers.tolist() == [2, -1, 0, -1]
    assert vocabulary.encode([]).shape == (0,)
    assert vocabulary.decode(np.array([1, 4])) == ["Übermut", "to"]
    assert vocabulary.decode(iter(range(5))) == WORDS == list(vocabulary)
    assert vocabulary.counts.dtype == np.int64 and len(vocabulary) == 5
    assert vocabulary.number("sat") == vocabulary.find("sat") == 3
    assert vocabulary.find("dog") is None
    assert "cat" in vocabulary and "dog" not in vocabulary
    assert Vocabulary(WORDS).counts is None


@pytest.mark.parametrize(
    ("word", "offer"),
    [
        ("Ubermut", None),
        ("übermut", '"Übermut"'),
        ("CAT", '"cat"'),
        ("catt", '"cat"'),
        ("natos", '"NATO"'),
        ("x", None),
        ("", None),
    ],
)
def test_closest_spellings_are_offered(word, offer):
    with pytest.raises(DataError, match=f'"{word}" is not in.* of 6 ') as found:
        Vocabulary([*WORDS, "NATO"]).number(word)
    assert ("Did you mean" in str(found.value)) == (offer is not None)
    assert (offer or "") in str(found.value)


@pytest.mark.parametrize(
    ("words", "counts", "message"),
    [
        ([], None, "at least one word"),
        ("abc", None, "sequence of words. Received: 'abc'"),
        (["a", ""], None, "Word 1: a word must be .* Received: ''"),
        (["a", 3], None, "Word 1: .* Received: 3"),
        (["a", "b", "a"], None, 'Word 2: "a" comes twice'),
        (["a", "b"], [1], r"`counts` must be \(2,\).*Received: \(1,\)"),
        (["a", "b"], [1, -1], 'Word 1: "b" has the count -1'),
        (["a", "b", "c"], [3, 1, 2], '2: "c" has the count 2, more than.* 1 '),
        (["a"], [1.5], r"whole numbers.*float64 \[1.5\]"),
        (["a"], [2**70], "whole numbers below 2"),
    ],
)
def test_what_is_no_vocabulary_is_refused(words, counts, message):
    with pytest.raises(DataError, match=message):
        Vocabulary(words, counts)


def test_wrong_numbers_and_strings_are_refused():
    vocabulary = Vocabulary(WORDS)
    for number in (-1, 5):
        with pytest.raises(DataError, match=f"0 to 4. Received: {number}"):
            vocabulary.decode([0, number])
    with pytest.raises(DataError, match='split.*Received: "the cat"'):
        vocabulary.encode("the cat")


def test_file_has_a_line_for_each_word(tmp_path):
    path = tmp_path / "new" / "vocabulary.txt"
    words = ["the", "a\u00a0b", "\u2028", "Übermut"]  # no ASCII white space
    Vocabulary(words, [10, 10, 1, 0]).save(path)
    assert path.read_bytes() == (
        "the 10\na\u00a0b 10\n\u2028 1\nÜbermut 0\n".encode()
    )
    again = Vocabulary.load(path)
    assert list(again) == words and again.counts.tolist() == [10, 10, 1, 0]


def test_end_of_sentence_of_word2vec_may_stand_in_front(tmp_path):
    (tmp_path / "v").write_text("</s> 3\nthe 9\na 2\n")
    assert Vocabulary.load(tmp_path / "v").counts.tolist() == [3, 9, 2]
    with pytest.raises(DataError, match='Word 2: "b" has the count 5'):
        Vocabulary(["</s>", "a", "b"], [3, 4, 5])


def test_what_no_file_can_hold_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "v"
    Vocabulary(["a"], [1]).save(path)
    for wrong in ("b c", "b\n", "\tb", "b\r", " ", "\x0bb"):
        with pytest.raises(DataError, match="white space.*Word 1 is"):
            Vocabulary(["a", wrong], [1, 1]).save(path)
    with pytest.raises(DataError, match="Word 0 .*UTF-8. .*udcff"):
        Vocabulary(["\udcff"], [1]).save(path)
    with pytest.raises(DataError, match="needs counts"):
        Vocabulary(["a"]).save(path)
    assert path.read_bytes() == b"a 1\n"
    assert [one.name for one in tmp_path.iterdir()] == ["v"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "v: no lines"),
        (b"a 1\nb\n", r"v, line 2: must be `word count`.*b'b\\n'"),
        (b"a 1\nb 1 1\n", "v, line 2: must be"),
        (b"a 1\n\nb 1\n", "v, line 2: must be"),
        (b"a x\n", "v, line 1: must be"),
        (b"a 1.5\n", "v, line 1: must be"),
        (b"a 2\n\xff 1\n", "v, line 2: must be .* UTF-8"),
        (b"a 2\nb 1\na 1\n", 'v, line 3: "a" comes twice'),
        (b"a 2\nb 3\n", 'v, line 2: "b" has the count 3, more than'),
        (b"a 2\nb -3\n", 'v, line 2: "b" has the count -3'),
        (b"a 99999999999999999999999\n", "whole numbers below"),
    ],
)
def test_damaged_files_are_refused_by_line(tmp_path, content, message):
    path = tmp_path / "v"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        Vocabulary.load(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: No such file"):
        Vocabulary.load(tmp_path / "nowhere")
