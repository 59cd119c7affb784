"""Builders: flat arguments in, a built `keras.Model` out."""

from toolkit.models.lenet5 import lenet5
from toolkit.models.softmax_regression import (
    logistic_regression,
    softmax_regression,
)

__all__ = ["lenet5", "logistic_regression", "softmax_regression"]
