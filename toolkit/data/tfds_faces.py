"""Head pictures out of TensorFlow Datasets."""

from __future__ import annotations

import numpy as np

from toolkit.data.faces import LISTS, PARTS, SIZES, Faces
from toolkit.data.tfds_images import open_builder, prepare
from toolkit.errors import DataError

CONFIGS = dict(zip(SIZES, ("quarter", "half", "full"), strict=True))


def load_tfds_faces(name: str, size: str, data_dir: str | None = None) -> Faces:
    """Loads the set `cmu_faces`; prepares it first if need be.

    Args:
        name: `cmu_faces`, with or without `/CONFIG`.
        size: `30x32`, `60x64` or `120x128`; has to be the config's.
        data_dir: by default TFDS_DATA_DIR, else `~/tensorflow_datasets`.

    Raises:
        DataError: another set, another config than the size's, or one that
            is neither prepared nor in the folder for manual downloads.
    """
    base, _, config = name.partition("/")
    if base != "cmu_faces":
        raise DataError(
            f'"tfds:{name}" holds no head pictures that this task knows. Give '
            "tfds:cmu_faces."
        )
    if config not in ("", CONFIGS[size]):
        raise DataError(
            f'The config of "tfds:{name}" does not hold {size}. Give '
            f"tfds:cmu_faces/{CONFIGS[size]}, or another --size."
        )
    tfds, builder = open_builder(f"{base}/{CONFIGS[size]}", data_dir)
    prepare(tfds, builder, f"{base}/{CONFIGS[size]}", data_dir)
    examples = sorted(
        tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False)),
        key=lambda example: example["name"],
    )
    names = tuple(example["name"].decode() for example in examples)
    labels = builder.info.features[LISTS[0]].names
    lists = {
        f"{kind}_{part}": tuple(
            name
            for name, example in zip(names, examples, strict=True)
            if labels[example[kind]] == part
        )
        for kind in LISTS
        for part in PARTS.values()
    }
    return Faces(
        np.stack([example["image"] for example in examples]),
        names,
        {label: found for label, found in lists.items() if found},
        tuple((builder.info.metadata or {}).get("notes", ())),
    )
