"""The page of a run that learned vectors of words."""

import base64
import html.parser
import json
import re
import shutil
import subprocess
import urllib.parse

import numpy as np
import pytest
import yaml

from recipes._report import files, word_explorer, words, write_report
from toolkit.errors import RunError
from toolkit.evaluation import relation_table
from toolkit.text import Vocabulary, WordVectors, write_word2vec

PAIRS = ("return:returned", "use:used", "call:called", "pass:passed",
         "apply:applied")  # fmt: skip
HOSTILE = ("</script><b>x</b>", "<!--<script>", "-->", "&lt;", "'\"`${x}", "%",
           "日本", "a\u2028b", "قط", "\\u003c", "]]>", "x" * 300)  # fmt: skip
QUERIES = [
    {"word": "array", "expected": ["ndarray", "list"],
     "found": ["list", "</script><b>x</b>"]},
    {"word": "row", "expected": ["column"], "found": ["-->", "日本"]},
    {"word": "king", "expected": ["queen"], "found": []},
]  # fmt: skip


def vectors(counts=True, more=200):
    """Some words, one with a vector of zeros, some pairs of a relation."""
    drawn = np.random.default_rng(3)
    pairs = [word for pair in PAIRS for word in pair.split(":")]
    names = ["array", "list", "zero", "row", "ndarray", *HOSTILE, *pairs]
    names += [f"word{i}" for i in range(more)]
    points = drawn.normal(size=(len(names), 12))
    points[2] = 0
    first = names.index("return")
    shift = 5 * np.eye(12)[0]
    for i in range(first, first + len(pairs), 2):
        points[i + 1] = points[i] + shift
    numbers = np.arange(len(names), 0, -1) * 7 if counts else None
    return WordVectors(Vocabulary(names, numbers), points)


def make_run(path, word_vectors, queries=QUERIES):
    """A run directory without training."""
    path.mkdir(exist_ok=True)
    (path / "config.yaml").write_text(yaml.safe_dump({"recipe": "word2vec"}))
    counted = word_vectors.vocabulary.counts is not None
    write_word2vec(
        path / "vectors.bin",
        word_vectors,
        vocabulary_path=path / "vocabulary.txt" if counted else None,
    )
    evaluation = {
        "headline": "some words", "tiles": {}, "parameters": 1,
        "train_seconds": 1.0, "metrics": {}, "examples": "words",
        "queries": queries,
    }  # fmt: skip
    (path / "evaluation.json").write_text(json.dumps(evaluation))
    return path


class Page(html.parser.HTMLParser):
    """What a browser makes of a page: elements, words, tables, data."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.rows, self.marks = [], [], [], []
        self.data, self.open = "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, text):
        if self.open and self.open[-1] == "script":
            if self.tags[-1][1].get("id") == "word-data":
                self.data += text
            return
        self.words.append(text)
        if "td" in self.open:
            self.rows[-1][-1] += text
        if "mark" in self.open:
            self.marks.append(text)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def unpacked(self):
        found = json.loads(self.data)
        for name, kind, width in (
            ("places", "<i2", 2), ("neighbours", "<i4", 10),
            ("cosines", "<i2", 10),
        ):  # fmt: skip
            values = np.frombuffer(base64.b64decode(found[name]), kind)
            found[name] = values.reshape(-1, width)
        return found


def page_of(path):
    return Page(write_report(path).read_text("utf-8"))


@pytest.fixture(scope="module")
def known():
    return vectors()


@pytest.fixture(scope="module")
def run(known, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("word2vec"), known)


@pytest.fixture(scope="module")
def page(run):
    return page_of(run)


def test_table_marks_the_expected_words(page):
    rows = {row[0]: row[1:] for row in page.rows if len(row) == 4}
    assert rows["array"] == ["list, </script><b>x</b>", "ndarray, list", "yes"]
    assert rows["row"] == ["-->, 日本", "column", "no"]
    assert "king" not in rows
    assert page.marks[0] == "list" and "日本" not in page.marks
    assert "in 1 of 2 queries" in page.text
    assert "lacks do not count: king." in page.text


def test_neighbours_of_the_page_are_those_of_the_vectors(page, known):
    found = page.unpacked()
    assert found["listed"] == len(found["words"]) == len(known)
    for word, row, cosines in zip(
        found["words"], found["neighbours"], found["cosines"], strict=True
    ):
        if word == "zero":
            assert set(row) == {-1} and not cosines.any()
            continue
        expected = known.neighbours(word)
        assert [found["words"][i] for i in row] == [w for w, _ in expected]
        np.testing.assert_allclose(
            cosines / 10_000, [cosine for _, cosine in expected], atol=6e-5
        )


def test_words_come_with_their_counts_and_proposals(page, known):
    found = page.unpacked()
    assert found["words"] == list(known.vocabulary.words)
    assert found["counts"] == known.vocabulary.counts.tolist()
    tried = [found["words"][i] for i in found["tried"]]
    assert tried[:4] == ["array", "row", "apply", "applied"]


def test_places_are_the_principal_components(page, known):
    from sklearn.decomposition import PCA

    places = page.unpacked()["places"].astype(float)
    expected = PCA(2).fit_transform(known.normalized)
    scale = 32_767 / np.abs(expected).max()  # one for both axes
    np.testing.assert_allclose(np.abs(places), scale * np.abs(expected), atol=2)


def test_rare_words_have_a_place_but_no_neighbours(known, monkeypatch):
    monkeypatch.setattr(word_explorer, "LISTED", 6)
    data, share = word_explorer.map_data(known, ["word7", "array"])
    assert data["listed"] == 7 and data["words"][6] == "word7"
    assert data["tried"] == [6, 0] and 0 < share < 1
    count = len(data["words"])
    assert 7 < count <= 77 and len(set(data["words"])) == count
    assert len(base64.b64decode(data["places"])) == 4 * count
    near = np.frombuffer(base64.b64decode(data["neighbours"]), "<i4")
    assert [data["words"][i] for i in near[60:70]] == [
        word for word, _ in known.neighbours("word7")
    ]


def test_blocks_of_words_give_the_same_neighbours(known, monkeypatch):
    rows = np.array([5, 0, 40, 2, 7])
    whole = word_explorer.nearest(known, rows, 4)
    monkeypatch.setattr(word_explorer, "SCORES", 2 * len(known))
    for one, other in zip(
        whole, word_explorer.nearest(known, rows, 4), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_of_equal_words_the_more_frequent_is_nearer():
    points = np.random.default_rng(0).normal(size=(40, 6))
    points[20:] = points[:20]
    known = WordVectors(Vocabulary([f"w{i}" for i in range(40)]), points)
    found, _ = word_explorer.nearest(known, np.arange(40), 5)
    for row, number in zip(found, range(40), strict=True):
        assert row[0] == (number + 20) % 40
        assert row[2] == row[1] + 20 and row[4] == row[3] + 20


def test_vectors_of_zeros_are_near_nothing():
    known = WordVectors(Vocabulary(["a", "b", "c"]), [[1, 0], [-1, 0], [0, 0]])
    found, cosines = word_explorer.nearest(known, np.arange(3), 2)
    assert found.tolist() == [[1, -1], [0, -1], [-1, -1]]
    assert cosines.tolist() == [[-1, 0], [-1, 0], [0, 0]]


def test_relation_that_is_known_best_is_drawn_and_tabulated(page, known):
    name, pairs = words.best_family(known)
    assert name == "verb to its past participle"
    assert {":".join(pair) for pair in pairs} == set(PAIRS)
    assert f"From {name}" in page.text
    rows = {row[0]: row[1:] for row in page.rows if len(row) == 4}
    others = [first for first, _ in pairs[1:]]
    for word, answers in relation_table(known, "apply:applied", others).rows:
        assert rows[word][0] == ", ".join(f"{a} {s:.2f}" for a, s in answers)
        assert rows[word][2] == "yes"
    assert "comes first in 4 of 4, and is among the three in 4" in page.text


def test_family_with_few_pairs_is_left_out(tmp_path):
    names = [f"word{i}" for i in range(30)] + ["use", "used"]
    points = np.random.default_rng(0).normal(size=(32, 4))
    run = make_run(tmp_path, WordVectors(Vocabulary(names), points), [])
    text = page_of(run).text
    assert "verb" not in text and "Look for a word" in text


def test_query_beyond_the_words_that_are_read_is_left_out(known):
    beyond = [{"word": "array", "expected": ["gone"], "found": ["away"]}]
    assert words.chosen(known, beyond) == {"array": "array"}


def test_map_takes_words_of_the_queries_in_turns(known, monkeypatch):
    found = words.chosen(known, QUERIES)
    assert list(found.items()) == [
        ("array", "array"), ("row", "row"), ("list", "array"), ("-->", "row"),
        ("</script><b>x</b>", "array"), ("日本", "row"), ("ndarray", "array"),
    ]  # fmt: skip
    monkeypatch.setattr(words, "MAPPED", 3)
    assert list(words.chosen(known, QUERIES)) == ["array", "row", "list"]


def test_words_cannot_change_the_page(page, run):
    names = {tag for tag, _ in page.tags}
    assert "b" not in names and page.unpacked()["words"][5:17] == list(HOSTILE)
    assert len(page.of("script")) == 2
    text = (run / "report.html").read_text("utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert "</script><b" not in text and "<!--<script>" not in text
    data = text[text.index('id="word-data">') + 15 :].partition("</script")[0]
    assert not set("<>&\u2028") & set(data)


def test_page_needs_nothing_from_outside(page, run):
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "data", "action"):
            value = attributes.get(name)
            assert not value or value.startswith(("#", "data:")), (tag, value)
    for name in ("word_map.js", "words.js", "words.css"):
        text = str(word_explorer.asset(name))
        assert not re.search(r"https?:|url\(|import|fetch|</|innerHTML", text)


def test_page_without_script_keeps_its_pictures(page):
    (explorer,) = (a for a in page.of("div") if a.get("id") == "word-explorer")
    assert "hidden" in explorer and page.of("noscript")
    pictures = [a for a in page.of("svg") if a.get("role") == "img"]
    assert len(pictures) == 2 and all(a["aria-label"] for a in pictures)


def test_page_of_many_words_stays_below_three_megabytes(tmp_path):
    drawn = np.random.default_rng(1)
    names = [f"{'слово' * 2}{i}" for i in range(12_000)]
    names[:3] = ["array", "list", "row"]
    numbers = np.arange(len(names), 0, -1) * 1000
    points = drawn.normal(size=(len(names), 8))
    run = make_run(tmp_path, WordVectors(Vocabulary(names, numbers), points))
    assert write_report(run).stat().st_size < 3_000_000


def test_page_says_when_it_looks_at_frequent_words_only(
    run, tmp_path, monkeypatch
):
    assert "looks among all 227 words" in page_of(run).text
    monkeypatch.setattr(files, "MOST_WORDS", 50)
    monkeypatch.setattr(words, "MOST_WORDS", 50)
    copy = shutil.copytree(run, tmp_path / "run")
    page = page_of(copy)
    assert "looks among the 50 most frequent words" in page.text
    assert len(page.unpacked()["words"]) == 50


@pytest.mark.parametrize(
    "points", [[[1, 2]], [[1, 2], [1, 2], [1, 2]], np.zeros((2, 3)), [[1], [2]]]
)
def test_page_of_words_that_have_no_map(tmp_path, points):
    names = ["array", "list", "row"][: len(points)]
    run = make_run(tmp_path, WordVectors(Vocabulary(names), points))
    page = page_of(run)
    assert page.unpacked()["words"] == names
    assert page.unpacked()["counts"] is None
    if len(points) == 3:
        assert "There is no map: `vectors` must be finite" in page.text


def test_run_without_vectors_has_no_words_and_no_script(run, tmp_path):
    shutil.copy(run / "config.yaml", tmp_path)
    found = json.loads((run / "evaluation.json").read_text())
    found |= {"texts": [], "sha256": "0"}
    (tmp_path / "evaluation.json").write_text(json.dumps(found))
    text = write_report(tmp_path).read_text()
    assert 'id="writing"' in text and 'id="words"' not in text
    assert "<script" not in text


def test_damaged_vectors_are_named(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    whole = (copy / "vectors.bin").read_bytes()
    (copy / "vectors.bin").write_bytes(whole[:-100])
    with pytest.raises(RunError, match=r'vectors\.bin" is damaged.*cut off'):
        write_report(copy)


@pytest.mark.skipif(
    not shutil.which("chromium"), reason="no chromium to run the script in"
)
@pytest.mark.parametrize(
    ("fragment", "word"),
    [
        (urllib.parse.quote("</script><b>x</b>", ""), "</script><b>x</b>"),
        ("%", "%"),  # not encoded as it should be
        ("zero", "zero"),
    ],
)
def test_browser_shows_the_neighbours(run, known, tmp_path, fragment, word):
    write_report(run)
    done = subprocess.run(
        [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
            f"--user-data-dir={tmp_path}", "--dump-dom",
            f"file://{run}/report.html#word={fragment}",
        ],
        capture_output=True,
        check=True,
        timeout=60,
    )  # fmt: skip
    text = done.stdout.decode("utf-8")
    listed = text[text.index('class="found"') :].partition("</ol>")[0]
    items = re.findall(r"<li class=\"near\">(.*?)</li>", listed)
    shown = [" ".join(Page(item).words) for item in items]
    expected = known.neighbours(word) if word != "zero" else []
    assert shown == [f"{name} {cosine:.2f}" for name, cosine in expected]
    said = Page(listed.partition("<ol>")[0]).text
    count = known.vocabulary.counts[known.vocabulary.number(word)]
    assert word in said and f"{count:,} times in the text" in said
