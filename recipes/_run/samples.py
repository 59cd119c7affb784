"""A few test pictures beside a run, as files and as model inputs."""

from __future__ import annotations

import numpy as np
from PIL import Image

from recipes._run.run import Run
from toolkit.data import ImageData, to_inputs
from toolkit.io import atomic_path

SAMPLES = 10


def write_samples(run: Run, data: ImageData) -> None:
    """Keeps one test picture per class, up to ten.

    Writes samples/*.png, called after their classes, and samples/inputs.npy,
    and sets `run.samples`.

    Args:
        run: a run.
        data: images whose test split is used.
    """
    test = data.test
    labels = test.labels
    first = [
        int(np.flatnonzero(labels == label)[0])
        for label in np.unique(labels)[:SAMPLES]
    ]
    images = test.images[first]
    run.samples = to_inputs(images, data.preprocessing)
    with atomic_path(run.path / "samples", directory=True) as folder:
        np.save(folder / "inputs.npy", run.samples)
        for index, image in zip(first, images, strict=True):
            name = str(data.class_names[labels[index]])
            safe = "".join(c if c.isalnum() else "_" for c in name)
            picture = image[..., 0] if image.shape[-1] == 1 else image
            Image.fromarray(picture).save(folder / f"{safe}.png")
