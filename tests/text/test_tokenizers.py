"""Three tokenizers of encoder-decoders with one interface."""

import base64
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT, SHARED
from toolkit.errors import ConfigError, DataError
from toolkit.text import (
    END,
    PAD,
    START,
    UNKNOWN,
    CharacterTokenizer,
    SubwordTokenizer,
    WordTokenizer,
    load_tokenizer,
)

TEXTS = [
    "the cat sat on the mat, didn't it?",
    "a dog ran; the dogs sat (down).",
    "when did the dogs and the cat meet?",
]
KINDS = [CharacterTokenizer, SubwordTokenizer, WordTokenizer]


def make(kind, texts=TEXTS, **settings):
    if kind is SubwordTokenizer:
        settings.setdefault("vocabulary_size", 32)
    return kind.of(texts, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_come_back(kind):
    tokenizer = make(kind)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert ids.dtype == np.int32 and ids.ndim == 1
        assert ids.min() > UNKNOWN and ids.max() < len(tokenizer)
        assert tokenizer.unknown(text) == 0
        assert tokenizer.decode(ids) == text
        assert len(tokenizer.tokens(ids)) == len(ids)
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_ends_at_the_first_end(kind):
    tokenizer = make(kind)
    ids = tokenizer.encode("the cat sat").tolist()
    written = np.array([START, PAD, *ids, END, *ids, END, PAD])
    assert tokenizer.decode(written) == "the cat sat"
    assert tokenizer.decode(iter([*ids, PAD, PAD])) == "the cat sat"
    assert tokenizer.decode([END, *ids]) == ""
    assert tokenizer.tokens(range(4)) == ["<pad>", "<s>", "</s>", "<unk>"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unknown_is_told(kind):
    tokenizer = make(kind)
    ids = tokenizer.encode("the Ω cat")
    assert np.count_nonzero(ids == UNKNOWN) == 1 == tokenizer.unknown("Ω")
    assert tokenizer.decode(ids) == "the <unk> cat"
    for text in ("<s>", "</s>", "the <pad> cat"):  # no text makes special ones
        assert not np.isin(tokenizer.encode(text), [PAD, START, END]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_description_travels_as_json(kind):
    tokenizer = make(kind)
    again = load_tokenizer(json.loads(json.dumps(tokenizer.describe())))
    assert type(again) is kind and len(again) == len(tokenizer)
    assert again.describe() == tokenizer.describe()
    for text in [*TEXTS, "un Éléphant; (yes)?"]:
        ids = tokenizer.encode(text)
        np.testing.assert_array_equal(again.encode(text), ids)
        assert again.decode(ids) == tokenizer.decode(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_numbers_are_refused(kind):
    tokenizer = make(kind)
    last = len(tokenizer) - 1
    for wrong in (-1, last + 1):
        for method in (tokenizer.decode, tokenizer.tokens):
            with pytest.raises(DataError, match=f"0 to {last}. .*: {wrong}"):
                method([5, wrong])
    for wrong in (np.ones((2, 2), int), [1.5]):
        with pytest.raises(DataError, match="one row of whole numbers"):
            tokenizer.decode(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_without_tokens_are_refused(kind):
    for texts in ([], [""], iter([])):
        with pytest.raises(DataError, match="texts are empty"):
            make(kind, texts)
    with pytest.raises(ConfigError, match='several texts.*: "the cat"'):
        make(kind, "the cat")


@pytest.mark.parametrize("method", ["unigram", "bpe"])
def test_subwords_are_as_many_as_texts_give(method):
    settings = {"method": method, "at_most": True}
    few = make(SubwordTokenizer, vocabulary_size=5000, **settings)
    assert 10 < len(few) < 5000
    with pytest.raises(DataError, match=f"{len(few)} is the largest"):
        make(SubwordTokenizer, vocabulary_size=5000, method=method)
    assert len(make(SubwordTokenizer, vocabulary_size=30, **settings)) == 30


def test_short_texts_have_subwords():
    tokenizer = SubwordTokenizer.of(["ab", "ba"], vocabulary_size=7)
    assert tokenizer.decode(tokenizer.encode("abba")) == "abba"


def test_spelling_of_a_special_token_makes_none():
    tokenizer = WordTokenizer(["x"])
    found = tokenizer.numbers(["<s>", "x", "</s>", "<pad>", "y"])
    assert found.tolist() == [3, 4, 3, 3, 3]


def test_tokenizers_need_no_tensorflow():
    code = (
        "import sys; from toolkit.text import load_tokenizer, WordTokenizer\n"
        "load_tokenizer(WordTokenizer.of(['a b']).describe()).encode('a')\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    found = set(done.stdout.split())
    assert "numpy" in found
    assert not found & {"tensorflow", "keras", "sentencepiece"}


# Vocabularies


@pytest.mark.parametrize("kind", [CharacterTokenizer, WordTokenizer])
def test_the_frequent_ones_are_kept(kind):
    few = make(kind, ["a", "a", "a", "c", "c", "b", "b", "d"], min_count=2)
    assert [few.unknown(t) for t in "abcd"] == [0, 0, 0, 1]
    few = make(kind, ["a", "a", "a", "c", "c", "b", "b"], max_vocabulary=6)
    assert len(few) == 6
    assert [few.unknown(t) for t in "abc"] == [0, 0, 1]  # b before c
    with pytest.raises(DataError, match='min_count=4 .*"a", occurs 3 times'):
        make(kind, ["a", "a", "a", "b"], min_count=4)
    with pytest.raises(ConfigError, match="`min_count`.* at least 1.*=0"):
        make(kind, TEXTS, min_count=0)
    with pytest.raises(ConfigError, match="`max_vocabulary`.* 5.*=4"):
        make(kind, TEXTS, max_vocabulary=4)


def test_the_order_of_texts_does_not_matter():
    one, two = (WordTokenizer.of(some) for some in (TEXTS, TEXTS[::-1]))
    assert one.describe() == two.describe()


# Words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("I don't, we'll!", "I|don|'t|,|we|'ll|!"),
        ("Qu'est-ce que c'est ?", "Qu'|est|-ce|que|c'|est|?"),
        ("Va-t'en aujourd’hui", "Va|-t'|en|aujourd'|hui"),
        ("«Où», dit-il…", "«|Où|»|,|dit|-il|…"),
        ("At 7:30 p.m. I had 1,234.5 $.", "At|7:30|p.m.|I|had|1,234.5|$|."),
        ("Wait... - no 'x'", "Wait|...|-|no|'|x|'"),
        ("e\u0301te\u0301 co\xadop", "été|coop"),
        ("हिन्दी में", "हिन्दी|में"),
        ("O'Neil's cats' X's", "O'|Neil|'s|cats|'|X|'s"),
        ("1,2 x1.5 2nd", "1,2|x1|.|5|2nd"),
    ],
)
def test_words_and_marks_are_parted(text, tokens):
    tokenizer = WordTokenizer(["x"], lower=False)
    assert tokenizer.split(text) == tokens.split("|")
    lower = WordTokenizer(["x"], lower=True)
    assert lower.split(text) == tokens.lower().split("|")


FRENCH = ["Va !", "Qui est-ce ?", "Il a dit : « Va, l'ami » ; oui.", "A (b) c."]
ENGLISH = ["Go!", "Who is it?", 'He said: "Go, my friend"; yes.', "A (b) c."]


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        (FRENCH, "Est-ce « l'ami », oui ? Va (a) : dit ; c !"),
        (ENGLISH, 'Is it "my friend", yes? Go (a): "said"; c!'),
        (ENGLISH, '"Go" "yes", "A".'),
        (["don't o'clock well-known e.g. so ..."], "e.g. don't o'clock so"),
        (["a - b", "it costs $5", "5% of it"], "a - b costs $5 of 5% it"),
    ],
)
def test_marks_stand_as_they_do_in_the_texts(texts, text):
    tokenizer = WordTokenizer.of([*texts, text.replace(" ", "  ")], lower=False)
    assert tokenizer.unknown(text) == 0
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_lower_case_is_optional():
    assert WordTokenizer.of(["Go"]).unknown("go GO") == 0
    assert WordTokenizer.of(["Go"], lower=False).unknown("go GO Go") == 2


def test_real_sentences_come_back():
    path = SHARED / "translation" / "fra-eng.tsv.gz"
    if not path.is_file():
        pytest.skip("the translations are not beside this checkout")
    from toolkit.data.pair_files import read_pairs

    pairs = read_pairs(path)[0][::20]
    for side, least in ((0, 0.999), (1, 0.99)):
        texts = [
            " ".join(pair[side].replace("’", "'").split()) for pair in pairs
        ]
        tokenizer = WordTokenizer.of(texts, lower=False)
        same = [tokenizer.decode(tokenizer.encode(t)) == t for t in texts]
        assert np.mean(same) > least


# Subwords


@pytest.mark.parametrize("method", ["unigram", "bpe"])
def test_the_same_texts_give_the_same_model(method):
    one, two = (make(SubwordTokenizer, method=method) for _ in range(2))
    assert one.model == two.model and len(one) == 32
    assert len(one.encode("the dogs")) < len("the dogs")


def test_methods_differ():
    one, two = (make(SubwordTokenizer, method=m) for m in ("unigram", "bpe"))
    assert one.model != two.model


@pytest.mark.parametrize("method", ["unigram", "bpe"])
def test_the_largest_vocabulary_is_named(method):
    with pytest.raises(DataError, match="too short for .*=5000; ") as found:
        make(SubwordTokenizer, vocabulary_size=5000, method=method)
    most = int(str(found.value).split("; ")[1].split()[0])
    largest = make(SubwordTokenizer, vocabulary_size=most, method=method)
    assert len(largest) == most
    with pytest.raises(DataError, match=f"; {most} is the largest"):
        make(SubwordTokenizer, vocabulary_size=most + 1, method=method)


def test_the_smallest_vocabulary_is_named():
    with pytest.raises(DataError, match="=6 does not hold .* at least ") as it:
        make(SubwordTokenizer, vocabulary_size=6)
    least = int(str(it.value).split("at least ")[1].split(",")[0])
    assert least == 4 + len(set("".join(TEXTS)))
    assert len(make(SubwordTokenizer, vocabulary_size=least)) == least


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocabulary_size": 4}, "`vocabulary_size`.* at least 5.*=4"),
        ({"vocabulary_size": 40.0}, "`vocabulary_size`.*=40.0"),
        ({"method": "bep"}, 'Unknown method "bep".*"bpe".*unigram, bpe'),
        ({"character_coverage": 0.0}, r"in \(0, 1\].*=0.0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(SubwordTokenizer, **settings)


def test_long_texts_are_not_left_out():
    texts = [*TEXTS, "ж" + "the cat " * 2000]  # SentencePiece stops at 4192
    assert make(SubwordTokenizer, texts).unknown("ж") == 0


# Damage


def damaged(kind, **changes):
    return {**make(kind).describe(), **changes}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ([], r'dictionary with a "kind". Received: \[\]'),
        ({"words": []}, 'dictionary with a "kind"'),
        ({"kind": "word"}, 'kind of tokenizer "word".*"words"'),
        ({"kind": "words"}, '"spacing" must be a dict. Received: None'),
        (damaged(WordTokenizer, words="ab"), '"words" must be a list'),
        (damaged(WordTokenizer, words=[]), "at least one token"),
        (damaged(WordTokenizer, words=["a", 1]), "Received: 1 as number 5"),
        (damaged(WordTokenizer, words=["a", ""]), "Received: '' as number 5"),
        (damaged(WordTokenizer, words=["a", "a"]), 'Token 5, "a", is token 4'),
        (damaged(WordTokenizer, words=["<s>"]), '4, "<s>", is token 1'),
        (damaged(WordTokenizer, lower=1), '"lower" must be a bool'),
        (damaged(WordTokenizer, spacing={"!": " "}), '"!" must be a list'),
        (damaged(WordTokenizer, spacing={"!": ["", "x"]}), "Beside a mark"),
        (damaged(CharacterTokenizer, characters=["a"]), "must be a str"),
        (damaged(CharacterTokenizer, characters="aba"), 'Token 6, "a"'),
        (damaged(CharacterTokenizer, characters=""), "at least one token"),
        (damaged(SubwordTokenizer, model="%"), "is no base64"),
        (damaged(SubwordTokenizer, model="AAAA"), "has the sha256 709e80"),
        (damaged(SubwordTokenizer, sha256=None), '"sha256" must be a str'),
    ],
)
def test_damaged_descriptions_are_refused(description, message):
    with pytest.raises(DataError, match=message):
        load_tokenizer(description)


def test_foreign_models_are_refused():
    import io

    from sentencepiece import SentencePieceTrainer

    for model in (b"", b"\x00" * 40, b"no model"):
        with pytest.raises(DataError, match="No SentencePiece model: "):
            SubwordTokenizer(model)
    written = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=written, vocab_size=32,
        minloglevel=2,
    )  # fmt: skip
    with pytest.raises(DataError, match=r"Received: \(-1, 1, 2, 0\).*pad_id=0"):
        SubwordTokenizer(written.getvalue())
    model = make(SubwordTokenizer).model
    assert base64.b64decode(make(SubwordTokenizer).describe()["model"]) == model


def test_what_is_no_character_is_refused():
    with pytest.raises(DataError, match="one character here. Received: 'ab'"):
        CharacterTokenizer(["a", "ab"])
    with pytest.raises(DataError, match='several tokens.*: "ab"'):
        WordTokenizer("ab")
