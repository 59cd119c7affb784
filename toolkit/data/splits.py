"""Splits that never overlap and never change."""

from __future__ import annotations

import hashlib

import numpy as np

from toolkit.data.images import Images
from toolkit.errors import DataError


def split(
    data: Images, fraction: float, class_names: tuple[str, ...], name: str
) -> tuple[Images, Images]:
    """Takes a share of every class away, the same one every time.

    Which image goes where depends on its content alone, so identical images
    land on one side, and no seed of a training run moves the border. The
    share is exact up to such groups.

    Args:
        data: images to divide.
        fraction: share of each class that is taken, in (0, 1).
        class_names: for messages.
        name: what the taken part is for, for messages.

    Returns:
        What stays and what was taken.

    Raises:
        DataError: a fraction out of range, or a class with too few images.
    """
    if not 0.0 < fraction < 1.0:
        raise DataError(
            f"The {name} fraction must be between 0 and 1. Received: "
            f"{fraction}."
        )
    keys = np.array(
        [hashlib.sha256(image.tobytes()).hexdigest() for image in data.images]
    )
    taken = np.zeros(len(data), bool)
    for label, class_name in enumerate(class_names):
        members = np.flatnonzero(data.labels == label)
        unique, group = np.unique(keys[members], return_inverse=True)
        wanted = round(len(members) * fraction)
        if len(unique) < 2 or wanted < 1 or wanted >= len(members):
            raise DataError(
                f'Class "{class_name}" has {len(members)} images, too few to '
                f"set {fraction:.0%} of them apart for {name}. Add images to "
                f"it; in Python `load_images(..., {name}_fraction=...)` sets "
                "another share apart."
            )
        # Groups in the order of their hash: as good as random.
        sizes = np.bincount(group)
        count = int(np.searchsorted(np.cumsum(sizes), wanted)) + 1
        count = min(count, len(unique) - 1)
        taken[members[group < count]] = True
    # The same picture under two labels must not stand on both sides.
    taken |= np.isin(keys, keys[taken])
    return data.take(np.flatnonzero(~taken)), data.take(np.flatnonzero(taken))
