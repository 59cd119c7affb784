"""What counts as a whole number."""

import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.whole_numbers import check_whole, is_whole


def test_whole_numbers_come_back_as_plain_ones():
    found = check_whole("k", np.int64(3), 3)
    assert found == 3 and type(found) is int
    assert is_whole(1, 1) and not is_whole(True, 1)


@pytest.mark.parametrize("value", [2, 3.0, True, "3", None, np.float32(3)])
def test_others_are_named(value):
    assert not is_whole(value, 3)
    with pytest.raises(ConfigError) as error:
        check_whole("k", value, 3, "Take 4.")
    assert str(error.value) == (
        f"`k` must be a whole number of at least 3. Received: k={value!r} (of "
        f"type {type(value).__name__}). Take 4."
    )
