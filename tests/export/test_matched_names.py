"""A file's tensors are matched with the model's: by name, or by position."""

from typing import NamedTuple

import pytest

from export.errors import ParityError
from export.verification import _match


class Tensor(NamedTuple):
    name: str
    shape: tuple
    dtype: str = "float32"


OURS = [Tensor("image", ("batch", 8, 3)), Tensor("age", ("batch",), "int32")]


def test_equal_names_are_matched_in_any_order():
    theirs = {"age": ([1], "int32"), "image": ([1], "float32")}
    notes = []
    found = _match("input", OURS, theirs, notes)
    assert found == {"image": "image", "age": "age"} and not notes


@pytest.mark.parametrize(
    "shape", [[-1, 8, 3], [4, 8, 3], ["n", 8, 3], [1, -1, "c"], []]
)
def test_other_names_are_matched_by_position(shape):
    theirs = {"in:0": (shape, "float32"), "in:1": ([-1], "int32")}
    notes = []
    found = _match("input", OURS, theirs, notes)
    assert found == {"image": "in:0", "age": "in:1"}
    assert notes == [
        "Names differ, inputs matched by position: image = in:0, age = in:1."
    ]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ([-1, 8, 4], "float32"),
        ([-1, 0, 3], "float32"),
        ([-1, 8], "float32"),
        ([-1, 8, 3], "float16"),
    ],
)
def test_other_shapes_and_types_are_of_another_model(shape, dtype):
    theirs = {"in:0": (shape, dtype), "in:1": ([-1], "int32")}
    message = r'file\'s input "in:0" is .* model\'s "image" float32 .*another'
    with pytest.raises(ParityError, match=message):
        _match("input", OURS, theirs, [])


def test_another_number_of_outputs_is_of_another_model():
    theirs = {"out": ([-1], "float32")}
    with pytest.raises(ParityError, match="has 1 outputs .*model 2 .*another"):
        _match("output", OURS, theirs, [])
