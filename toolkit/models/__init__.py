"""Builders: flat arguments in, a built `keras.Model` out.

Imports Keras when a builder is first asked for.
"""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "lenet5": "lenet5",
        "logistic_regression": "softmax_regression",
        "softmax_regression": "softmax_regression",
    },
)
