import numpy as np
import pytest
from sklearn import metrics

from toolkit.errors import DataError
from toolkit.evaluation import (
    classification_metrics,
    confusion_matrix,
    per_class,
    posteriors,
    to_probabilities,
    worst_mistakes,
)

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 500)
TABLE = RNG.dirichlet(np.ones(4) * 0.5, 500)


def test_metrics_are_scikit_learns():
    found = classification_metrics(LABELS, TABLE)
    assert found["loss"] == pytest.approx(metrics.log_loss(LABELS, TABLE))
    accuracy = metrics.accuracy_score(LABELS, TABLE.argmax(axis=1))
    assert found["accuracy"] == pytest.approx(accuracy)
    assert found["error"] == pytest.approx(1 - accuracy)


def test_classes_are_scikit_learns():
    found = per_class(confusion_matrix(LABELS, TABLE))
    expected = metrics.precision_recall_fscore_support(
        LABELS, TABLE.argmax(axis=1)
    )
    for name, values in zip(
        ("precision", "recall", "f1", "support"), expected, strict=True
    ):
        np.testing.assert_allclose(found[name], values)


def test_confusion_has_true_class_by_row_even_if_it_never_comes():
    counts = confusion_matrix([0, 0], [[0.1, 0.8, 0.1], [0.9, 0.1, 0.0]])
    assert counts.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert per_class(counts)["precision"].tolist() == [1.0, 0.0, 0.0]


def test_calibration_error_of_a_known_case():
    # All say 0.8; 6 of 10 are right: off by 0.2.
    table = np.tile([0.8, 0.2], (10, 1))
    labels = [0] * 6 + [1] * 4
    found = classification_metrics(labels, table)
    assert found["calibration_error"] == pytest.approx(0.2)


def test_sigmoid_unit_is_two_classes():
    one = classification_metrics([1, 0, 1], [[0.9], [0.2], [0.4]])
    two = classification_metrics(
        [1, 0, 1], [[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]]
    )
    assert one == pytest.approx(two)
    assert one["accuracy"] == pytest.approx(2 / 3)


def test_outputs_that_need_not_sum_to_1_are_taken_as_shares():
    outputs = [[0.9, 0.1, 0.5], [0.2, 0.2, 0.4]]
    np.testing.assert_allclose(
        to_probabilities(outputs, "shares"),
        [[0.6, 1 / 15, 1 / 3], [0.25, 0.25, 0.5]],
    )
    # Several sigmoids may be labels of their own, which exclude no other.
    np.testing.assert_array_equal(to_probabilities(outputs, "sigmoid"), outputs)


def test_what_belongs_to_no_class_may_be_missing_to_1():
    table = posteriors(np.array([[1.0, 9.0], [3.0, 2.0]]), rubbish=2.0)
    assert table.sum(axis=1).max() < 0.8
    with pytest.raises(DataError, match="Apply a softmax"):
        classification_metrics([0, 1], table)
    assert classification_metrics([0, 1], table, rubbish=True)["error"] == 0
    with pytest.raises(DataError, match="sum to 1.3"):
        classification_metrics([0], [[0.7, 0.6]], rubbish=True)


def test_probabilities_in_half_precision_are_some():
    logits = np.random.default_rng(0).normal(size=(50, 1000))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classification_metrics(np.arange(50), shares.astype(np.float16))


def test_worst_mistakes_come_first_and_right_ones_never():
    table = [[0.6, 0.4], [0.99, 0.01], [0.2, 0.8], [0.7, 0.3]]
    assert worst_mistakes([1, 1, 1, 1], table, 10).tolist() == [1, 3, 0]
    assert worst_mistakes([1, 1, 1, 1], table, 1).tolist() == [1]


@pytest.mark.parametrize(
    ("labels", "table", "message"),
    [
        ([0, 1], [[1.0, 0.0]], r"\(2,\) and \(1, 2\)"),
        ([2], [[1.0, 0.0]], r"\[0, 2\).*from 2 to 2"),
        ([0], [[np.nan, 0.0]], "NaN, first at example 0"),
        ([], np.zeros((0, 2)), "0 examples"),
        (
            [0],
            [[2.5, -1.5]],
            "in .0, 1..*2.5, -1.5, which sum to 1. Apply a so",
        ),
        ([0], [[0.5, 0.25, 0.75]], "example 0: 0.5, 0.25, 0.75, .* sum to 1.5"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.1]], "example 1.* sum to 0.6"),
        ([0], [[-3.0]], "4, -3, which sum to 1"),
        ([0], np.full((1, 9), 0.5), "0.5, 0.5, 0.5, 0.5, ..., which sum"),
    ],
)
def test_what_does_not_fit_is_named(labels, table, message):
    with pytest.raises(DataError, match=message):
        classification_metrics(labels, table)
