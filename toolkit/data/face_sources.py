"""From a source string to head pictures in three splits."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from toolkit.data.face_files import read_faces, shape_of
from toolkit.data.face_splits import split_faces
from toolkit.data.faces import (
    EXPRESSIONS,
    EYES,
    LISTS,
    POSES,
    SIZES,
    SPLITS,
    TASKS,
    Faces,
)
from toolkit.data.images import ImageData
from toolkit.errors import DataError, unknown

TFDS = "tfds:"


def load_faces(
    source: str = "embedded",
    *,
    task: str = "pose",
    size: str = "30x32",
    split: str = "random",
    training: int = 260,
    split_seed: int = 0,
    lists: str | Path | None = None,
    data_dir: str | None = None,
) -> ImageData:
    """Loads head pictures and splits them for a task.

    Args:
        source: `embedded` (generated), `tfds:cmu_faces`, or a folder that
            holds the CMU face images as published, at any depth
            (`person_pose_expression_eyes_4.pgm`, glitched ones with `.bad`).
        task: `pose`, `identity` or `sunglasses`.
        size: `30x32`, `60x64` or `120x128`, height x width.
        split: `random`: so many training pictures drawn by a seed, the rest
            halved for validation and test; `person`: nobody is in two
            splits, a fifth of the people each for validation and test;
            `straightrnd` or `straighteven`: the published lists (train, test1
            for validation, test2 for test), of straight faces only.
        training: pictures to train on, for `random`.
        split_seed: of `random` and `person`.
        lists: folder of the published lists; by default looked for in and
            beside the source folder.
        data_dir: TFDS data directory; by default TFDS_DATA_DIR, else
            `~/tensorflow_datasets`.

    Returns:
        Pictures and labels in three splits.

    Raises:
        DataError: an unknown task, size or split; no faces; a picture of
            another size; lists that name missing pictures; a split that
            leaves nothing.

    Example:
    >>> from toolkit.data import load_faces
    >>> data = load_faces("embedded", task="pose")
    >>> data.image_shape, data.class_names, len(data.train)
    ((30, 32, 1), ('left', 'right', 'straight', 'up'), 260)

    Source: T. Mitchell: Machine learning (1997), section 4.7; CMU Face
    Images, UCI Machine Learning Repository 124.
    """
    for kind, value, options in (
        ("task", task, TASKS),
        ("size", size, SIZES),
        ("split", split, SPLITS),
    ):
        if value not in options:
            raise DataError(unknown(kind, value, options))
    if source == "embedded":
        if split in LISTS:
            raise DataError(
                f"The split {split} is of the published pictures, which the "
                "generated people are not. Use --split random, or give the "
                "pictures with --data."
            )
        faces = generated_faces(size)
    elif source.startswith(TFDS):
        from toolkit.data.tfds_faces import load_tfds_faces

        faces = load_tfds_faces(source.removeprefix(TFDS), size, data_dir)
    else:
        faces = read_faces(source, size, lists)
    return split_faces(
        faces, task, split, training=training, seed=split_seed, source=source
    )


@functools.cache  # drawing takes seconds
def generated_faces(size: str = "30x32") -> Faces:
    """Draws 640 pictures of 20 people who do not exist.

    Args:
        size: as for `load_faces`.

    Returns:
        The pictures, which cannot be written to.
    """
    from toolkit.data.face_pictures import PEOPLE, draw_face

    shape = shape_of(size)
    names, images = [], []
    for person in range(PEOPLE):
        for pose in POSES:
            for expression in EXPRESSIONS:
                for eyes in EYES:
                    names.append(f"p{person:02}_{pose}_{expression}_{eyes}")
                    images.append(
                        draw_face(person, pose, expression, eyes, shape)
                    )
    drawn = np.stack(images)[..., None]
    drawn.setflags(write=False)
    return Faces(drawn, tuple(names))
