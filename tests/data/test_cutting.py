"""Rows as steps, and sequences that end early."""

import numpy as np
import pytest

from toolkit.data import (
    Images,
    cut_batches,
    cut_sequences,
    evaluation_batches,
    load_images,
    steps_in,
    to_inputs,
    training_batches,
)
from toolkit.errors import ConfigError

TIME = 6
RNG = np.random.default_rng(0)
IMAGES = Images(
    RNG.integers(0, 256, (50, TIME, 5, 3), np.uint8), np.arange(50, dtype="i4")
)
ROWS = {"scale": 1 / 255, "offset": 0.0, "layout": "rows"}


def batches(start=0, steps=8, seed=7, shortest=0.5):
    """Cut sequences, as a run would have them."""
    found = training_batches(
        IMAGES, batch_size=16, seed=seed, steps=steps, start=start, **ROWS
    )
    found = cut_batches(found, shortest=shortest, seed=seed, start=start)
    return list(found.as_numpy_iterator())


def test_a_row_of_pixels_is_a_step():
    inputs = to_inputs(IMAGES.images, ROWS)
    assert inputs.shape == (50, TIME, 15) and inputs.dtype == np.float32
    np.testing.assert_allclose(
        inputs[3, 2], IMAGES.images[3, 2].reshape(-1) / 255, rtol=1e-6
    )
    sequences, labels = next(iter(batches(shortest=1.0)))
    np.testing.assert_array_equal(sequences, inputs[labels])
    (whole,) = evaluation_batches(IMAGES, batch_size=50, **ROWS)
    np.testing.assert_array_equal(whole[0], inputs)


def test_layout_is_kept_beside_scale_and_offset():
    data = load_images("embedded").scaled(ground=-1.0, ink=1.0)
    assert set(data.scaling) == {"scale", "offset"}
    rows = data.as_rows()
    assert rows.scaling == {**data.scaling, "layout": "rows"}
    assert "layout" not in data.preprocessing
    np.testing.assert_array_equal(
        to_inputs(data.test.images, rows.preprocessing),
        to_inputs(data.test.images, data.preprocessing)[..., 0],
    )


def test_a_cut_sequence_is_padded_from_its_end_on():
    sequences = np.float32(RNG.random((4, TIME, 2)))
    cut = cut_sequences(sequences, [1, 3, TIME, 2]).numpy()
    for row, steps in enumerate([1, 3, TIME, 2]):
        np.testing.assert_array_equal(cut[row, :steps], sequences[row, :steps])
        assert (cut[row, steps:] == -1).all()
    np.testing.assert_array_equal(
        cut_sequences(sequences, 2), cut_sequences(sequences, [2] * 4)
    )


def test_every_length_is_as_likely():
    lengths = [
        np.sum(sequences[..., 0] != -1, axis=1)
        for sequences, _ in batches(steps=200)
    ]
    counts = np.bincount(np.concatenate(lengths), minlength=TIME + 1)
    assert set(np.flatnonzero(counts)) == {3, 4, 5, 6}
    np.testing.assert_allclose(counts[3:] / counts.sum(), 0.25, atol=0.03)


def test_lengths_are_a_function_of_seed_and_step():
    whole = batches()
    for (ours, _), (theirs, _) in zip(
        whole[5:], batches(start=5, steps=3), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    other = batches(seed=8)
    assert any(
        (a[0] == -1).sum() != (b[0] == -1).sum()
        for a, b in zip(whole, other, strict=True)
    )


def test_a_share_is_at_least_one_step():
    assert [steps_in(s, 8) for s in (0.01, 0.5, 0.6, 1.0)] == [1, 4, 5, 8]
    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="in \\(0, 1\\].*share="):
            steps_in(share, 8)
