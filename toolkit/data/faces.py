"""Head pictures of known people: read, generated, split for a task."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.data.images import ImageData, Images, preprocessing
from toolkit.data.pgm import read_pgm
from toolkit.errors import DataError, closest, unknown

POSES = ("left", "right", "straight", "up")
EXPRESSIONS = ("neutral", "happy", "sad", "angry")
EYES = ("open", "sunglasses")
TASKS = ("pose", "identity", "sunglasses")
SIZES = {"30x32": "_4", "60x64": "_2", "120x128": ""}  # file name's suffix
LISTS = ("straightrnd", "straighteven")
SPLITS = ("random", "person", *LISTS)
PARTS = {"train": "train", "validation": "test1", "test": "test2"}
NAME = re.compile(
    r"(?P<person>[^_]+)_(?P<pose>{})_(?P<expression>{})_(?P<eyes>{})"
    r"(?P<suffix>_[24])?\.pgm".format(
        *("|".join(names) for names in (POSES, EXPRESSIONS, EYES))
    )
)
TFDS = "tfds:"


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

    shape = _shape(size)
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


def read_faces(
    folder: str | Path, size: str = "30x32", lists: str | Path | None = None
) -> Faces:
    """Reads the CMU face images of one size from a folder.

    Args:
        folder: holds them at any depth.
        size: as for `load_faces`.
        lists: folder of the published lists; by default looked for in and
            beside the folder.

    Raises:
        DataError: no such folder, no faces in it, two pictures of one name,
            one that is damaged or of another size.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise DataError(
            f'There is no data source "{folder}".'
            f"{closest(str(folder), ['embedded', 'tfds:cmu_faces'])} Give "
            "embedded, tfds:cmu_faces, or the path of a folder with the CMU "
            "face images."
        )
    found: dict[str, Path] = {}
    glitched = other = 0
    sizes = set()
    for path in sorted(root.rglob("*.pgm*")):
        match = NAME.fullmatch(path.name.removesuffix(".bad"))
        if match is None:
            other += path.suffix == ".pgm"
            continue
        suffix = match["suffix"] or ""
        sizes.add(suffix)
        if suffix != SIZES[size]:
            continue
        if path.suffix == ".bad":
            glitched += 1
            continue
        name = path.name.removesuffix(".pgm").removesuffix(suffix)
        if name in found:
            raise DataError(
                f'"{path}" and "{found[name]}" are the same picture by name. '
                "Name a folder that holds each once."
            )
        found[name] = path
    if not found:
        raise _no_faces(root, size, sizes)
    found = dict(sorted(found.items()))
    images = np.stack([_read(path, size) for path in found.values()])
    notes = [
        f"{count} {what}"
        for count, what in (
            (glitched, "glitched pictures (.bad) left out"),
            (other, "other .pgm files left out: not named as faces are"),
        )
        if count
    ]
    return Faces(
        images[..., None],
        tuple(found),
        _read_lists(root, lists),
        tuple(notes),
    )


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
        parts = _by_lists(faces, split)
    elif split == "person":
        parts = _by_person(faces, task, seed)
    else:
        parts = _at_random(len(faces.names), training, seed)
    labels, classes = faces.labels(task), faces.classes(task)
    missing = set(range(len(classes))) - set(labels[parts["train"]])
    if missing:
        raise DataError(
            f"No training picture shows {classes[min(missing)]!r} in the "
            f"split {split!r}. Choose another split, or more for --training."
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


def _shape(size: str) -> tuple[int, int]:
    height, width = size.split("x")
    return int(height), int(width)


def _read(path: Path, size: str) -> np.ndarray:
    image = read_pgm(path)
    if image.shape != _shape(size):
        raise DataError(
            f'"{path}" is {image.shape[0]}x{image.shape[1]} where its name '
            f"says {size} (height x width). Remove or replace it."
        )
    return image


def _no_faces(root: Path, size: str, sizes: set[str]) -> DataError:
    if sizes:
        there = [name for name, suffix in SIZES.items() if suffix in sizes]
        if there == [size]:
            return DataError(f'"{root}" holds glitched pictures (.bad) only.')
        return DataError(
            f'"{root}" holds faces, but none of {size}. Use --size '
            f"{' or '.join(there)}."
        )
    return DataError(
        f'"{root}" holds no CMU face images: no file is called as '
        "an2i_left_angry_open_4.pgm is."
    )


def _read_lists(
    root: Path, folder: str | Path | None
) -> dict[str, tuple[str, ...]]:
    """Reads every published list that is there; names without the suffix."""
    if folder is not None:
        places = [Path(folder).expanduser()]
        if not places[0].is_dir():
            raise DataError(f'There is no folder of lists "{folder}".')
    else:
        places = [root, root / "lists", root.parent / "lists"]
    found = {}
    for kind in LISTS:
        for part in PARTS.values():
            for path in (place / f"{kind}_{part}.list" for place in places):
                if path.is_file():
                    lines = path.read_text(errors="replace").split()
                    found[f"{kind}_{part}"] = tuple(
                        re.sub(r"(_[24])?\.pgm$", "", line.split("/")[-1])
                        for line in lines
                    )
                    break
    return found


def _by_lists(faces: Faces, kind: str) -> dict[str, np.ndarray]:
    place = {name: i for i, name in enumerate(faces.names)}
    parts = {}
    for part, suffix in PARTS.items():
        label = f"{kind}_{suffix}"
        if label not in faces.lists:
            raise DataError(
                f"The published list {label}.list is not there. Name the "
                "folder that holds the lists with --lists, or use --split "
                "random."
            )
        names = faces.lists[label]
        missing = [name for name in names if name not in place]
        if missing:
            raise DataError(
                f"{label}.list names {len(missing)} pictures that are not "
                f"there (of {len(names)}), the first: {missing[0]}. Complete "
                "the folder, or use --split random."
            )
        parts[part] = np.array(sorted(place[name] for name in names), int)
    return parts


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
