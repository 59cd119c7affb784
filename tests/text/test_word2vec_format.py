"""Files of word vectors: exact, gensim's, and damaged ones."""

import gzip
import tracemalloc

import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.text import (
    Vocabulary,
    WordVectors,
    read_word2vec,
    write_word2vec,
)

SUFFIXES = (".txt", ".bin", ".txt.gz", ".bin.gz")


def bits(values):
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


@pytest.fixture(scope="module")
def vectors():
    """All kinds of finite float32: tiny, huge, subnormal, minus zero."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, (3000, 7), np.uint32).view(np.float32)
    values[~np.isfinite(values)] = -0.0
    values[0], values[1] = 16777217.0, 1e-45
    words = ["</s>", "Übermut", "a\u00a0b", "12", "\u2028", "1e3"]
    words += [f"w{i}" for i in range(3000 - len(words))]
    return WordVectors(Vocabulary(words, np.arange(3000)[::-1]), values)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_vectors_come_back_bit_by_bit(vectors, tmp_path, suffix):
    path = tmp_path / f"vectors{suffix}"
    write_word2vec(path, vectors)
    found = read_word2vec(path)
    np.testing.assert_array_equal(bits(found.vectors), bits(vectors.vectors))
    assert found.vocabulary.words == vectors.vocabulary.words
    assert found.vocabulary.counts is None
    start = path.read_bytes()[:10]
    assert (start[:2] == b"\x1f\x8b") == suffix.endswith(".gz")
    if suffix.endswith(".gz"):  # neither a name nor a time
        assert start[3:8] == bytes(5)
    # The name need not say what the content is.
    path.rename(tmp_path / "vectors")
    found = read_word2vec(tmp_path / "vectors", limit=12)
    np.testing.assert_array_equal(
        bits(found.vectors), bits(vectors.vectors[:12])
    )


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_gensim_reads_ours_and_we_read_gensims(tmp_path, binary, packed):
    from gensim.models import KeyedVectors

    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 9)).astype(np.float32)
    words = ["Übermut", "日本", *(f"w{i}" for i in range(298))]
    counts = np.sort(rng.integers(1, 99, 300))[::-1]
    ours = WordVectors(Vocabulary(words, counts), values)
    path, counted = tmp_path / f"vectors{packed}", tmp_path / "counts"
    write_word2vec(path, ours, binary, vocabulary_path=counted)
    theirs = KeyedVectors.load_word2vec_format(
        str(path), fvocab=str(counted), binary=binary
    )
    np.testing.assert_array_equal(bits(theirs.vectors), bits(values))
    assert theirs.index_to_key == words
    assert [theirs.get_vecattr(w, "count") for w in words] == counts.tolist()

    path, counted = tmp_path / f"theirs{packed}", tmp_path / "fvocab"
    theirs.save_word2vec_format(str(path), str(counted), binary=binary)
    for say in (None, binary):
        found = read_word2vec(path, say, vocabulary_path=counted)
        np.testing.assert_array_equal(bits(found.vectors), bits(values))
        assert list(found.vocabulary) == words
        np.testing.assert_array_equal(found.vocabulary.counts, counts)


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_binary_and_text_are_told_apart_at_any_size(tmp_path, size):
    rng = np.random.default_rng(size)
    for _ in range(30):
        values = rng.normal(size=(3, size)) * rng.choice([1e-8, 1e-3, 1.0])
        given = WordVectors(Vocabulary(["ü", "7", "ä"]), values)
        for suffix in (".bin", ".vec"):
            write_word2vec(tmp_path / f"v{suffix}", given)
            found = read_word2vec(tmp_path / f"v{suffix}")
            assert (bits(found.vectors) == bits(given.vectors)).all()


@pytest.mark.parametrize("number", [0.0, 2.0])
def test_binary_that_happens_to_be_utf8_is_seen(tmp_path, number):
    given = WordVectors(Vocabulary(["a", "b"]), np.full((2, 3), number))
    write_word2vec(tmp_path / "v", given, binary=True)
    found = read_word2vec(tmp_path / "v")
    np.testing.assert_array_equal(found.vectors, given.vectors)


def test_files_of_word2vec_and_glove(tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(b"2 2\r\n</s> 1.5 -2 \r\nb 1e-3 .5 \r\n\n")  # word2vec.c
    assert read_word2vec(path)["b"].tolist() == [np.float32(0.001), 0.5]
    for end in (b"", b"\n", b"\n\n"):
        path.write_bytes(b"the 1.5 -2 3\n, 1 2 3" + end)
        found = read_word2vec(path)
        assert list(found.vocabulary) == ["the", ","]
        assert found[","].tolist() == [1, 2, 3]
        assert list(read_word2vec(path, limit=1).vocabulary) == ["the"]
    # One number follows a word that is none: no `words size`.
    path.write_bytes(b"the 1.5\na 2\n")
    assert read_word2vec(path).size == 1


TEXT_DAMAGE = [
    (b"", "v, line 1: must be `words size`"),
    (b"the 731\na 2\n", "v, line 1: words and counts are a vocabulary"),
    (
        b"x 2.5\na 1 2\n",
        "v, line 2: must be a word and 1 numbers. .* 2 numbers",
    ),
    (b"two x\na 1\n", r"v, line 1: must be `words size`.*b'two x\\n'"),
    (b"2\na 1\n", "v, line 1: must be `words size`"),
    (b"0 2\n", "v, line 1: `words` and `size` must be at least 1"),
    (b"1 0\na\n", "v, line 1: `words` and `size` must be at least 1"),
    (b"2 2\na 1 2\nb 1\n", "v, line 3: .* 2 numbers. Received 1 numbers: b'b"),
    (b"2 2\na 1 2\nb 1 2 3\n", "v, line 3: .* Received 3 numbers"),
    (b"2 2\na 1\nb 1 2 3\n", "v, line 2: .* Received 1 numbers"),
    (b"2 2\na 1 2\nb 1 x\n", "v, line 3: b'x' is not a number"),
    (b"2 2\na 1 0x1\nb 1 2\n", "v, line 2: b'0x1' is not a number"),
    (b"2 2\na 1 2\nb 1 nan\n", 'v, line 3: the vector of "b" is not finite'),
    (b"2 2\na 1 1e39\nb 1 1\n", 'v, line 2: the vector of "a" is not finite'),
    (b"2 2\na 1 2\n", "v, line 3: must hold a word. The file has 1 of 2"),
    (b"9999999999999 99999\na 1\n", "v, line 2: .* 99999 numbers"),
    (b"1 2\na 1 2\nb 1 2\n", "v: more follows after the 1 words.*b'b 1 2'"),
    (b"3 2\na 1 2\n\nb 1 2\n", "v, line 3: must hold a word"),
    (b"2 2\na 1 2\na 1 2\n", 'v, line 3: "a" comes twice, first at line 2'),
    (b"2 2\na 1 2\n\xff 1 2\n", r"v, line 3: the word is not UTF-8: b'\\xff'"),
    (b"2 2\na 1 2\n 1 2\n", "v, line 3: the word is empty"),
    (b"a 1 2\nb 1\n", "v, line 2: .* Received 1 numbers"),
    (b"a 1 2\n\nb 1 2\n", "v, line 2: must hold a word"),
    (b"a 1 2\nNew York 1 2\n", "v, line 2: .* Received 3 numbers"),
]


@pytest.mark.parametrize(("content", "message"), TEXT_DAMAGE)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_text_is_refused_by_line(tmp_path, content, message, packed):
    path = tmp_path / "v"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message):
        read_word2vec(path)


ONE = np.array([0.1, 0.2], "<f4").tobytes()
NAN = np.array([0.1, np.nan], "<f4").tobytes()
BINARY_DAMAGE = [
    (b"2 2\na " + ONE + b"\nb " + ONE[:-1], "v, word 2 of 2: the file ends"),
    (b"2 2\na " + ONE + b"\n", "v, word 2 of 2: the file ends"),
    (b"2 2\na " + ONE + b"\na " + ONE, 'word 2 of 2: "a" .*first at word 1 of'),
    (b"2 2\na " + ONE + b"\xc3 " + ONE, "word 2 of 2: the word is not UTF-8"),
    (b"2 2\na " + ONE + b"\n " + ONE, "word 2 of 2: the word is empty"),
    (b"2 2\na " + ONE + b"b " + NAN, 'word 2 of 2: the vector of "b" is not f'),
    (b"1 2\na " + ONE + b"\nb " + ONE, "v: more follows after the 1 words"),
    (b"9999999999999 2\na " + ONE, "word 2 of 9999999999999: the file ends"),
]


@pytest.mark.parametrize(("content", "message"), BINARY_DAMAGE)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_binary_is_refused_by_word(tmp_path, content, message, packed):
    path = tmp_path / "v"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message):
        read_word2vec(path)


def test_binary_needs_its_first_line(tmp_path):
    (tmp_path / "v").write_bytes(b"a 1 2\n")
    with pytest.raises(DataError, match="line 1: must be `words size`"):
        read_word2vec(tmp_path / "v", binary=True)


def test_damaged_gzip_missing_files_and_limits_are_refused(vectors, tmp_path):
    path = tmp_path / "v.bin.gz"
    write_word2vec(path, vectors)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3000])
    with pytest.raises(DataError, match="v.bin.gz: .* ended before"):
        read_word2vec(path)
    path.write_bytes(whole[:3000] + b"\xff" * 99 + whole[3099:])
    with pytest.raises(DataError, match="v.bin.gz"):
        read_word2vec(path)
    with pytest.raises(DataError, match="nowhere: No such file"):
        read_word2vec(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="`limit` .*Received: -1"):
        read_word2vec(path, limit=-1)


def test_counts_must_be_there_for_every_word(vectors, tmp_path):
    path, counted = tmp_path / "v", tmp_path / "counts"
    write_word2vec(path, vectors)
    counted.write_text("</s> 9\n")
    with pytest.raises(DataError, match='counts: the word "Übermut" is miss'):
        read_word2vec(path, vocabulary_path=counted)
    found = read_word2vec(path, limit=1, vocabulary_path=counted)
    assert found.vocabulary.counts.tolist() == [9]


def test_words_with_blanks_are_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "v"
    path.write_text("old")
    wrong = WordVectors(Vocabulary(["a", "New York"]), np.ones((2, 2)))
    for binary in (False, True):
        with pytest.raises(DataError, match='white space.*1 is "New York"'):
            write_word2vec(path, wrong, binary)
    right = WordVectors(Vocabulary(["a"]), np.ones((1, 2)))
    with pytest.raises(DataError, match="needs counts"):
        write_word2vec(path, right, vocabulary_path=tmp_path / "counts")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["v"]


def test_a_first_line_that_lies_reserves_little_memory(tmp_path):
    path = tmp_path / "v"
    path.write_bytes(b"1000000000 1000\na 1\n")
    tracemalloc.start()
    with pytest.raises(DataError, match="line 2"):
        read_word2vec(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
