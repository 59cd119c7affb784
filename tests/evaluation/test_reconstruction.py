"""Errors of reconstructions, PCA, and scores of anomaly."""

import numpy as np
import pytest

from toolkit.errors import DataError
from toolkit.evaluation import (
    anomaly_metrics,
    anomaly_threshold,
    mean_by_class,
    principal_components,
    project,
    squared_errors,
)

RNG = np.random.default_rng(0)


def test_squared_errors_are_summed_over_the_image():
    a, b = RNG.random((2, 5, 4, 3, 2))
    expected = [((x - y) ** 2).sum() for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(squared_errors(a, b), expected)
    with pytest.raises(DataError, match="one shape"):
        squared_errors(a, b[:, :2])
    with pytest.raises(DataError, match="at least one image"):
        squared_errors(a[:0], b[:0])
    b[2] = np.nan
    with pytest.raises(DataError, match="first at image 2"):
        squared_errors(a, b)


def test_principal_components_are_the_best_linear_code():
    centre, axes = RNG.normal(size=12), RNG.normal(size=(2, 12))
    examples = (centre + RNG.normal(size=(40, 2)) @ axes).reshape(40, 3, 4)
    two = principal_components(examples, 2)
    np.testing.assert_allclose(project(two, examples), examples, atol=1e-9)
    one = project(principal_components(examples, 1), examples)
    flat = examples.reshape(40, -1) - examples.reshape(40, -1).mean(axis=0)
    values = np.linalg.svd(flat, compute_uv=False)
    errors = squared_errors(examples, one)
    assert errors.sum() == pytest.approx((values[1:] ** 2).sum())
    with pytest.raises(DataError, match="from 1 to 12.*width=13"):
        principal_components(examples, 13)
    with pytest.raises(DataError, match="from 1 to 3.*3 examples"):
        principal_components(examples[:3], 4)


def test_mean_by_class():
    found = mean_by_class([1.0, 2.0, 6.0], [0, 2, 2], 3)
    np.testing.assert_array_equal(found, [1.0, np.nan, 4.0])


def test_threshold_lets_the_share_of_usual_scores_pass():
    scores = RNG.random(1000)
    assert (scores <= anomaly_threshold(scores)).mean() == 0.99
    assert (scores <= anomaly_threshold(scores, 0.5)).mean() == 0.5
    with pytest.raises(DataError, match="0 scores"):
        anomaly_threshold([])
    with pytest.raises(DataError, match="usual=1"):
        anomaly_threshold(scores, 1)


def test_area_is_the_share_of_pairs_in_order():
    usual, unusual = RNG.normal(size=60), RNG.normal(1, 2, size=40)
    found = anomaly_metrics(usual, unusual, threshold=1.5)
    pairs = (unusual[:, None] > usual).mean()
    assert found["auroc"] == pytest.approx(pairs)
    assert found["found"] == (unusual > 1.5).mean()
    assert found["false_alarms"] == (usual > 1.5).mean()
    with pytest.raises(DataError, match="60 usual and 0 unusual"):
        anomaly_metrics(usual, [], 1.0)
