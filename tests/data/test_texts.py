"""Texts in three parts, and windows of them."""

import gzip
import hashlib

import numpy as np
import pytest

from tests.conftest import SHARED
from toolkit.data import load_text, stream_batches, windows_per_epoch
from toolkit.errors import ConfigError, DataError


def test_file_is_cut_into_three_parts_that_follow_one_another(tmp_path):
    text = "".join(chr(0x61 + i % 26) for i in range(1000)) + "é\r\n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    data = load_text(str(tmp_path / "a.txt"))
    whole = text.replace("\r\n", "\n")
    assert data.train + data.validation + data.test == whole
    assert len(data.train) == int(0.9 * len(whole))
    assert data.sha256 == hashlib.sha256(whole.encode()).hexdigest()
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(text.encode()))
    again = load_text(str(tmp_path / "b.txt.gz"))
    assert again.sha256 == data.sha256
    both = load_text(str(tmp_path))
    assert both.train + both.validation + both.test == f"{whole}\n{whole}"
    assert len(load_text(str(tmp_path), characters=100).train) == 90


def test_embedded_text_is_english_prose_and_the_same_every_time():
    one, two = (load_text("embedded", characters=30_000) for _ in range(2))
    assert one == two
    assert len(one.train) == 27_000
    assert one.train.count(" the ") > 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"abc\xff\xfe", r"is no UTF-8 text: byte 3 is 0xff.*iconv"),
        (b"\x1f\x8b123", "Cannot read"),
        (b"short", "too short to be cut into three parts: 5 characters"),
    ],
)
def test_unusable_text_is_refused(tmp_path, content, message):
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_text(str(path))


def test_missing_texts_are_refused(tmp_path):
    with pytest.raises(DataError, match='no data source ".*embeded".*embedded'):
        load_text("embeded")
    with pytest.raises(DataError, match="holds no text files"):
        load_text(str(tmp_path))
    with pytest.raises(DataError, match='"tfds:mnist" is no text: .*image'):
        load_text("tfds:mnist")


def test_splits_of_a_tfds_text_are_kept():
    folder = SHARED / "tfds"
    if not (folder / "tiny_shakespeare").is_dir():
        pytest.skip("tiny Shakespeare is not beside this checkout")
    data = load_text("tfds:tiny_shakespeare", data_dir=str(folder))
    assert data.train.startswith("First Citizen:\nBefore we proceed")
    parts = (data.train, data.validation, data.test)
    assert [len(p) for p in parts] == [1003854, 55770, 55770]


# Windows


def test_every_row_goes_on_where_it_was():
    tokens = np.arange(50)
    assert windows_per_epoch(50, 3, 4) == 4
    batches = list(
        stream_batches(tokens, streams=3, window=4, steps=6)
        .as_numpy_iterator()
    )  # fmt: skip
    rows = np.concatenate([x for x, _ in batches[:4]], axis=1)
    for row, begin in zip(rows, (0, 16, 32), strict=True):
        np.testing.assert_array_equal(row, begin + np.arange(16))
    for x, y in batches:
        np.testing.assert_array_equal(y, x + 1)
    np.testing.assert_array_equal(batches[4][0], batches[0][0])  # anew


def test_batch_is_a_function_of_the_step():
    tokens = np.random.default_rng(0).integers(0, 9, 200)
    settings = {"streams": 4, "window": 5}
    whole = list(
        stream_batches(tokens, steps=30, **settings).as_numpy_iterator()
    )
    later = stream_batches(tokens, steps=3, start=17, **settings)
    for (x, y), (a, b) in zip(
        later.as_numpy_iterator(), whole[17:20], strict=True
    ):
        np.testing.assert_array_equal(x, a)
        np.testing.assert_array_equal(y, b)


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="has 9 tokens; 2 streams.*take 11"):
        windows_per_epoch(9, 2, 5)
    with pytest.raises(ConfigError, match="streams=0"):
        windows_per_epoch(9, 0, 5)
    with pytest.raises(ConfigError, match="window=0"):
        windows_per_epoch(9, 1, 0)
