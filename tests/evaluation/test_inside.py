import keras
import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import (
    convolution_kernels,
    feature_maps,
    posteriors,
    robustness,
    to_probabilities,
)
from toolkit.models import lenet5, lenet5_published

STAGES = ("c1", "s2", "c3", "s4", "c5")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("build", [lenet5, lenet5_published])
def test_feature_maps_have_the_papers_shapes_and_parameters(build):
    published = build is lenet5_published
    found = feature_maps(build(), RNG.random((32, 32, 1)), STAGES)
    assert [s.maps.shape for s in found] == [
        (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (1, 1, 120),
    ]  # fmt: skip
    assert [s.parameters for s in found] == (
        [156, 12, 1516, 32, 48120] if published else [156, 0, 2416, 0, 48120]
    )


def test_feature_maps_are_what_the_next_layer_sees():
    model = lenet5(dropout=0.3)
    image = RNG.random((32, 32, 1)).astype("float32")
    found = {s.name: s.maps for s in feature_maps(model, image, STAGES)}
    conv = model.get_layer("c3")
    expected = np.tanh(np.asarray(conv(found["s2"][None])))[0]
    np.testing.assert_allclose(found["c3"], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match='"c2"'):
        feature_maps(model, image, ["c2"])


def test_kernels_of_every_convolution_zeros_where_not_connected():
    found = convolution_kernels(lenet5_published())
    assert {n: k.shape for n, k in found.items()} == {
        "c1": (5, 5, 1, 6), "c3": (5, 5, 6, 16), "c5": (5, 5, 16, 120),
    }  # fmt: skip
    connected = found["c3"].any(axis=(0, 1))
    assert connected.sum() == 60


def test_robustness_counts_right_answers_on_distorted_images():
    images = np.zeros((4, 9, 9, 1), np.uint8)
    images[:2, :, 4] = 255  # upright strokes are class 0, level ones 1
    images[2:, 4, :] = 255

    def classify(x):
        upright = x[:, :, 4, 0].sum(axis=1) > x[:, 4, :, 0].sum(axis=1)
        return np.where(upright, 0, 1)

    found = robustness(
        classify, images, [0, 0, 1, 1], {"rotation": [0, 90], "shift": [0]}
    )
    assert found["rotation"] == [
        {"strength": 0.0, "accuracy": 1.0},
        {"strength": 90.0, "accuracy": 0.0},
    ]
    assert found["shift"][0]["accuracy"] == 1.0


def test_robustness_refuses():
    images = np.zeros((1, 9, 9, 1), np.uint8)
    with pytest.raises(ConfigError, match='Did you mean "rotation"'):
        robustness(None, images, [0], {"rotatoin": [0]})
    with pytest.raises(ConfigError, match="Received: 500"):
        robustness(None, images, [0], {"rotation": [500]})
    with pytest.raises(DataError, match="0 images"):
        robustness(None, images[:0], [])


def test_posteriors_are_the_exponential_of_the_loss():
    from toolkit.layers import MAPLoss

    penalties = (RNG.random((5, 4)) * 20).astype("float32")
    labels = np.array([0, 1, 2, 3, 0])
    shares = posteriors(penalties, 10.0)
    loss = keras.ops.convert_to_numpy(MAPLoss(10.0).call(labels, penalties))
    np.testing.assert_allclose(
        shares[np.arange(5), labels], np.exp(-loss), rtol=1e-4
    )
    assert (shares.sum(axis=1) < 1).all()
    far = posteriors(np.full((1, 3), 1e4), 10.0)
    assert far.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(
        to_probabilities(penalties, "penalties", 10.0), shares
    )
