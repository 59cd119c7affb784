"""Head pictures of known people, and what is on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from toolkit.errors import DataError, unknown

POSES = ("left", "right", "straight", "up")
EXPRESSIONS = ("neutral", "happy", "sad", "angry")
EYES = ("open", "sunglasses")
TASKS = ("pose", "identity", "sunglasses")
SIZES = {"30x32": "_4", "60x64": "_2", "120x128": ""}  # file name's suffix
LISTS = ("straightrnd", "straighteven")
SPLITS = ("random", "person", *LISTS)
PARTS = {"train": "train", "validation": "test1", "test": "test2"}


@dataclass(frozen=True)
class Faces:
    """Head pictures and what is on them.

    Attributes:
        images: uint8 `(N, height, width, 1)`, grey values as stored.
        names: `person_pose_expression_eyes` of each picture.
        lists: published lists: names by list (`straightrnd_train`, ...).
        notes: what a user should know, such as pictures that were left out.
    """

    images: np.ndarray
    names: tuple[str, ...]
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        if len(self.images) != len(self.names):
            raise DataError(
                f"There are {len(self.images)} images and {len(self.names)} "
                "names; each image needs one name."
            )

    @property
    def people(self) -> tuple[str, ...]:
        """The person on each picture."""
        return tuple(name.split("_")[0] for name in self.names)

    def classes(self, task: str) -> tuple[str, ...]:
        """Returns the names of a task's classes."""
        if task not in TASKS:
            raise DataError(unknown("task", task, TASKS))
        return {
            "pose": POSES,
            "identity": tuple(sorted(set(self.people))),
            "sunglasses": EYES,
        }[task]

    def labels(self, task: str) -> np.ndarray:
        """Returns the class of each picture, int32 `(N,)`."""
        classes = self.classes(task)
        place = {"identity": 0, "pose": 1, "sunglasses": 3}[task]
        return np.array(
            [classes.index(name.split("_")[place]) for name in self.names],
            np.int32,
        )
