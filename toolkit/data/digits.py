"""The embedded images: scikit-learn's handwritten digits."""

from __future__ import annotations

import numpy as np

from toolkit.data.images import Images
from toolkit.data.raw import RawImages


def load_digits() -> RawImages:
    """Returns 1,797 real digits of 8x8 pixels, drawn by 43 people.

    Source: E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits,
    UCI Machine Learning Repository (1998), the test part, as shipped inside
    scikit-learn.
    """
    from sklearn import datasets

    digits = datasets.load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return RawImages(
        train=Images(grey[..., None], digits.target.astype(np.int32)),
        test=None,
        validation=None,
        class_names=tuple(str(name) for name in digits.target_names),
    )
