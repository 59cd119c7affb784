"""TFDS builder of the CMU face images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds

from toolkit.data import face_files, face_splits, faces

ABSENT = "none"


class Config(tfds.core.BuilderConfig):
    """One size of the pictures."""

    def __init__(self, size: str, **options):
        super().__init__(**options)
        self.size = size


class Builder(tfds.core.GeneratorBasedBuilder):
    """CMU face images: pose, expression, eyes and person of head pictures."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The pictures without the glitched ones."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Fetch the CMU Face Images (UCI Machine Learning Repository, number "
        "124) and unpack faces_4, faces_2 or faces, and the folder of lists "
        "if there is one, into a folder cmu_faces in this one."
    )
    BUILDER_CONFIGS = [
        Config(name=name, size=size, description=f"{size}, height x width.")
        for name, size in (
            ("quarter", "30x32"),
            ("half", "60x64"),
            ("full", "120x128"),
        )
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        height, width = map(int, self.builder_config.size.split("x"))
        parts = tfds.features.ClassLabel(names=[*faces.PARTS.values(), ABSENT])
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(height, width, 1)),
                    "name": tfds.features.Text(),
                    "person": tfds.features.Text(),
                    "pose": tfds.features.ClassLabel(names=faces.POSES),
                    "expression": tfds.features.ClassLabel(
                        names=faces.EXPRESSIONS
                    ),
                    "eyes": tfds.features.ClassLabel(names=faces.EYES),
                    **dict.fromkeys(faces.LISTS, parts),
                }
            ),
            supervised_keys=("image", "pose"),
            homepage="https://archive.ics.uci.edu/dataset/124",
            license="CC BY 4.0",
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        folder = dl_manager.manual_dir / self.name
        if not folder.exists():
            folder = dl_manager.manual_dir
        found = face_files.read_faces(Path(folder), self.builder_config.size)
        for kind in faces.LISTS:
            if any(name.startswith(kind) for name in found.lists):
                face_splits.check_lists(found.lists, kind, found.names)
        self.info.metadata["notes"] = list(found.notes)
        return {"train": self._generate_examples(found)}

    def _generate_examples(
        self, found: faces.Faces
    ) -> Iterator[tuple[str, dict]]:
        for image, name in zip(found.images, found.names, strict=True):
            person, pose, expression, eyes = name.split("_")
            yield (
                name,
                {
                    "image": image,
                    "name": name,
                    "person": person,
                    "pose": pose,
                    "expression": expression,
                    "eyes": eyes,
                    **{
                        kind: _part(found.lists, kind, name)
                        for kind in faces.LISTS
                    },
                },
            )


def _part(lists, kind: str, name: str) -> str:
    """Returns which of a kind's published lists names a picture."""
    for part in faces.PARTS.values():
        if name in lists.get(f"{kind}_{part}", ()):
            return part
    return ABSENT
