import numpy as np
import pytest
import tensorflow as tf

from toolkit.data import DISTORTIONS, augmentation, distort, random_affine
from toolkit.data.augment import affine
from toolkit.errors import ConfigError

RNG = np.random.default_rng(0)
IMAGES = np.zeros((4, 9, 9, 1), np.float32)
IMAGES[:, 3:6, 3:6] = RNG.random((4, 3, 3, 1))


def test_nothing_is_changed_at_zero_strength():
    np.testing.assert_allclose(random_affine(IMAGES, [1, 2]), IMAGES, atol=1e-5)
    assert augmentation() is None


def test_shift_moves_right_and_down_by_pixels():
    moved = affine(IMAGES, shift=(2.0, -1.0))
    expected = np.roll(IMAGES, (-1, 2), axis=(1, 2))
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_rotation_is_counter_clockwise_about_the_centre():
    turned = affine(IMAGES, rotation=90.0)
    expected = np.rot90(IMAGES, axes=(1, 2))
    np.testing.assert_allclose(turned, expected, atol=1e-4)


def test_scale_enlarges():
    square = np.zeros((1, 9, 9, 1), np.float32)
    square[:, 3:6, 3:6] = 1.0
    assert float(tf.reduce_sum(affine(square, scale=2.0))) > 25
    assert float(tf.reduce_sum(affine(square, scale=0.5))) < 5


def test_shear_moves_the_top_and_bottom_apart():
    bar = np.zeros((1, 9, 9, 1), np.float32)
    bar[:, :, 4] = 1.0
    slanted = affine(bar, shear=30.0).numpy()[0, ..., 0]
    top, bottom = slanted[1].argmax(), slanted[7].argmax()
    assert abs(int(top) - int(bottom)) >= 3
    assert slanted[4].argmax() == 4


def test_same_seed_same_answer_and_each_image_its_own():
    one = np.repeat(IMAGES[:1], 4, axis=0)
    options = {"shift": 2.0, "rotation": 20.0}
    first = random_affine(one, [1, 2], **options).numpy()
    np.testing.assert_array_equal(
        first, random_affine(one, [1, 2], **options).numpy()
    )
    assert not np.array_equal(
        first, random_affine(one, [1, 3], **options).numpy()
    )
    assert not np.array_equal(first[0], first[1])


def test_whole_pixels_move_without_blur_and_each_way_as_often():
    one = np.repeat(IMAGES[:1], 3000, axis=0)
    moved = augmentation(shift=2, whole_pixels=True)(one, [1, 2]).numpy()
    ways = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    counts = [
        (np.abs(moved - np.roll(one, way, axis=(1, 2))).max(axis=(1, 2, 3))
         < 1e-6).sum()
        for way in ways
    ]  # fmt: skip
    assert sum(counts) == 3000  # every image by exactly one of the ways
    np.testing.assert_allclose(counts, 3000 / 25, atol=40)
    for shift in (0.5, float("inf")):
        with pytest.raises(ConfigError, match="must be a whole number"):
            augmentation(shift=shift, whole_pixels=True)


def test_it_runs_inside_a_pipeline_on_a_dark_ground():
    change = augmentation(shift=1.0, rotation=10.0, scale=0.1, shear=5.0)
    data = tf.data.Dataset.from_tensors(IMAGES).map(
        lambda x: change(x, tf.constant([0, 1]))
    )
    (changed,) = data.as_numpy_iterator()
    assert changed.shape == IMAGES.shape
    assert changed[:, 0].max() == 0.0 and 0.0 <= changed.min()


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        ({"shift": -1.0}, "shift=-1.0"),
        ({"rotation": 200.0}, "between 0 and 180.*rotation=200.0"),
        ({"scale": 1.5}, "scale=1.5"),
        ({"shear": float("nan")}, "shear=nan"),
    ],
)
def test_strengths_out_of_range_are_refused(strength, message):
    with pytest.raises(ConfigError, match=message):
        augmentation(**strength)


# Distortions with a strength


def picture():
    image = np.zeros((2, 11, 11, 1), np.float32)
    image[:, 3:8, 5] = 1.0  # an upright stroke, one pixel wide
    return image


@pytest.mark.parametrize("name", DISTORTIONS)
def test_neutral_strength_changes_nothing(name):
    images = RNG.random((3, 9, 9, 2)).astype("float32")
    item = DISTORTIONS[name]
    same = distort(images, name, item.neutral, (1, 2))
    np.testing.assert_allclose(same, images, atol=1e-5)
    assert item.neutral in item.grid
    assert min(item.grid) >= item.lowest and max(item.grid) <= item.highest


@pytest.mark.parametrize("name", DISTORTIONS)
def test_distortion_is_a_function_of_its_seed_and_runs_in_a_pipeline(name):
    images = RNG.random((4, 9, 9, 1)).astype("float32")
    item = DISTORTIONS[name]
    strength = item.grid[-1]
    first = distort(images, name, strength, (1, 2)).numpy()
    assert not np.allclose(first, images, atol=0.05)
    dataset = tf.data.Dataset.from_tensors(images).map(
        lambda x: item.apply(x, strength, (1, 2))
    )
    (again,) = dataset.as_numpy_iterator()
    np.testing.assert_allclose(again, first, atol=1e-6)


def test_shift_moves_every_image_the_same_way_far():
    images = np.zeros((50, 31, 31, 1), np.float32)
    images[:, 14:17, 14:17] = 1.0
    moved = distort(images, "shift", 6.0, (3, 4)).numpy()[..., 0]
    rows, columns = np.mgrid[:31, :31]
    total = moved.sum(axis=(1, 2))
    y = (moved * rows).sum(axis=(1, 2)) / total - 15
    x = (moved * columns).sum(axis=(1, 2)) / total - 15
    np.testing.assert_allclose(np.hypot(x, y), 6.0, atol=0.1)
    assert np.ptp(np.arctan2(y, x)) > 4  # all around


def test_squeeze_changes_the_width_alone():
    square = np.zeros((1, 21, 21, 1), np.float32)
    square[:, 6:15, 6:15] = 1.0
    half = distort(square, "squeeze", 0.5).numpy()[0, ..., 0]
    assert half[10].sum() == pytest.approx(4.5, abs=0.6)
    assert half[:, 10].sum() == pytest.approx(9, abs=0.1)


def test_strokes_thicken_thin_and_mix():
    thick = distort(picture(), "stroke_width", 1).numpy()[0, ..., 0]
    assert thick[5].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    mixed = distort(picture(), "stroke_width", 0.25).numpy()[0, 5, 4, 0]
    assert mixed == pytest.approx(0.25)
    assert distort(picture(), "stroke_width", -1).numpy().max() == 0
    back = distort(thick[None, ..., None], "stroke_width", -1).numpy()
    np.testing.assert_allclose(back[0, 4:7], picture()[0, 4:7], atol=1e-6)


def test_images_of_a_batch_may_have_strengths_of_their_own():
    both = DISTORTIONS["stroke_width"].apply(picture(), [0.0, 2.0])
    np.testing.assert_allclose(both[0], picture()[0], atol=1e-6)
    alone = distort(picture(), "stroke_width", 2.0)
    np.testing.assert_allclose(both[1], alone[1], atol=1e-6)


def test_noises_have_the_strength_they_say():
    grey = np.full((1, 200, 200, 1), 0.5, np.float32)
    gaussian = distort(grey, "gaussian_noise", 0.1).numpy()
    assert gaussian.std() == pytest.approx(0.1, rel=0.05)
    speckled = distort(grey, "speckle", 0.2).numpy()
    assert speckled.std() == pytest.approx(0.1, rel=0.05)
    salted = distort(grey, "salt_and_pepper", 0.3).numpy()
    assert (salted == 1).mean() == pytest.approx(0.15, abs=0.01)
    assert (salted == 0).mean() == pytest.approx(0.15, abs=0.01)


def test_strange_distortions_and_strengths_are_named():
    with pytest.raises(ConfigError, match='"rotate".*"rotation"'):
        distort(IMAGES, "rotate", 5)
    with pytest.raises(ConfigError, match="between 0 and 1. Received: 1.5"):
        distort(IMAGES, "salt_and_pepper", 1.5)
    with pytest.raises(ConfigError, match="stroke_width.*between 0 and 3"):
        augmentation(stroke_width=4)


def test_augmentation_draws_stroke_widths_squeezes_and_noise():
    images = np.repeat(RNG.random((1, 11, 11, 1)).astype("float32"), 4, axis=0)
    for options in ({"stroke_width": 2}, {"squeeze": 0.4}, {"noise": 0.5}):
        made = augmentation(**options)(images, [1, 2]).numpy()
        again = augmentation(**options)(images, [1, 2]).numpy()
        np.testing.assert_array_equal(made, again)
        assert not np.allclose(made[0], made[1])
