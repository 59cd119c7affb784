"""A corpus as numbers of its words."""

import collections
import gzip
import hashlib
import random

import numpy as np
import pytest

from tests.conftest import SHARED
from toolkit.data import corpus_blocks, corpus_ids, read_corpus
from toolkit.errors import ConfigError, DataError
from toolkit.text import Vocabulary, python_docs, tokenizer

TEXT = "the cat sat\nthe cat ran\n\na dog sat on the mat\n"


@pytest.fixture
def written(tmp_path):
    """Returns a function that writes a text and returns its path."""

    def write(text, name="a.txt"):
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def sentences_of(corpus):
    """Returns the sentences in words; checks where the separators are."""
    ids = corpus.ids
    assert ids.dtype == np.int32 and not ids.flags.writeable
    assert ids[0] >= 0 and ids[-1] >= 0
    found = np.split(ids, np.flatnonzero(ids == -1))
    found = [found[0], *(part[1:] for part in found[1:])]
    assert all(len(sentence) >= 2 for sentence in found)
    assert corpus.sentences == len(found)
    assert corpus.kept_words == sum(map(len, found))
    return [corpus.vocabulary.decode(sentence) for sentence in found]


def expected(units, min_count=1, max_vocabulary=0):
    """Returns vocabulary, counts, sentences and those of one word."""
    counts = collections.Counter(word for unit in units for word in unit)
    first = list(counts)  # in the order of first sight, and sort is stable
    kept = [w for w in first if counts[w] >= min_count]
    kept.sort(key=lambda word: -counts[word])
    kept = kept[: max_vocabulary or None]
    known = [[w for w in unit if w in kept] for unit in units]
    return (
        tuple(kept),
        [counts[w] for w in kept],
        [unit for unit in known if len(unit) > 1],
        sum(len(unit) == 1 for unit in known),
    )


def check(corpus, units, **options):
    words, counts, known, short = expected(units, **options)
    assert corpus.vocabulary.words == words
    assert corpus.vocabulary.counts.tolist() == counts
    assert sentences_of(corpus) == known
    assert corpus.short_sentences == short
    assert corpus.raw_words == sum(map(len, units))
    assert corpus.distinct_words == len({w for unit in units for w in unit})


# What is read


def test_lines_are_sentences_and_frequent_words_come_first(written):
    corpus = read_corpus(written(TEXT), min_count=1)
    assert corpus.vocabulary.words[:3] == ("the", "cat", "sat")
    assert corpus.ids[:8].tolist() == [0, 1, 2, -1, 0, 1, 3, -1]
    check(corpus, [line.split() for line in TEXT.splitlines()])
    assert corpus.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert corpus.notes == () and corpus.invalid_bytes == 0


def test_paragraphs_end_at_lines_without_words(written):
    text = "\n \na b\r\nc\r\n\r\n\nd\n \t\ne f\n---\ng h"
    path = written(text)
    paragraphs = [["a", "b", "c"], ["d"], ["e", "f"], ["g", "h"]]
    check(read_corpus(path, sentences="paragraphs", min_count=1), paragraphs)
    whole = [[word for part in paragraphs for word in part]]
    check(read_corpus(path, sentences="document", min_count=1), whole)


def test_rare_words_and_what_is_left_of_sentences_are_left_out(written):
    rng = random.Random(3)
    units = [
        rng.choices("abcdefghij", range(10, 0, -1), k=rng.randrange(6))
        for _ in range(80)
    ]
    path = written("\n".join(map(" ".join, units)))
    check(read_corpus(path, min_count=20), units, min_count=20)
    corpus = read_corpus(path, min_count=2, max_vocabulary=3)
    check(corpus, units, min_count=2, max_vocabulary=3)
    assert corpus.short_sentences > 0
    assert f"{corpus.short_sentences} sentences with only" in corpus.notes[0]


@pytest.mark.parametrize("sentences", ["lines", "paragraphs", "document"])
@pytest.mark.parametrize("tokens", ["words", "whitespace", "text8"])
def test_blocks_are_cut_anywhere_without_effect(
    written, monkeypatch, tokens, sentences
):
    text = (
        "\ufeffÜber \u00c9t\u00e9 don't\r\n\r\nwell-known\n\n\n  \U0001f600 "
        "a\tb\u3000c 10\n a\u2019b ÜBER été\nend of\n \n"
        "end \ufffdab voil\u00e0s\n of \xa0 x"
    )
    content = text.encode() + b" \xe2\x82 \xff\xfe of end\xc3"
    path = written(content)
    monkeypatch.setattr(corpus_blocks, "STRANGE", 0.5)
    settings = {"tokens": tokens, "sentences": sentences, "min_count": 1}
    whole = read_corpus(path, **settings)
    assert whole.invalid_bytes == 4
    assert "4 invalid UTF-8 sequences were replaced" in whole.notes[0]
    assert whole.sha256 == hashlib.sha256(content).hexdigest()
    text = content.decode("utf-8-sig", "replace")
    if sentences == "lines":
        units = map(tokenizer(tokens), text.split("\n"))
        check(whole, list(units))
    for size in (*range(1, 40), len(content) - 1, len(content)):
        monkeypatch.setattr(corpus_blocks, "BLOCK", size)
        corpus = read_corpus(path, **settings)
        assert corpus.ids.tolist() == whole.ids.tolist()
        assert corpus.vocabulary.words == whole.vocabulary.words
        for name in ("sha256", "invalid_bytes", "raw_words", "notes"):
            assert getattr(corpus, name) == getattr(whole, name)


def test_long_words_and_chunks_of_numbers(written, monkeypatch):
    monkeypatch.setattr(corpus_blocks, "BLOCK", 16)
    monkeypatch.setattr(corpus_ids, "CHUNK", 3)
    rng = random.Random(4)
    pool = ["x" * length for length in (1, 8, 9, 16, 17, 32, 33, 100)]
    units = [rng.choices(pool, k=rng.randrange(5)) for _ in range(100)]
    path = written("\n".join(map(" ".join, units)))
    check(read_corpus(path, min_count=20), units, min_count=20)


def test_gzip_and_folders_read_as_plain_files_do(written, tmp_path):
    plain = read_corpus(written(TEXT), min_count=1)
    path = written(gzip.compress(TEXT.encode()), "b.txt.gz")
    assert read_corpus(path, min_count=1).sha256 == plain.sha256
    written("one two", "c.md")
    written("three four\nfive six", "d.rst")
    written("not this", "e.csv")
    (tmp_path / "z.txt").mkdir()
    units = [line.split() for line in TEXT.splitlines()]
    units += units + [["one", "two"], ["three", "four"], ["five", "six"]]
    folder = read_corpus(str(tmp_path), min_count=1)
    check(folder, units)
    content = (TEXT, TEXT, "one two", "three four\nfive six")
    assert (
        folder.sha256 == hashlib.sha256("\0".join(content).encode()).hexdigest()
    )
    # Neither a paragraph nor a document goes on in the next file.
    corpus = read_corpus(str(tmp_path), sentences="document", min_count=1)
    assert sentences_of(corpus)[2] == ["one", "two"]
    corpus = read_corpus(str(tmp_path), sentences="paragraphs", min_count=1)
    assert sentences_of(corpus)[-1] == ["three", "four", "five", "six"]


def test_counts_are_those_of_gensim(written):
    from gensim.models import Word2Vec
    from gensim.models.word2vec import LineSentence

    text = python_docs(60_000).lower()
    path = written(text)
    corpus = read_corpus(path, tokens="whitespace", min_count=3)
    model = Word2Vec(min_count=3)
    model.build_vocab(LineSentence(path))
    vectors = model.wv
    counts = [vectors.get_vecattr(w, "count") for w in vectors.index_to_key]
    assert corpus.vocabulary.counts.tolist() == counts
    assert dict(zip(vectors.index_to_key, counts, strict=True)) == dict(
        zip(corpus.vocabulary.words, counts, strict=True)
    )
    assert corpus.raw_words == model.corpus_total_words


def test_max_words_takes_the_first_words_exactly(written, monkeypatch):
    text = "a b c\na b c\nd a b\n" * 5
    units = [line.split() for line in text.splitlines()]
    path = written(text)
    for size in (7, 1000):
        monkeypatch.setattr(corpus_blocks, "BLOCK", size)
        for most in (8, 9, 10, 44, 45, 99):
            corpus = read_corpus(path, min_count=1, max_words=most)
            first, left = [], most
            for unit in units:
                first.append(unit[:left])
                left -= len(first[-1])
            check(corpus, first)


def test_given_vocabulary_is_used(written):
    path = written(TEXT)
    vocabulary = Vocabulary(["dog", "the", "cat"])
    corpus = read_corpus(path, vocabulary=vocabulary)
    assert corpus.vocabulary is vocabulary
    assert corpus.ids.tolist() == [1, 2, -1, 1, 2, -1, 0, 1]
    assert (corpus.raw_words, corpus.kept_words) == (12, 6)
    first = read_corpus(path, min_count=1)
    again = read_corpus(path, vocabulary=first.vocabulary)
    np.testing.assert_array_equal(again.ids, first.ids)
    with pytest.raises(DataError, match="no sentence .*prepared as"):
        read_corpus(path, vocabulary=Vocabulary(["The", "Cat"]))


def test_embedded_text_has_paragraphs_and_progress():
    seen = []
    corpus = read_corpus("embedded", max_words=5_000, progress=seen.append)
    text = python_docs(10 * 5_000)
    words = tokenizer()(text)[:5_000]
    counts = collections.Counter(words)
    assert corpus.raw_words == seen[-1] == 5_000
    assert corpus.vocabulary.counts[0] == counts.most_common(1)[0][1]
    assert corpus.distinct_words == len(counts)
    assert 10 < corpus.kept_words / corpus.sentences < 60


def test_embedded_text_goes_on_until_there_are_enough_words(monkeypatch):
    monkeypatch.setattr(corpus_blocks, "PER_WORD", 1)
    monkeypatch.setattr(corpus_blocks, "BLOCK", 500)
    corpus = read_corpus("embedded", max_words=2000)
    monkeypatch.undo()
    whole = read_corpus("embedded", max_words=2000)
    np.testing.assert_array_equal(corpus.ids, whole.ids)


def test_examples_of_a_tfds_text_are_documents():
    folder = SHARED / "tfds"
    if not (folder / "tiny_shakespeare").is_dir():
        pytest.skip("tiny Shakespeare is not beside this checkout")
    corpus = read_corpus("tfds:tiny_shakespeare", data_dir=str(folder))
    assert corpus.vocabulary.words[:2] == ("the", "and")
    assert corpus.sentences > 10_000
    with pytest.raises(DataError, match='"tfds:mnist" is no text: .*image'):
        read_corpus("tfds:mnist")


def test_small_documents_share_a_block(monkeypatch):
    texts = [b"a b\nc d", b"\xff a b c d", b"", b"e f "]
    monkeypatch.setattr(corpus_blocks, "open_tfds_text", lambda *_: (0, 0))
    monkeypatch.setattr(corpus_blocks, "tfds_texts", lambda *_: iter(texts))
    (block,) = corpus_blocks.read_blocks("tfds:any")
    assert block.text == "a b\nc d\0\ufffd a b c d\0\0e f "
    assert block.invalid == 1
    corpus = read_corpus("tfds:any", min_count=1, sentences="document")
    assert sentences_of(corpus) == [list("abcd"), list("abcd"), ["e", "f"]]
    texts[1] = b"a\0"
    with pytest.raises(DataError, match='"tfds:any" is no text: byte 1 is'):
        read_corpus("tfds:any")


# What is refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r'a.txt" holds no words \(tokens="words"\)'),
        (b" \n--\n", "holds no words"),
        (b"\x1f\x8b123", "Cannot read"),
        (
            gzip.compress(b"a b " * 999, mtime=0)[:-9],
            "Cannot read .*ended before",
        ),
        (b"one two\n" * 2000 + b"\0", "is no text: byte 16,000 is 0x00"),
        (b"PK\x03\x04" + b"\0" * 9, "is no text: .*a zip archive: unpack"),
        (gzip.compress(b"BZh9\0", mtime=0), "looks like a bzip2 file.*bunzip2"),
        (b"\0" * 257 + b"ustar", "looks like a tar archive"),
        ("a b".encode("utf-16"), "UTF-16: convert it with iconv"),
        ("мама мыла раму".encode("cp1251"), "85% of its first 13.*iconv"),
        (bytes(range(1, 32)), "71% .*control characters. Give a text in UTF-8"),
        (b"a b c\na b c", r'min_count=5 leaves 0 of 3 .*"a", .* 2 times. Set '
         "min_count to 2 or less"),
        (b"a " * 9, "leaves 1 of 1 different.*two different words"),
        (b"a\nb\n" * 9, r"no sentence of two.*\(18 of one word\). Lower"),
    ],
)  # fmt: skip
def test_unusable_text_is_refused(written, content, message):
    with pytest.raises(DataError, match=message):
        read_corpus(written(content))


def test_text_without_whitespace_is_refused(written, monkeypatch):
    monkeypatch.setattr(corpus_blocks, "LONGEST", 100)
    monkeypatch.setattr(corpus_blocks, "BLOCK", 64)
    with pytest.raises(DataError, match="no whitespace in the 124 bytes"):
        read_corpus(written("a b " + "x" * 300))


def test_missing_texts_are_refused(tmp_path):
    with pytest.raises(DataError, match='no data source ".*embeded".*embedded'):
        read_corpus("embeded")
    with pytest.raises(DataError, match="holds no text files"):
        read_corpus(str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_count": 0}, "`min_count` must be a pos.*min_count=0 .of type"),
        ({"min_count": 2.0}, r"min_count=2.0 \(of type float\)"),
        ({"min_count": True}, r"min_count=True \(of type bool\)"),
        ({"max_vocabulary": 1}, "0 for all words, or above 1. Received: max_v"),
        ({"max_vocabulary": -1}, "max_vocabulary=-1"),
        ({"max_words": -1}, "max_words=-1"),
        ({"tokens": "text9"}, 'tokens "text9". Did you mean "text8"'),
        ({"sentences": "line"}, 'sentences "line". Did you mean "lines"'),
    ],
)
def test_arguments_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        read_corpus("embedded", **settings)
