"""From a source string to images in three splits."""

from __future__ import annotations

from pathlib import Path

from toolkit.data.digits import load_digits
from toolkit.data.idx import find_idx, load_idx
from toolkit.data.image_folder import load_image_folder
from toolkit.data.images import (
    MODES,
    ImageData,
    Images,
    fit_images,
    how_to_fit,
    preprocessing,
    way_out,
)
from toolkit.data.raw import RawImages
from toolkit.data.splits import split
from toolkit.errors import DataError, closest

EMBEDDED = "embedded"
TFDS = "tfds:"


def load_images(
    source: str = EMBEDDED,
    *,
    size: tuple[int, int] | None = None,
    resize: str = "auto",
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    data_dir: str | None = None,
) -> ImageData:
    """Loads an image classification set and settles its splits.

    A test split of the source's own is kept; otherwise one is set apart. The
    three splits never share a picture that the source gives once, and they do
    not depend on any seed.

    Args:
        source: `embedded` (scikit-learn's digits), `tfds:NAME[/CONFIG]`, or
            the path of a folder of class folders or of IDX files.
        size: height and width of an input; None keeps the images' own.
        resize: `auto` (pad what is a little too small, else bilinear),
            `pad` or `bilinear`.
        validation_fraction: share of the training images set apart.
        test_fraction: share set apart where the source has no test split.
        data_dir: TFDS data directory; by default TFDS_DATA_DIR, else
            `~/tensorflow_datasets`.

    Returns:
        Images and labels in three splits.

    Raises:
        DataError: the source does not exist, is damaged or does not fit.

    Example:
    >>> from toolkit.data import load_images
    >>> data = load_images("embedded", size=(32, 32))
    >>> data.image_shape, len(data.class_names)
    ((32, 32, 1), 10)
    """
    mixed_size = size if resize == "bilinear" else None
    raw = _load(source, mixed_size, data_dir, way_out(size, resize))
    channels = raw.train.images.shape[-1]
    if channels not in MODES:
        raise DataError(
            f'The images of "{source}" have {channels} channels; 1 (grey) or '
            "3 (RGB) are taken."
        )
    native = None if raw.mixed else tuple(raw.train.images.shape[1:3])
    size = size or native
    how = how_to_fit(native, size, resize)

    def fitted(part: Images) -> Images:
        if raw.mixed:
            return part
        return Images(fit_images(part.images, size, how), part.labels)

    # Splitting goes by content, so it comes before resizing.
    train, test, validation = raw.train, raw.test, raw.validation
    if test is None:
        train, test = split(train, test_fraction, raw.class_names, "test")
    if validation is None:
        train, validation = split(
            train, validation_fraction, raw.class_names, "validation"
        )
    return ImageData(
        train=fitted(train),
        validation=fitted(validation),
        test=fitted(test),
        class_names=raw.class_names,
        source=source,
        preprocessing=preprocessing(channels, native, size, how),
    )


def _load(
    source: str,
    size: tuple[int, int] | None,
    data_dir: str | None,
    way_out: str,
) -> RawImages:
    if source == EMBEDDED:
        return load_digits()
    if source.startswith(TFDS):
        from toolkit.data.tfds_images import load_tfds_images

        name = source.removeprefix(TFDS)
        return load_tfds_images(name, size, data_dir, way_out)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise DataError(
            f'There is no data source "{source}".'
            f"{closest(source, [EMBEDDED])} Give embedded, tfds:NAME (such as "
            "tfds:mnist), or the path of a folder of class folders or of IDX "
            "files."
        )
    if find_idx(folder):
        return load_idx(folder)
    return load_image_folder(folder, size, way_out)
