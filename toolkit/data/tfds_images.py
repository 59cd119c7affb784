"""Image classification sets of TensorFlow Datasets."""

from __future__ import annotations

import importlib
import logging
import os
import sys

import numpy as np

from toolkit._backend import load_tensorflow, silence
from toolkit.data.images import WAY_OUT, Images
from toolkit.data.raw import RawImages
from toolkit.errors import DataError, closest

OURS = "toolkit.data.cmu_faces.cmu_faces_dataset_builder"


def load_tfds_images(
    name: str,
    size: tuple[int, int] | None = None,
    data_dir: str | None = None,
    way_out: str = WAY_OUT,
) -> RawImages:
    """Loads a set by its TFDS name; prepares it first if need be.

    Args:
        name: `NAME`, `NAME/CONFIG` or `NAME:VERSION`.
        size: height and width for images of mixed sizes; None refuses them.
        data_dir: by default TFDS_DATA_DIR, else `~/tensorflow_datasets`.
        way_out: flags that let images of mixed sizes be taken, for messages.

    Raises:
        DataError: an unknown set, one without image and label, or one that is
            neither prepared nor to be downloaded.
    """
    tf = load_tensorflow()
    tfds, builder = open_builder(name, data_dir)
    _check(tfds, builder, name, size, way_out)
    prepare(tfds, builder, name, data_dir)
    features = builder.info.features
    splits = {
        part: _read(tf, tfds, builder, part, size)
        for part in ("train", "validation", "test")
        if part in builder.info.splits
    }
    if "train" not in splits:
        raise DataError(
            f'"tfds:{name}" has no split called train. It has: '
            f"{', '.join(builder.info.splits)}."
        )
    test = splits.get("test")
    validation = splits.get("validation")
    return RawImages(
        train=splits["train"],
        test=test,
        validation=validation,
        class_names=tuple(features["label"].names),
        mixed=size is not None,
    )


def _check(tfds, builder, name: str, size, way_out: str) -> None:
    """Raises for a set without images and labels, before any download."""
    features = builder.info.features
    kinds = dict(getattr(features, "items", dict().items)())
    if not (
        isinstance(kinds.get("image"), tfds.features.Image)
        and isinstance(kinds.get("label"), tfds.features.ClassLabel)
    ):
        raise DataError(
            f'"tfds:{name}" is not an image classification set: its features '
            f"are {', '.join(kinds) or features}; needed are image and label."
        )
    shape = features["image"].shape
    if None in shape[:2] and size is None:
        raise DataError(
            f'The images of "tfds:{name}" have several sizes. Let all be '
            f"resized: {way_out}."
        )


def open_builder(name: str, data_dir: str | None = None):
    """Returns TFDS and its builder of a set, this project's own included.

    Args:
        name: as for `load_tfds_images`.
        data_dir: by default TFDS_DATA_DIR, else `~/tensorflow_datasets`.

    Raises:
        DataError: an unknown set or config.
    """
    load_tensorflow()
    with silence():
        import tensorflow_datasets as tfds

    importlib.import_module(OURS)  # registers itself
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        builder = tfds.builder(
            name, data_dir=_data_dir(data_dir), try_gcs=False
        )
    except tfds.core.registered.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise DataError(
            f'There is no TFDS data set "{name}".'
            f"{closest(name.split('/')[0], known)} `tfds.list_builders()` "
            "names them all."
        ) from error
    except (ValueError, AssertionError, RuntimeError) as error:
        raise DataError(
            f'TFDS cannot make "{name}": {str(error).splitlines()[0]}'
        ) from error
    return tfds, builder


def _data_dir(data_dir: str | None) -> str | None:
    # TFDS reads the variable when it is imported; here it counts any time.
    return data_dir or os.environ.get("TFDS_DATA_DIR")


def prepare(tfds, builder, name: str, data_dir: str | None = None) -> None:
    """Downloads and prepares a set that is not there yet.

    Raises:
        DataError: it cannot be downloaded, or not from here.
    """
    if builder.info.splits:
        return
    switch = "enable" if sys.stderr.isatty() else "disable"
    getattr(tfds, f"{switch}_progress_bar")()
    where = _data_dir(data_dir) or "~/tensorflow_datasets"
    print(
        f"{name} is not in {where} yet: downloading and preparing it ...",
        file=sys.stderr,
        flush=True,
    )
    try:
        builder.download_and_prepare()
    except Exception as error:  # network, checksums, manual downloads ...
        raise DataError(
            f'"tfds:{name}" is not prepared in {where} and could not be '
            f"{_reason(builder, name, error)}"
        ) from error


def _reason(builder, name: str, error: Exception) -> str:
    """Returns why a set could not be prepared, and the way out."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        return f"prepared: {line} {builder.MANUAL_DOWNLOAD_INSTRUCTIONS}"
    return (
        f"downloaded: {line} Set TFDS_DATA_DIR to a folder that holds it, or "
        f"run `tfds build {name}` where there is a network."
    )


def _read(tf, tfds, builder, part: str, size) -> Images:
    data = builder.as_dataset(
        split=part,
        as_supervised=False,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding({"image": True, "label": True}),
    )
    data = data.map(
        lambda example: (
            _resize(tf, example["image"], size),
            example["label"],
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    images, labels = [], []
    for some, numbers in data.batch(1024).as_numpy_iterator():
        images.append(some)
        labels.append(numbers)
    return Images(
        np.concatenate(images), np.concatenate(labels).astype(np.int32)
    )


def _resize(tf, image, size):
    """Resizes with Pillow, as the runtime of an exported model does."""
    if size is None:
        return image
    from toolkit.data.images import resize

    channels = image.shape[-1]
    result = tf.numpy_function(
        lambda pixels: resize(pixels, size), [image], tf.uint8
    )
    return tf.ensure_shape(result, (*size, channels))
