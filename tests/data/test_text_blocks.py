"""Blocks of a corpus."""

import numpy as np
import pytest

from toolkit.data import block_size, text_block_batches
from toolkit.errors import ConfigError, DataError

IDS = np.arange(1000, dtype=np.int32)


def blocks(**options):
    return [
        block.numpy()
        for block in text_block_batches(IDS, **{"block": 64, **options})
    ]


def test_an_epoch_has_every_word_once_in_another_order():
    found = np.array(blocks(steps=32, seed=3))
    for epoch in (found[:16], found[16:]):
        flat = epoch.ravel()
        assert sorted(flat[flat >= 0]) == IDS.tolist()
        assert (flat < 0).sum() == 16 * 64 - 1000
    assert not np.array_equal(found[:16], found[16:])


def test_a_block_is_a_function_of_seed_and_step():
    whole = blocks(steps=20, seed=3)
    np.testing.assert_array_equal(blocks(steps=8, seed=3, start=12), whole[12:])
    assert not np.array_equal(blocks(steps=20, seed=4), whole)


def test_small_corpora_have_several_blocks():
    assert block_size(65_536 * 100) == 65_536
    assert block_size(64_000) == 2000
    assert block_size(10) == 1024
    assert block_size(10**9, most=1000) == 1000


@pytest.mark.parametrize("wrong", [{"block": 0}, {"steps": -1}, {"start": -1}])
def test_numbers_out_of_range_are_named(wrong):
    with pytest.raises(ConfigError, match=f"`{next(iter(wrong))}` must be at"):
        text_block_batches(IDS, **{"block": 64, "steps": 1, **wrong})


def test_no_words_are_refused():
    with pytest.raises(DataError, match="no words"):
        text_block_batches(IDS[:0], block=4, steps=1)
