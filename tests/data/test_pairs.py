"""Pairs of sentences from every source, and their splits."""

import datetime
import gzip
import hashlib
import re

import numpy as np
import pytest

from tests.conftest import SHARED
from toolkit.data import load_pairs
from toolkit.data.dates import CASES, date_pairs, formats, write_date
from toolkit.data.pair_splits import take_apart
from toolkit.errors import ConfigError, DataError


def pairs_in(count=400, sentences=150):
    """Pairs in which sources and targets come several times."""
    rng = np.random.default_rng(0)
    return [
        (f"source {i} é", f"target {j}")
        for i, j in rng.integers(0, sentences, (count, 2))
    ]


def write(path, pairs, pack=bytes):
    text = "".join("\t".join(pair) + "\n" for pair in pairs)
    path.write_bytes(pack(text.encode()))
    return str(path)


def parts(data):
    return data.train, data.validation, data.test


# Splits


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize(
    ("distinct", "sides"), [("target", [1]), ("source", [0]), ("both", [0, 1])]
)
def test_splits_share_no_sentence(tmp_path, swap, distinct, sides):
    pairs = pairs_in(300, 300)
    path = write(tmp_path / "p.tsv", pairs)
    data = load_pairs(path, swap=swap, distinct=distinct, test=40, validation=9)
    turned = [pair[::-1] for pair in pairs] if swap else pairs
    assert sorted(sum(map(list, parts(data)), [])) == sorted(turned)
    for side in sides:
        found = [{pair[side] for pair in part} for part in parts(data)]
        assert sum(map(len, found)) == len({pair[side] for pair in turned})
    if distinct != "both":
        assert 40 <= len(data.test) < 46 and 9 <= len(data.validation) < 15
        other = 1 - sides[0]
        found = [{pair[other] for pair in part} for part in parts(data)]
        assert found[0] & found[2]  # nothing was asked of that side


def test_a_sentence_goes_where_its_hash_says(tmp_path):
    pairs = list(dict.fromkeys(pairs_in()))
    first = load_pairs(write(tmp_path / "a", pairs), test=30, validation=30)
    again = load_pairs(
        write(tmp_path / "b", pairs[::-1]), test=30, validation=30
    )
    for one, two in zip(parts(first), parts(again), strict=True):
        assert one == two[::-1]  # in the order of the file
    assert first.train != again.train
    hashes = [
        {hashlib.sha256(t.encode()).digest() for _, t in part}
        for part in parts(first)
    ]
    assert max(hashes[2]) < min(hashes[1]) < max(hashes[1]) < min(hashes[0])


def test_by_default_a_twentieth_is_set_apart(tmp_path):
    pairs = [(f"s{i}", f"t{i}") for i in range(30_000)]
    data = load_pairs(write(tmp_path / "p", pairs))
    assert [len(part) for part in parts(data)] == [28_000, 1_000, 1_000]
    data = load_pairs(str(tmp_path / "p"), max_pairs=200, test=3)
    assert [len(part) for part in parts(data)] == [187, 10, 3]
    assert {int(s[1:]) for part in parts(data) for s, _ in part} == set(
        range(200)
    )


def test_groups_that_share_sentences_do_not_depend_on_the_order():
    # 40 groups of 3 sources and 2 targets, of which any target can be last
    pairs = [
        (f"source {i} {j}", f"target {i} {k}")
        for i in range(40)
        for j, k in ((0, 0), (1, 0), (1, 1), (2, 1))
    ]
    wanted = {"test": 12, "validation": 24}
    expected = take_apart(pairs, wanted, "both")
    assert [len(part) for part in expected.values()] == [124, 12, 24]
    # The least target stands for its group.
    hashes = [
        {hashlib.sha256(f"{t[:-1]}0".encode()).digest() for _, t in part}
        for part in (expected["test"], expected["validation"])
    ]
    assert max(hashes[0]) < min(hashes[1])
    rng = np.random.default_rng(0)
    for order in (np.arange(160)[::-1], *(rng.permutation(160) for _ in "abc")):
        found = take_apart([pairs[i] for i in order], wanted, "both")
        assert {name: sorted(part) for name, part in found.items()} == {
            name: sorted(part) for name, part in expected.items()
        }


@pytest.mark.parametrize(
    ("count", "share"),
    [(2, 1), (39, 1), (40, 2), (20_019, 1_000), (20_040, 1_000)],
)
def test_by_default_the_less_of_a_twentieth_and_1000_is_set_apart(count, share):
    pairs = [(f"s{i}", f"t{i}") for i in range(count)]
    parts = take_apart(pairs, {"test": None}, "target")
    assert [len(part) for part in parts.values()] == [count - share, share]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"test": 0}, ConfigError, "`test` must be .* at least 1.*test=0"),
        ({"validation": 2.0}, ConfigError, "`validation` must.*=2.0"),
        ({"max_pairs": -1}, ConfigError, "`max_pairs`.*max_pairs=-1"),
        ({"distinct": "targt"}, ConfigError, '"targt".*mean "target".*both'),
        ({"test": 99}, DataError, "100 pairs with 100 .* set 1 apart for val"),
        ({"test": 100}, DataError, "set 100 apart for test and train"),
        ({"test": 101}, DataError, "set 101 apart for test and train"),
        ({"languages": "a:b"}, ConfigError, "`languages` .* swap=True.*'a:b'"),
    ],
)
def test_splits_that_cannot_be_are_refused(tmp_path, settings, error, message):
    path = write(tmp_path / "p", [(f"s{i}", f"t{i}") for i in range(100)])
    with pytest.raises(error, match=message):
        load_pairs(path, **{"validation": 1, **settings})


def test_a_group_that_swallows_a_split_is_named(tmp_path):
    # Every source has one of three answers, so that 30 pairs hang together.
    path = write(tmp_path / "p", [(f"s{i}", f"t{i % 3}") for i in range(90)])
    for distinct in ("both", "target"):
        data = load_pairs(path, distinct=distinct)
        assert [len(part) for part in parts(data)] == [30, 30, 30]
        for name, note in zip(("test", "validation"), data.notes, strict=True):
            assert re.match(
                f"30 of 90 pairs are in the {name} split, where 4 were to be: "
                f".*distinct={distinct}",
                note,
            )
    assert load_pairs(path, distinct="source").notes == ()
    with pytest.raises(DataError, match="3 distinct .* linked .* count as one"):
        load_pairs(path, distinct="both", test=40, validation=30)


# Files


def test_file_holds_a_pair_in_each_line(tmp_path):
    content = (
        "\ufeffGo.\tVa !\tCC-BY\textra\r\n\n Run \t Cours\u2028! \n"
        "Go.\tVa !\n  \nHi\tSalut"
    )
    (tmp_path / "p.tsv").write_bytes(content.encode())
    data = load_pairs(str(tmp_path / "p.tsv"), validation=1, test=1)
    found = sorted(sum(map(list, parts(data)), []))
    assert found == [("Go.", "Va !"), ("Go.", "Va !"), ("Hi", "Salut"),
                     ("Run", "Cours\u2028!")]  # fmt: skip
    assert data.notes == (
        "2 empty lines were skipped.",
        "1 of 4 pairs repeat an earlier one.",
    )
    assert data.source == str(tmp_path / "p.tsv")
    whole = "\n".join(
        "".join(f"{s}\t{t}\n" for s, t in part) for part in parts(data)
    )
    assert data.sha256 == hashlib.sha256(f"{whole}\n".encode()).hexdigest()


def test_packed_file_is_the_same(tmp_path):
    one = load_pairs(write(tmp_path / "p.tsv", pairs_in()))
    two = load_pairs(write(tmp_path / "p.tsv.gz", pairs_in(), gzip.compress))
    assert parts(one) == parts(two) and one.sha256 == two.sha256
    swapped = load_pairs(str(tmp_path / "p.tsv"), swap=True, distinct="source")
    assert swapped.sha256 != one.sha256
    assert swapped.test == [(t, s) for s, t in one.test]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", '"[^"]*p" is empty'),
        (b"\n\n \n", "p: there is no pair"),
        (b"a\tb\nc d\n", "p, line 2: must be .* no tab in 'c d'"),
        (b"\na\tb\n\tb\n", r"p, line 3: the source is empty in '\\tb'"),
        (b"a\t \tc\n", "p, line 1: the target is empty"),
        (b"\t\n", "p, line 1: the source is empty"),
        (b"a\tb\n\na\t\xff\n", "p, line 3: .* no UTF-8 .*0xff.*iconv"),
        (b"\x1f\x8bxx", "Cannot read"),
    ],
)
def test_damaged_files_are_refused_by_line(tmp_path, content, message):
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_pairs(str(tmp_path / "p"))


def test_missing_sources_are_refused(tmp_path):
    with pytest.raises(DataError, match='no data source "embeded".*"embedded"'):
        load_pairs("embeded")
    with pytest.raises(DataError, match="holds no train.tsv or train.tsv.gz"):
        load_pairs(str(tmp_path))
    write(tmp_path / "train.tsv", pairs_in())
    write(tmp_path / "train.tsv.gz", pairs_in(), gzip.compress)
    with pytest.raises(DataError, match="train.tsv and train.tsv.gz are both"):
        load_pairs(str(tmp_path))


def test_splits_of_a_folder_are_kept(tmp_path):
    train = [(f"s{i}", f"t{i}") for i in range(60)]
    test = [("x", "t3"), ("s4", "y"), ("s5", "t5")]
    write(tmp_path / "train.tsv.gz", train, gzip.compress)
    write(tmp_path / "test.tsv", test)
    data = load_pairs(str(tmp_path), max_pairs=50)
    assert data.test == test
    assert len(data.train) == 48 and len(data.validation) == 2
    assert sorted([*data.train, *data.validation]) == sorted(train[:50])
    write(tmp_path / "validation.tsv", train[50:])
    for distinct, count in (("target", 2), ("source", 2), ("both", 3)):
        data = load_pairs(str(tmp_path), distinct=distinct, max_pairs=50)
        assert data.train == train[:50] and data.validation == train[50:]
        (note,) = [n for n in data.notes if "test" in n]
        assert note.startswith(f"{count} of 3 test pairs have a ")
    with pytest.raises(ConfigError, match="has a test split .* out.*test=7"):
        load_pairs(str(tmp_path), test=7)


def test_real_sentences_are_split_by_distinct_english_ones():
    path = SHARED / "translation" / "fra-eng.tsv.gz"
    if not path.is_file():
        pytest.skip("the translations are not beside this checkout")
    data = load_pairs(str(path), swap=True)
    assert sum(map(len, parts(data))) == 167_130 and data.notes == ()
    assert 1_000 <= len(data.test) < 1_032 and len(data.validation) < 1_032
    english = [{target for _, target in part} for part in parts(data)]
    assert sum(map(len, english)) == len(set().union(*english)) == 116_830
    assert any(source == "Va !" for part in parts(data) for source, _ in part)


# Dates


YEARS = (1900, 1968, 1969, 1998, 2020, 2068, 2069)


def test_no_text_stands_for_two_dates():
    meant = {}
    for year in YEARS:
        first = datetime.date(year, 1, 1).toordinal()
        for day in range(first, datetime.date(year + 1, 1, 1).toordinal()):
            date = datetime.date.fromordinal(day)
            for form in formats(date):
                for case in set(CASES):
                    text = case(write_date(date, form))
                    assert meant.setdefault(text, date) == date, text
    assert len(meant) > 150_000


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("Sunday, May 3rd, 1998", "1998-05-03"),
        ("the 11th of November 1918", "1918-11-11"),
        ("April 12th, 1961", "1961-04-12"),
        ("13th March 1930", "1930-03-13"),
        ("3.5.1998", "1998-05-03"),
        ("03.05.98", "1998-05-03"),
        ("5/3/1998", "1998-05-03"),
        ("1998/05/03", "1998-05-03"),
        ("May '98, the 22nd", "1998-05-22"),
        ("31 Dec 68", "2068-12-31"),
        ("01/01/69", "1969-01-01"),
        ("Thu, Feb 29, 2024", "2024-02-29"),
    ],
)
def test_dates_are_written_as_people_do(text, iso):
    date = datetime.date.fromisoformat(iso)
    assert text in {write_date(date, form) for form in formats(date)}


def test_two_digits_of_a_year_stand_only_where_they_tell_it():
    for iso, count in (("1968-12-31", 24), ("1969-01-01", 33),
                       ("2068-12-31", 33), ("2069-01-01", 24)):  # fmt: skip
        assert len(formats(datetime.date.fromisoformat(iso))) == count


def test_embedded_dates_are_split_by_date():
    data = load_pairs(max_pairs=4_000)
    assert data == load_pairs("embedded", max_pairs=4_000)
    assert data.train != load_pairs(max_pairs=4_000, seed=1).train
    found = [{iso for _, iso in part} for part in parts(data)]
    assert sum(map(len, found)) == len(set().union(*found))
    days = [datetime.date.fromisoformat(iso) for iso in set().union(*found)]
    assert min(days).year == 1900 and max(days).year == 2099
    assert len(data.test) in (200, 201)
    assert sum(map(len, parts(load_pairs()))) == 20_000
    assert date_pairs(9, seed=3) == date_pairs(99, seed=3)[:9]
    with pytest.raises(ConfigError, match="`seed`.*=-1"):
        load_pairs(seed=-1)


# TensorFlow Datasets


@pytest.fixture(scope="module")
def tfds_set(tmp_path_factory):
    """A translation set of three languages, prepared in a folder."""
    import tensorflow_datasets as tfds

    class ThreeLanguages(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        MANUAL_DOWNLOAD_INSTRUCTIONS = None

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.Translation(("de", "en", "fr")),
                supervised_keys=("fr", "en"),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._some(100), "test": self._some(4)}

        def _generate_examples(self):
            return self._some(0)

        def _some(self, count):
            for i in range(count):
                yield i, {one: f"{one} é {i}" for one in ("de", "en", "fr")}

    folder = str(tmp_path_factory.mktemp("tfds"))
    ThreeLanguages(data_dir=folder).download_and_prepare()
    return {"source": "tfds:three_languages", "data_dir": folder}


def test_languages_of_a_tfds_set_are_chosen(tfds_set):
    data = load_pairs(**tfds_set)
    assert [len(part) for part in parts(data)] == [95, 5, 4]
    assert sorted(data.test)[0] == ("fr é 0", "en é 0")
    assert data.notes[1].startswith("4 of 4 test pairs have a target")
    data = load_pairs(**tfds_set, languages="en:de", max_pairs=40)
    assert [len(part) for part in parts(data)] == [38, 2, 4]
    assert sorted(data.test)[0] == ("en é 0", "de é 0")
    data = load_pairs(**tfds_set, languages="en:de", swap=True)
    assert sorted(data.test)[0] == ("de é 0", "en é 0")


@pytest.mark.parametrize("languages", ["en", "en:fi", "en:en", "de:en:fr", ""])
def test_unknown_languages_are_refused(tfds_set, languages):
    message = f"SOURCE:TARGET.* de, en, fr.* Received: '{languages}'"
    with pytest.raises(ConfigError, match=message):
        load_pairs(**tfds_set, languages=languages)


def test_sets_without_translations_are_refused():
    message = '"tfds:mnist" is no translation set: .*image.*Translation'
    with pytest.raises(DataError, match=message):
        load_pairs("tfds:mnist")
    with pytest.raises(DataError, match='no TFDS data set "mnst"'):
        load_pairs("tfds:mnst")
