"""Pictures that claim what they are not: one kind of error, quickly."""

import struct
import zlib

import keras
import numpy as np
import pytest
from PIL import Image

import export
from export import runtime
from toolkit.models import softmax_regression

RULES = {
    "kind": "image", "mode": "L", "size": [2, 3], "native_size": [2, 3],
    "resize": "none", "scale": 1.0, "offset": 0.0, "grey_values": "stored",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    keras.utils.set_random_seed(1)
    done = export.export(
        softmax_regression((2, 3, 1), classes=2),
        tmp_path_factory.mktemp("pictures"),
        ["onnx"],
        metadata={"preprocessing": RULES, "activation": "softmax"},
    )
    return runtime.load(done.paths["onnx"])


def chunk(kind, data, length=None):
    length = len(data) if length is None else length
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", length) + kind + data + check


def png(width, height, *chunks):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *chunks,
            chunk(b"IEND", b""),
        ]
    )


PIXELS = chunk(b"IDAT", zlib.compress(b"\0" * 8))
TEXT = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"0" * 10_000_000))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(20_000, 20_000), "too large: at most 134,217,728 pixels"),
        (png(2**31 - 1, 1), "too large"),
        (png(2, 3, chunk(b"IDAT", b"x", 3_600_000_000)), "not a readable"),
        (png(2, 3, chunk(b"tEXt", b"x", 3_600_000_000)), "not a readable"),
        (png(2, 3, TEXT, PIXELS), "not a readable.*too large"),
        (png(2, 3), "not a readable"),
        (b"P5\n2 3\n0\n" + b"\0" * 6, "not a readable"),
        (b"P5\n2 3\n", "not a readable"),
    ],
)
def test_files_that_claim_too_much_are_refused(
    model, tmp_path, content, message
):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(runtime.InputError, match=f'"{path}" is {message}'):
        model.predict(path)


@pytest.mark.filterwarnings(
    "ignore::PIL.Image.DecompressionBombWarning"  # as users run it
)
def test_a_picture_above_the_limit_is_not_decoded(model, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(png(13_000, 13_000))
    with pytest.raises(runtime.InputError, match="too large"):
        model.predict(path)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((2, 3, 5), np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((2, 3), np.float32),
        7,
        None,
    ],
    ids=["channels", "empty", "floats", "number", "none"],
)
def test_what_is_no_picture_is_refused(model, picture):
    with pytest.raises(runtime.InputError, match="image array|not a readable"):
        model.predict(picture)


def test_a_picture_that_is_cut_off_is_refused_also_when_it_is_open(
    model, tmp_path
):
    path = tmp_path / "picture.png"
    noise = np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with Image.open(path) as picture:
        with pytest.raises(runtime.InputError, match="not a readable picture"):
            model.predict(picture)


@pytest.mark.parametrize(
    "comments",
    [
        b"\n# " + b"9 9 9 " * 200 + b"\n",
        b" #one\n#two 2\r\n" * 300,
        b"\n" * 2000,
    ],
    ids=["long", "many", "blanks"],
)
def test_grey_values_are_kept_behind_long_comments(model, tmp_path, comments):
    grey = np.array([[0, 5, 10], [60, 100, 127]], np.uint8)
    path = tmp_path / "grey.pgm"
    path.write_bytes(b"P5" + comments + b"3 2\n127\n" + grey.tobytes())
    np.testing.assert_array_equal(model.preprocess(path)[..., 0], grey)


def test_a_picture_larger_than_any_padding_is_refused(model, monkeypatch):
    rules = {**RULES, "native_size": None}
    monkeypatch.setitem(model.metadata, "preprocessing", rules)
    with pytest.raises(runtime.InputError, match="4x4, larger than .* 2x3"):
        model.predict(np.zeros((4, 4), np.uint8))
