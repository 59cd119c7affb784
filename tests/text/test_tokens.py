"""What a word is, and the numbers of words."""

import collections
import itertools
import random
import re

import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.text import TOKENS, tokenizer, word_numbers
from toolkit.text.tokens import separator
from toolkit.text.word_numbers import WordNumbers


def words(text):
    return tokenizer("words")(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The CAT, the cat.", "the cat the cat"),
        ("Don't 'stop' dogs' --well-known--", "don't stop dogs well-known"),
        ("don\u2019t co\u00adoperate", "don't cooperate"),
        ("well\u2010known well\u2011known", "well-known well-known"),
        ("a--b rock-'n'-roll -'- '", "a b rock n roll"),
        ("3.14 1,000 2-3 90's snake_case", "3 14 1 000 2-3 90's snake case"),
        ("Übermut ÉTÉ Ёлка ΟΔΟΣ ὁδός", "übermut été ёлка οδος ὁδός"),
        ("हिन्दी, नहीं। می\u200cخواهم", "हिन्दी नहीं می\u200cخواهم"),
        ("東京 です。と", "東京 です と"),
        ("e\u0301te\u0301 x\u00b2", "e\u0301te\u0301 x\u00b2"),
        ("a\ufffdb \U0001f600 c\u3000d\x0ce\0f", "a b c d e f"),
        ("\udcff a \ud800b", "a b"),
        ("", ""),
        ("'", ""),
        ("- é", "é"),
    ],
)
def test_words_are_lower_case_with_inner_apostrophes(text, expected):
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("words", ["the", "<unk>", "-", "cat", "<unk>", "unk"]),
        ("whitespace", ["The", "<unk>", "-", "cat", "<unk>", "<UNK>"]),
        ("text8", ["the", "<unk>", "cat", "<unk>", "unk"]),
    ],
)
def test_a_mark_stays_a_word(tokens, expected):
    expected = [word for word in expected if tokens != "words" or word != "-"]
    text = "The <unk> - cat <unk> <UNK>"
    assert tokenizer(tokens, "<unk>")(text) == expected
    found = separator(tokens, "<unk>")(text).decode().split()
    assert found == expected


def test_words_of_ascii_are_those_of_a_regular_expression():
    rng = random.Random(0)
    for length in (*range(6), 500):
        for _ in range(50):
            text = "".join(rng.choices("aB3'-_. \n", k=length))
            expected = re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", text.lower())
            assert words(text) == expected
            # The same rules where characters are no bytes.
            assert words(text + " é") == [*expected, "é"]


def test_text8_is_what_the_script_of_matt_mahoney_makes():
    def wikifil(text):  # its last lines, in Python
        text = re.sub("[A-Z]", lambda m: m[0].lower(), f" {text} ")
        names = "zero one two three four five six seven eight nine".split()
        for digit, name in enumerate(names):
            text = text.replace(str(digit), f" {name} ")
        return re.sub("[^a-z]+", " ", text)

    text = "In 1987, Café-Bar's\tÜBER 0x9F\n\nthe_END\0z İ \U0001f600"
    expected = wikifil(text).split()
    assert tokenizer("text8")(text) == expected
    assert expected[:5] == ["in", "one", "nine", "eight", "seven"]
    assert expected[5:10] == ["caf", "bar", "s", "ber", "zero"]


def test_whitespace_is_that_of_str_split():
    every = "".join(map(chr, range(0x3010))) + "\u3000end"
    assert tokenizer("whitespace")(every) == every.split()
    assert separator("whitespace")(every).decode().split(" ")[-1] == "end"
    numbers = WordNumbers()
    numbers(separator("whitespace")(every))
    found = [word.decode() for word in numbers.words()]
    assert found == list(dict.fromkeys(every.split()))


@pytest.mark.parametrize("tokens", TOKENS)
def test_separator_keeps_layout_and_may_get_blocks(tokens):
    text = "One two\n\nÉté 3\0It's \n well-known\n"
    separate = separator(tokens)
    whole = separate(text)
    assert [whole.count(mark) for mark in (b"\n", b"\0")] == [4, 1]
    blocks = re.findall(r"\S+\s*", text)
    assert b"".join(map(separate, blocks)).split() == whole.split()


def test_unknown_tokens_are_refused():
    with pytest.raises(
        ConfigError, match='tokens "word". Did you mean "words"'
    ):
        tokenizer("word")


# Numbers


def reference():
    table = collections.defaultdict(itertools.count().__next__)
    return lambda text: [table[word] for word in text.split()], table


@pytest.mark.parametrize("bits", [(1, 1, 1, 1), (19, 18, 17, 16)])
def test_numbers_are_those_of_a_dictionary(monkeypatch, bits):
    """One bit is two slots: nearly all words want one that is taken."""
    monkeypatch.setattr(word_numbers, "BITS", bits)
    rng = random.Random(1)
    numbers, (expected, table) = WordNumbers(), reference()
    for _ in range(200):
        text = b"".join(
            bytes(rng.choices(b"ab\xc3", k=rng.choice((1, 2, 7, 8, 9, 40))))
            + rng.choice((b" ", b"\n", b"  \t", b"\x1f"))
            for _ in range(rng.randrange(30))
        )
        text = text[rng.randrange(3) :].rstrip() if rng.random() < 0.5 else text
        text = text.replace(b"\x1f", b" ") if rng.random() < 0.5 else text
        found = numbers(text)
        assert found.dtype == np.int32
        assert found.tolist() == expected(text.replace(b"\x1f", b" "))
    assert numbers.words() == list(table) and len(numbers) == len(table)


@pytest.mark.parametrize("bits", [(1, 1, 1, 1), (19, 18, 17, 16)])
@pytest.mark.parametrize("length", range(1, 41))
def test_words_that_differ_in_one_byte_get_two_numbers(
    monkeypatch, length, bits
):
    monkeypatch.setattr(word_numbers, "BITS", bits)
    word = bytes(range(97, 97 + 26))[:length].ljust(length, b"x")
    others = [
        word[:place] + b"~" + word[place + 1 :] for place in range(length)
    ]
    text = b" ".join([word, *others, word + b"x", word[1:] or b"y"])
    numbers = WordNumbers()
    for _ in range(2):  # by the dictionary, then by a table
        assert numbers(text).tolist() == list(range(length + 3))


def test_marks_come_first_and_empty_texts_have_no_words():
    numbers = WordNumbers([b"\0D", b"\0L"])
    assert numbers(b"a \0L b \0D").tolist() == [2, 1, 3, 0]
    assert numbers(b"").tolist() == numbers(b" \n").tolist() == []
    assert numbers.words() == [b"\0D", b"\0L", b"a", b"b"]
