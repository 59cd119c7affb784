import numpy as np
import pytest
from PIL import Image

from toolkit.data.pgm import read_pgm
from toolkit.errors import DataError


def test_grey_values_are_those_in_the_file(tmp_path):
    path = tmp_path / "face.pgm"
    path.write_bytes(b"P5\n# by hand\n3 2\n153\n" + bytes([0, 1, 2, 3, 9, 153]))
    found = read_pgm(path)
    assert found.tolist() == [[0, 1, 2], [3, 9, 153]]
    assert np.asarray(Image.open(path)).max() == 255  # stretched by others
    path.write_bytes(b"P2 3 2 153 # plain\n0 1 2\n3 # three\n9 153\n")
    np.testing.assert_array_equal(read_pgm(path), found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"P6 1 1 255\n123", "not a PGM file"),
        (b"P5 2 2 255\n123", "cut short: 2x2 values are announced, 3"),
        (b"P5 1 1 65535\n12", "up to 65535"),
    ],
)
def test_damaged_pgm_is_refused(tmp_path, content, message):
    path = tmp_path / "face.pgm"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pgm(path)


def test_missing_pgm_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_pgm(tmp_path / "none.pgm")
