"""Names for annotations in recipes, at no cost when a recipe is imported.

The command line's parser executes the `TYPE_CHECKING` imports of the file
that holds a `Config`; here they stay asleep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model

    from toolkit.data import ImageData
else:
    ImageData = Model = Any

__all__ = ["ImageData", "Model"]
