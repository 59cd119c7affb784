"""Texts as numbers of words, in three splits."""

import gzip

import numpy as np
import pytest

from tests.conftest import SHARED
from toolkit.data import encode_text, load_words
from toolkit.errors import ConfigError, DataError
from toolkit.text import Vocabulary

PARTS = {
    "wiki.train.tokens": " = A title = \n\n the cat sat \n the <unk> sat\n",
    "wiki.valid.tokens": "the dog sat\n",
    "wiki.test.tokens": "the cat ran\n\na cat",
}


def folder(path, parts=PARTS):
    for name, text in parts.items():
        (path / name).write_text(text)
    return str(path)


def spelled(text, part):
    return " ".join(text.vocabulary.decode(getattr(text, part)))


def test_splits_of_a_folder_are_kept_and_every_line_ends(tmp_path):
    text = load_words(folder(tmp_path), tokens="whitespace")
    assert spelled(text, "train") == (
        "= A title = <eos> <eos> the cat sat <eos> the <unk> sat <eos>"
    )
    assert spelled(text, "validation") == "the <unk> sat <eos>"
    assert spelled(text, "test") == "the cat <unk> <eos> <eos> <unk> cat <eos>"
    assert text.unknown == (0.0, 0.25, 0.25)  # that of the text is its own
    assert text.vocabulary.words[0] == "<eos>"
    counts = dict(
        zip(text.vocabulary.words, text.vocabulary.counts, strict=True)
    )
    assert counts == {
        "<eos>": 4, "=": 2, "the": 2, "sat": 2, "<unk>": 1, "A": 1,
        "title": 1, "cat": 1,
    }  # fmt: skip


def test_rare_words_become_unknown(tmp_path):
    source = folder(tmp_path)
    text = load_words(source, tokens="whitespace", min_count=2)
    assert spelled(text, "train") == (
        "= <unk> <unk> = <eos> <eos> the <unk> sat <eos> the <unk> sat <eos>"
    )
    assert text.vocabulary.counts[text.vocabulary.number("<unk>")] == 4
    assert text.unknown[0] == pytest.approx(3 / 14)
    few = load_words(source, tokens="whitespace", max_vocabulary=4)
    assert set(few.vocabulary.words) == {"<unk>", "<eos>", "=", "the"}
    assert few.vocabulary.counts.sum() == 14


def test_other_tokens_and_paragraphs(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("The cat,\nthe dog.\n \n\nIt ran. " * 40)
    text = load_words(str(path), ends="paragraphs")
    assert spelled(text, "train").startswith(
        "the cat the dog <eos> it ran the cat the dog <eos> it ran"
    )
    assert load_words(str(path)).vocabulary.counts[0] > 40  # lines end too


def test_folder_of_other_files_is_one_text(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(f"{name} line\n" * 20)
    text = load_words(str(tmp_path))
    assert set(text.vocabulary.words) >= {"a", "b", "c", "line"}


def test_gzipped_splits_are_read(tmp_path):
    for name, text in PARTS.items():
        with gzip.open(tmp_path / f"{name}.gz", "wt") as file:
            file.write(text)
    text = load_words(str(tmp_path), tokens="whitespace")
    assert spelled(text, "validation") == "the <unk> sat <eos>"


def test_splits_that_are_not_whole_are_refused(tmp_path):
    source = folder(tmp_path)
    (tmp_path / "wiki.test.tokens").rename(tmp_path / "wiki.train2.tokens")
    with pytest.raises(DataError, match="one text or three splits"):
        load_words(source)


def test_part_without_words_is_refused(tmp_path):
    source = folder(tmp_path, PARTS | {"wiki.test.tokens": " \n\n"})
    with pytest.raises(DataError, match="test part .* holds no words"):
        load_words(source)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ends": "line"}, "Did you mean .lines"),
        ({"min_count": 0}, "`min_count` must be a positive"),
        ({"max_vocabulary": 1}, "`max_vocabulary` must be 0"),
        ({"tokens": "word"}, "Did you mean .words"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        load_words("embedded", **arguments)


def test_any_text_is_encoded_with_a_vocabulary():
    vocabulary = Vocabulary(["<eos>", "the", "<unk>", "cat"])
    ids, strange = encode_text("The cat\n\nThe <b>", vocabulary)
    assert vocabulary.decode(ids) == (
        ["the", "cat", "<eos>", "<eos>", "the", "<unk>", "<eos>"]
    )
    assert strange == pytest.approx(1 / 7)
    ids, strange = encode_text(
        "<unk> dog", vocabulary, tokens="whitespace", ends="paragraphs"
    )
    assert ids.tolist() == [2, 2, 0] and strange == pytest.approx(1 / 3)
    assert len(encode_text(" \n", vocabulary)[0]) == 0
    with pytest.raises(DataError, match="no <unk>"):
        encode_text("a", Vocabulary(["<eos>", "the"]))


def test_real_wikitext_has_the_published_counts():
    path = SHARED / "text" / "wikitext2"
    if not path.is_dir():
        pytest.skip("WikiText-2 is not beside this checkout")
    text = load_words(str(path), tokens="whitespace")
    assert [len(text.train), len(text.validation), len(text.test)] == [
        2_088_628, 217_646, 245_569,
    ]  # fmt: skip
    assert len(text.vocabulary) == 33_278
    assert np.asarray(text.unknown).tolist() == [0, 0, 0]
