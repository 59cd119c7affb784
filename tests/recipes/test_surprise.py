"""The page that colours a text by its surprise."""

import html.parser
import re
from importlib import resources

import numpy as np
import pytest

from recipes._report.surprise import LEVELS, SHOWN, write_surprise_page
from toolkit.errors import ConfigError, DataError

NATS = np.log(2)  # of one bit


class Page(html.parser.HTMLParser):
    """Tokens with class and title, rows of the table, text."""

    def __init__(self, path):
        super().__init__()
        self.tokens, self.rows, self.words, self.tags = [], [], [], []
        self._inside = self._token = self._cell = False
        self.feed(path.read_text("utf-8"))
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag == "div":
            self._inside = attributes.get("class", "").startswith("surprise")
        if tag == "span" and self._inside:
            self.tokens.append([attributes["class"], attributes["title"], ""])
            self._token = True
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag == "span":
            self._token = False
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data):
        self.words.append(data)
        if self._token:
            self.tokens[-1][2] += data
        elif self._inside:
            self.tokens[-1].append(data)
        if self._cell:
            self.rows[-1][-1] += data


def write(path, tokens, bits, **options):
    losses = NATS * np.array(bits)
    return Page(write_surprise_page(path / "p.html", tokens, losses, **options))


def test_every_word_shows_its_bits_and_probability(tmp_path):
    words = ["the", "cat", "<unk>", "sat", "<eos>", "a"]
    page = write(tmp_path, words, [3, 1, 15.99, 16, 99], text="cats.txt")
    kinds, titles, texts, after = zip(*page.tokens[:-1], strict=True)
    assert kinds == ("first", "s1", "s0 unknown", "s7", "s8")
    assert page.tokens[-1][0] == f"s{LEVELS - 1}"
    assert texts == ("the", "cat", "<unk>", "sat", "\u21b5")
    assert after == (" ", " ", " ", " ", "\n")
    assert titles[1] == "cat: 3.00 bits, P = 0.12"
    assert titles[4] == "\u21b5 (end of line): 16.00 bits, P = 1.5e-05"
    assert "all 5 words, 27.00 bits each" in page.text
    assert "word of cats.txt" in page.text
    assert "the model does not know" in page.text


def test_characters_have_finer_colours_and_no_unknown_ones(tmp_path):
    text = "ab\n\x00 c"
    page = write(tmp_path, text, [0.5, 1, 7.9, 8, 2], unit="character")
    assert [token[0] for token in page.tokens] == [
        "first", "s0", "s1", "s7", "s8", "s2",
    ]  # fmt: skip
    assert [token[2] for token in page.tokens] == [
        "a", "b", "\u21b5", r"\u0000", " ", "c",
    ]  # fmt: skip
    assert page.tokens[2][3] == "\n"
    assert page.tokens[4][1].startswith("blank: 8.00 bits")
    assert "does not know" not in page.text


def test_most_surprising_ones_come_first_with_what_stood_before(tmp_path):
    words = [f"w{i}" for i in range(30)]
    bits = np.arange(29) % 7 + 0.25
    page = write(tmp_path, words, bits)
    rows = page.rows[1:]
    order = np.argsort(-bits, kind="stable")[:15]
    assert [row[0] for row in rows] == [f"w{i + 1}" for i in order]
    assert rows[1][1] == "w6 w7 w8 w9 w10 w11 w12 w13"
    assert rows[0][2:] == ["6.25", "0.013"]


def test_text_is_escaped(tmp_path):
    words = ["a", '<script>"&', "b"]
    page = write(
        tmp_path, words, [1, 2], text="<b>x.txt", model='runs/"<i>', total=9
    )
    text = (tmp_path / "p.html").read_text()
    assert "script" not in page.tags and "b" not in page.tags
    assert page.tokens[1][2] == words[1] and words[1] in page.tokens[1][1]
    assert "the first 2 of 9 words" in page.text
    assert '<b>x.txt, read by runs/"<i>' in page.text
    assert not re.search(r"(src|href)=\"(?!#)|url\((?!#)|@import", text)


def test_long_text_is_cut_and_the_page_says_so(tmp_path):
    bits = [1.0] * SHOWN + [50.0] * 500
    page = write(tmp_path, ["x"] * (SHOWN + 501), bits)
    assert len(page.tokens) == SHOWN + 1
    assert "the first 2,000 of 2,500 words, 1.00 bits each" in page.text


@pytest.mark.parametrize(
    ("tokens", "losses", "unit", "error", "message"),
    [
        ("ab", [1.0], "byte", ConfigError, "one of character, word.*'byte'"),
        ("ab", [1.0, 2.0], "word", DataError, r"2 tokens.*\(2,\)"),
        ("a", [], "word", DataError, "at least one"),
        ("ab", [np.nan], "word", DataError, "finite"),
        ("ab", [-0.1], "word", DataError, "at least 0.*-0.14"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    tokens, losses, unit, error, message, tmp_path
):
    path = tmp_path / "p.html"
    path.write_text("as it was")
    with pytest.raises(error, match=message):
        write_surprise_page(path, tokens, losses, unit=unit)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_loss_of_a_hair_below_zero_is_certain(tmp_path):
    page = write(tmp_path, "ab", [-1e-7])
    assert page.tokens[1][:2] == ["s0", "b: 0.00 bits, P = 1"]


def luminance(colour):
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in values
    ]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


@pytest.mark.parametrize("dark", [0, 1])
def test_colours_are_told_apart_and_leave_the_text_legible(dark):
    style = resources.files("recipes._report")
    css = style.joinpath("surprise.css").read_text()
    grounds = re.findall(r"--s(\d): (#\w{6})", css)
    grounds = grounds[LEVELS * dark :][:LEVELS]
    assert [int(n) for n, _ in grounds] == list(range(LEVELS))
    inks = re.findall(
        r"--ink: (#\w{6})", style.joinpath("page.css").read_text()
    )
    ink = luminance(inks[dark])
    levels = [luminance(colour) for _, colour in grounds]
    for level in levels:
        low, high = sorted((ink, level))
        assert (high + 0.05) / (low + 0.05) > 4.5  # WCAG 2, AA
    steps = np.diff(levels)
    assert (steps > 0).all() if dark else (steps < 0).all()
