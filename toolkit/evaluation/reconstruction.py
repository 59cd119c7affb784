"""How well images come back from a narrow code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import DataError

if TYPE_CHECKING:
    from sklearn.decomposition import PCA


def squared_errors(images: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Returns the squared error of each image, summed over its pixels.

    Args:
        images: what was to come back, `(N, ...)`.
        outputs: what came back, of the same shape.

    Returns:
        float64 `(N,)`.

    Raises:
        DataError: shapes that differ, no image, or NaN.

    Example:
    >>> import numpy as np
    >>> from toolkit.evaluation import squared_errors
    >>> squared_errors(np.zeros((2, 2, 2, 1)), np.full((2, 2, 2, 1), 0.5))
    array([1., 1.])
    """
    images = np.asarray(images, np.float64)
    outputs = np.asarray(outputs, np.float64)
    if images.shape != outputs.shape or not len(images):
        raise DataError(
            "`images` and `outputs` must have one shape, with at least one "
            f"image. Received: {images.shape} and {outputs.shape}."
        )
    errors = np.square(outputs - images).reshape(len(images), -1).sum(axis=1)
    if np.isnan(errors).any():
        row = int(np.flatnonzero(np.isnan(errors))[0])
        raise DataError(f"The squared error is NaN, first at image {row}.")
    return errors


def principal_components(examples: np.ndarray, width: int) -> PCA:
    """Fits the best linear code of a width: principal component analysis.

    Args:
        examples: `(N, ...)`, what it is fitted on.
        width: numbers in a code.

    Returns:
        scikit-learn's PCA; see `project`.

    Raises:
        DataError: a width that N examples of this size do not allow.

    Source: I. Jolliffe: Principal component analysis (2002), chapter 2.
    """
    from sklearn.decomposition import PCA

    flat = np.asarray(examples).reshape(len(examples), -1)
    most = min(flat.shape)
    if not 1 <= width <= most:
        raise DataError(
            f"PCA to `width` numbers needs a width from 1 to {most}, for "
            f"{flat.shape[0]} examples of {flat.shape[1]} numbers. Received: "
            f"width={width}."
        )
    return PCA(width, random_state=0).fit(flat)


def project(components: PCA, examples: np.ndarray) -> np.ndarray:
    """Returns examples as they come back from their principal components.

    Args:
        components: of `principal_components`.
        examples: `(N, ...)`.

    Returns:
        float `(N, ...)`; not clipped.
    """
    examples = np.asarray(examples)
    flat = examples.reshape(len(examples), -1)
    codes = components.transform(flat)
    return components.inverse_transform(codes).reshape(examples.shape)


def mean_by_class(
    values: np.ndarray, labels: np.ndarray, classes: int
) -> np.ndarray:
    """Returns the mean of a value for each class.

    Args:
        values: `(N,)`.
        labels: integers `(N,)`.
        classes: how many classes there are.

    Returns:
        float64 `(classes,)`; NaN for a class without examples.
    """
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, np.asarray(values, np.float64), classes)
    return np.divide(sums, counts, np.full(classes, np.nan), where=counts > 0)
