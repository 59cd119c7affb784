"""Masking noise, and pairs of noisy inputs and whole targets."""

import numpy as np
import pytest

from toolkit.data import (
    Images,
    augmentation,
    evaluation_batches,
    mask_pixels,
    masked_pixels,
    reconstruction_batches,
    training_batches,
)
from toolkit.errors import ConfigError

RNG = np.random.default_rng(0)
IMAGES = Images(
    RNG.integers(1, 256, (50, 6, 5, 1), np.uint8), np.zeros(50, np.int32)
)


def batches(start=0, steps=8, noise=0.3, seed=7):
    """Distorted images, as a run would have them."""
    found = training_batches(
        IMAGES,
        batch_size=16,
        seed=seed,
        steps=steps,
        start=start,
        augment=augmentation(shift=1),
    )
    return list(
        reconstruction_batches(
            found, noise=noise, seed=seed, start=start
        ).as_numpy_iterator()
    )


@pytest.mark.parametrize("share", [0.1, 0.25, 0.9])
def test_the_same_number_of_pixels_is_lost_in_each_image(share):
    images = RNG.random((20, 6, 5, 3), np.float32) + 0.1
    masked = np.asarray(mask_pixels(images, share, [1, 2]))
    lost = (masked == 0).all(axis=-1)
    np.testing.assert_array_equal(lost, (masked == 0).any(axis=-1))
    np.testing.assert_array_equal(lost.sum(axis=(1, 2)), round(30 * share))
    np.testing.assert_array_equal(masked[~lost], images[~lost])
    assert len(np.unique(lost.reshape(20, -1), axis=0)) > 15


def test_every_pixel_is_lost_as_often():
    masked = np.asarray(mask_pixels(np.ones((4000, 3, 4, 1)), 0.25, [3, 4]))
    np.testing.assert_allclose((masked == 0).mean(axis=0), 0.25, atol=0.03)


def test_mask_depends_on_the_seed_alone():
    images = np.ones((8, 6, 5, 1), np.float32)
    one, two, other = (
        np.asarray(mask_pixels(images, 0.5, seed))
        for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    np.testing.assert_array_equal(mask_pixels(images, 0.0, [1, 2]), images)


def test_targets_are_distorted_and_whole_and_inputs_lack_pixels():
    for (inputs, targets), (same, plain) in zip(
        batches(), batches(noise=0.0), strict=True
    ):
        np.testing.assert_array_equal(same, plain)
        np.testing.assert_array_equal(targets, plain)
        lost = inputs != targets
        assert (inputs[lost] == 0).all()
        # 9 of 30 pixels each; some were dark already.
        assert (lost.sum(axis=(1, 2, 3)) <= 9).all() and lost.mean() > 0.2


def test_run_cut_in_two_has_the_same_noise():
    whole = batches()
    parts = batches(steps=3) + batches(start=3, steps=5)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)
    masks = [inputs[0] == 0 for inputs, _ in whole]
    assert len(np.unique(np.reshape(masks, (8, -1)), axis=0)) == 8
    other = batches(seed=8)
    assert any((a[0] != b[0]).any() for a, b in zip(whole, other, strict=True))


def test_validation_has_the_same_noise_in_every_epoch():
    found = reconstruction_batches(
        evaluation_batches(IMAGES, batch_size=32), noise=0.5, seed=1
    )
    first, second = (list(found.as_numpy_iterator()) for _ in range(2))
    assert [len(x) for x, _ in first] == [32, 18]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_shares_out_of_range_are_refused(share):
    with pytest.raises(ConfigError, match=r"`share` must be in \[0, 1\)"):
        mask_pixels(np.ones((1, 2, 2, 1)), share, [1, 2])
    found = evaluation_batches(IMAGES, batch_size=32)
    with pytest.raises(ConfigError, match=r"`noise` must be in \[0, 1\)"):
        reconstruction_batches(found, noise=share)


@pytest.mark.parametrize(("share", "count"), [(0.01, 0), (0.99, 30)])
def test_shares_that_mask_nothing_or_everything_are_refused(share, count):
    message = f"of the 30 pixels .* Received: .*={share}, which sets {count}"
    with pytest.raises(ConfigError, match=message):
        mask_pixels(np.ones((1, 6, 5, 1)), share, [1, 2])
    found = evaluation_batches(IMAGES, batch_size=32)
    with pytest.raises(ConfigError, match=message):
        reconstruction_batches(found, noise=share)
    assert masked_pixels("share", 0.0, (6, 5)) == 0
    assert masked_pixels("share", 0.02, (6, 5)) == 1
