"""What a loader returns, before sizes and splits are settled."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.data.images import Images


@dataclass(frozen=True)
class RawImages:
    """Images as a source holds them.

    Attributes:
        train: everything, or the source's own training split.
        test: the source's own test split, or None.
        validation: the source's own validation split, or None.
        class_names: name of each class, by label.
        mixed: whether the images had several sizes and were resized by the
            loader.
    """

    train: Images
    test: Images | None
    validation: Images | None
    class_names: tuple[str, ...]
    mixed: bool = False
