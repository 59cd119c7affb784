"""The CMU face images as published: PGM files and lists in folders."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from toolkit.data.faces import (
    EXPRESSIONS,
    EYES,
    LISTS,
    PARTS,
    POSES,
    SIZES,
    Faces,
)
from toolkit.data.pgm import read_pgm
from toolkit.errors import DataError, closest

NAME = re.compile(
    r"(?P<person>[^_]+)_(?P<pose>{})_(?P<expression>{})_(?P<eyes>{})"
    r"(?P<suffix>_[24])?\.pgm".format(
        *("|".join(names) for names in (POSES, EXPRESSIONS, EYES))
    )
)


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
    for path in _files(root):
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


def shape_of(size: str) -> tuple[int, int]:
    """Returns height and width of a size such as `30x32`."""
    height, width = size.split("x")
    return int(height), int(width)


def _files(root: Path) -> list[Path]:
    """Returns the PGM files of a folder, also behind links, in order."""
    found, seen = [], set()
    for folder, inner, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back
            inner.clear()
            continue
        seen.add(real)
        found += [
            Path(folder) / name
            for name in names
            if name.endswith((".pgm", ".pgm.bad"))
        ]
    return sorted(found)


def _read(path: Path, size: str) -> np.ndarray:
    image = read_pgm(path)
    if image.shape != shape_of(size):
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
