import numpy as np
import pytest
import tensorflow as tf

from toolkit.data import augmentation, random_affine
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
