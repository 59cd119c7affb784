"""Head pictures in three splits for a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from toolkit.data.faces import LISTS, PARTS, Faces
from toolkit.data.images import ImageData, Images, preprocessing
from toolkit.errors import DataError


def split_faces(
    faces: Faces,
    task: str,
    split: str,
    *,
    training: int = 260,
    seed: int = 0,
    source: str = "",
) -> ImageData:
    """Splits pictures for a task; see `load_faces`.

    Raises:
        DataError: as for `load_faces`.
    """
    if split in LISTS:
        if task == "pose":
            raise DataError(
                "The published lists hold straight faces only: they serve the "
                "tasks identity and sunglasses. Use --split random or person."
            )
        parts = _by_lists(faces, split)
    elif split == "person":
        parts = _by_person(faces, task, seed)
    else:
        parts = _at_random(len(faces.names), training, seed)
    labels, classes = faces.labels(task), faces.classes(task)
    if len(classes) < 2:
        raise DataError(
            f"The pictures show one person, {classes[0]}: there is nobody to "
            "tell apart. Name a folder with more people."
        )
    missing = set(range(len(classes))) - set(labels[parts["train"]])
    if missing:
        raise DataError(
            f"No training picture shows {classes[min(missing)]!r} in the "
            f"split {split!r}. Choose another split or --split-seed"
            f"{', or more for --training' if split == 'random' else ''}."
        )
    size = tuple(faces.images.shape[1:3])
    return ImageData(
        **{
            name: Images(faces.images[places], labels[places])
            for name, places in parts.items()
        },
        class_names=classes,
        source=source,
        preprocessing={
            **preprocessing(1, size, size, "none"),
            "grey_values": "stored",
        },
        notes=faces.notes,
    )


def check_lists(
    lists: Mapping[str, Sequence[str]], kind: str, names: Iterable[str]
) -> None:
    """Raises for published lists that cannot divide the pictures.

    Args:
        lists: names by list.
        kind: `straightrnd` or `straighteven`.
        names: of the pictures that are there.

    Raises:
        DataError: a list that is not there or empty, names a picture twice or
            one that is missing, or shares one with another list.
    """
    there, seen = set(names), {}
    for suffix in PARTS.values():
        label = f"{kind}_{suffix}"
        if label not in lists:
            raise DataError(
                f"The published list {label}.list is not there. Name the "
                "folder that holds the lists with --lists, or use --split "
                "random."
            )
        found = lists[label]
        if not found:
            raise DataError(f"{label}.list is empty. Fetch it again.")
        missing = [name for name in found if name not in there]
        if missing:
            raise DataError(
                f"{label}.list names {len(missing)} pictures that are not "
                f"there (of {len(found)}), the first: {missing[0]}. Complete "
                "the folder, or use --split random."
            )
        for name in found:
            if name in seen:
                raise DataError(
                    f"{label}.list names {name}, which {seen[name]}.list has "
                    "named already; a picture belongs to one part. Fetch the "
                    "lists again."
                )
            seen[name] = label


def _by_lists(faces: Faces, kind: str) -> dict[str, np.ndarray]:
    check_lists(faces.lists, kind, faces.names)
    place = {name: i for i, name in enumerate(faces.names)}
    return {
        part: np.array(
            sorted(place[name] for name in faces.lists[f"{kind}_{suffix}"])
        )
        for part, suffix in PARTS.items()
    }


def _by_person(faces: Faces, task: str, seed: int) -> dict[str, np.ndarray]:
    if task == "identity":
        raise DataError(
            "A person can only be recognized who was there in training: the "
            "split by person does not go with the task identity."
        )
    people = np.array(sorted(set(faces.people)))
    apart = max(1, round(len(people) / 5))
    if len(people) <= 2 * apart:
        raise DataError(
            f"A split by person takes at least 3 people. Received: "
            f"{len(people)}."
        )
    drawn = np.random.default_rng(seed).permutation(people)
    groups = {
        "train": drawn[2 * apart :],
        "validation": drawn[:apart],
        "test": drawn[apart : 2 * apart],
    }
    return {
        part: np.flatnonzero(np.isin(faces.people, group))
        for part, group in groups.items()
    }


def _at_random(count: int, training: int, seed: int) -> dict[str, np.ndarray]:
    if not 1 <= training <= count - 2:
        raise DataError(
            f"--training must be from 1 to {count - 2}, which leaves pictures "
            f"to validate and to test. Received: {training}"
        )
    drawn = np.random.default_rng(seed).permutation(count)
    middle = training + (count - training) // 2
    return {
        "train": drawn[:training],
        "validation": drawn[training:middle],
        "test": drawn[middle:],
    }
