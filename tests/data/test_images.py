import gzip
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from toolkit.data import (
    Images,
    evaluation_batches,
    load_images,
    order,
    training_batches,
)
from toolkit.data.images import fit_images, how_to_fit
from toolkit.data.splits import split
from toolkit.errors import ConfigError, DataError

RNG = np.random.default_rng(0)


def rows(images):
    return {image.tobytes() for image in images.images}


@pytest.fixture(scope="module")
def digits():
    return load_images("embedded")


def test_digits_are_all_there_in_three_splits_that_share_no_picture(digits):
    parts = (digits.train, digits.validation, digits.test)
    assert sum(map(len, parts)) == 1797
    train, validation, test = map(rows, parts)
    assert not train & validation and not train & test
    assert not validation & test
    assert len(digits.test) == pytest.approx(0.2 * 1797, abs=5)
    for part in parts:
        shares = np.bincount(part.labels, minlength=10) / len(part)
        assert shares.min() > 0.08


def test_digits_keep_their_pixels(digits):
    from sklearn.datasets import load_digits

    ours = np.sort(digits.train.images.ravel())[-1], digits.image_shape
    assert ours == (255, (8, 8, 1))
    raw = {
        np.rint(i * 255 / 16).astype(np.uint8).tobytes()
        for i in load_digits().images
    }
    assert rows(digits.test) <= raw


def test_splits_do_not_depend_on_order(digits):
    everything = Images(
        np.concatenate([digits.train.images, digits.test.images]),
        np.concatenate([digits.train.labels, digits.test.labels]),
    )
    shuffled = everything.take(RNG.permutation(len(everything)))
    _, first = split(everything, 0.1, digits.class_names, "test")
    _, second = split(shuffled, 0.1, digits.class_names, "test")
    assert rows(first) == rows(second)


def test_identical_pictures_stay_on_one_side():
    images = RNG.integers(0, 255, (40, 4, 4, 1), np.uint8)
    doubled = Images(np.repeat(images, 5, axis=0), np.zeros(200, np.int32))
    left, right = split(doubled, 0.3, ("a",), "test")
    assert not rows(left) & rows(right)
    assert len(left) + len(right) == 200


@pytest.mark.parametrize("wanted", [0.2, 0.5])
def test_a_picture_under_two_labels_stays_on_one_side(wanted):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (60, 4, 4, 1), np.uint8)
    # The last 20 pictures of the first class are the first of the second,
    # which has 20 more: a group's share of either class differs.
    both = Images(
        np.concatenate([images[:40], images[20:]]),
        np.repeat([0, 1], 40).astype(np.int32),
    )
    left, right = split(both, wanted, ("a", "b"), "test")
    assert not rows(left) & rows(right)
    assert len(left) + len(right) == 80
    assert rows(right) & rows(Images(images[20:40], np.zeros(20)))


def test_class_with_too_few_images_is_named():
    with pytest.raises(
        DataError,
        match='"rare" has 1 images, .*20% .*Add images to it; .*test_fraction=',
    ):
        split(
            Images(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, np.int32)),
            0.2,
            ("rare",),
            "test",
        )
    with pytest.raises(DataError, match="fraction.*1.5"):
        split(Images(np.zeros((1, 2, 2, 1)), np.zeros(1)), 1.5, ("a",), "test")


# Sizes


def test_fitting_pads_what_is_a_little_too_small():
    assert how_to_fit((28, 28), (32, 32), "auto") == "pad"
    assert how_to_fit((8, 8), (32, 32), "auto") == "bilinear"
    assert how_to_fit((32, 32), (32, 32), "auto") == "none"
    assert how_to_fit((64, 64), (32, 32), "auto") == "bilinear"
    assert how_to_fit(None, (32, 32), "bilinear") == "bilinear"
    with pytest.raises(DataError, match="64x64 cannot be padded to 32x32"):
        how_to_fit((64, 64), (32, 32), "pad")
    with pytest.raises(DataError, match='resize="crop"'):
        how_to_fit((64, 64), (32, 32), "crop")


def test_padding_is_even_and_the_odd_row_is_last():
    image = np.ones((1, 2, 2, 1), np.uint8)
    padded = fit_images(image, (5, 4), "pad")[0, ..., 0]
    np.testing.assert_array_equal(padded.sum(axis=1), [0, 2, 2, 0, 0])
    np.testing.assert_array_equal(padded.sum(axis=0), [0, 2, 2, 0])


# Order and pipeline


def test_every_epoch_is_a_permutation_of_its_own():
    def epoch(number, seed=3):
        steps = range(4 * number, 4 * number + 4)
        return np.concatenate(
            [order(s, count=12, batch_size=3, seed=seed) for s in steps]
        )

    first, second = epoch(0), epoch(1)
    assert sorted(first) == sorted(second) == list(range(12))
    assert list(first) != list(second)
    assert list(first) == list(epoch(0))
    assert list(first) != list(epoch(0, seed=4))


def test_a_started_pipeline_continues_as_one_in_a_piece():
    images = Images(
        RNG.integers(0, 255, (20, 4, 4, 1), np.uint8),
        np.arange(20, dtype=np.int32),
    )

    def noise(x, seed):
        return x + tf.random.stateless_normal(tf.shape(x), seed)

    def batches(steps, start):
        found = training_batches(
            images,
            batch_size=6,
            seed=1,
            steps=steps,
            start=start,
            augment=noise,
        )
        return [(x.numpy(), y.numpy()) for x, y in found]

    whole = batches(9, 0)
    parts = batches(4, 0) + batches(5, 4)
    assert len(whole) == 9
    for (x, y), (u, v) in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)
    assert not np.array_equal(whole[0][0], whole[3][0])


def test_training_batches_scale_and_pair_images_with_labels():
    values = np.arange(10, dtype=np.uint8)
    images = Images(
        np.broadcast_to(values[:, None, None, None], (10, 2, 2, 1)).copy(),
        values.astype(np.int32),
    )
    for x, y in training_batches(images, batch_size=5, seed=0, steps=2):
        assert x.dtype == tf.float32 and x.shape == (5, 2, 2, 1)
        np.testing.assert_allclose(x[:, 0, 0, 0] * 255, y, rtol=1e-6)


def test_evaluation_batches_hold_everything_once_in_order():
    images = Images(np.zeros((7, 2, 2, 1), np.uint8), np.arange(7))
    batches = [y.numpy() for _, y in evaluation_batches(images, batch_size=3)]
    assert [len(b) for b in batches] == [3, 3, 1]
    assert np.concatenate(batches).tolist() == list(range(7))


def test_too_few_images_for_a_batch_is_clear():
    images = Images(np.zeros((7, 2, 2, 1), np.uint8), np.arange(7))
    with pytest.raises(DataError, match="7 training examples.*batch of 8"):
        training_batches(images, batch_size=8, seed=0, steps=1)
    with pytest.raises(ConfigError, match="batch_size=0"):
        training_batches(images, batch_size=0, seed=0, steps=1)
    with pytest.raises(DataError, match="3 images and 2 labels"):
        Images(np.zeros((3, 2, 2, 1)), np.zeros(2))


# Folders


def make_folder(root, counts, size=(8, 6), mode="L"):
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            shape = (size[1], size[0]) + ((3,) if mode == "RGB" else ())
            pixels = RNG.integers(0, 255, shape, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")


def test_folder_of_class_folders(tmp_path):
    make_folder(tmp_path, {"dogs": 20, "cats": 20, ".hidden": 1})
    (tmp_path / "cats" / "notes.txt").write_text("not a picture")
    data = load_images(str(tmp_path))
    assert data.class_names == ("cats", "dogs")
    assert data.image_shape == (6, 8, 1)
    assert data.preprocessing["native_size"] == [6, 8]
    one = np.asarray(Image.open(tmp_path / "dogs" / "3.png"))
    for part in (data.train, data.validation, data.test):
        for image, label in zip(part.images, part.labels, strict=True):
            if np.array_equal(image[..., 0], one):
                assert label == 1
                return
    raise AssertionError("a picture of the folder is in no split")


def test_folder_with_its_own_test_split(tmp_path):
    make_folder(tmp_path / "train", {"a": 20, "b": 20}, mode="RGB")
    make_folder(tmp_path / "test", {"a": 3, "b": 4}, mode="RGB")
    data = load_images(str(tmp_path), size=(16, 16))
    assert len(data.test) == 7
    assert len(data.train) + len(data.validation) == 40
    assert data.image_shape == (16, 16, 3)
    assert data.preprocessing["mode"] == "RGB"


def test_mixed_sizes_are_refused_with_the_way_out_and_then_taken(tmp_path):
    make_folder(tmp_path, {"a": 10, "b": 10})
    Image.new("L", (9, 9)).save(tmp_path / "b" / "odd.png")
    for arguments, way_out in (
        ({"size": (32, 32)}, "--resize bilinear"),
        ({"size": (32, 32), "resize": "pad"}, "--resize bilinear"),
        ({}, "--resize bilinear --size N"),
        ({"resize": "bilinear"}, "--size N, which --resize bilinear needs"),
    ):
        with pytest.raises(
            DataError, match=rf"odd.png.* is 9x9.* resized: {way_out}\.$"
        ):
            load_images(str(tmp_path), **arguments)
    data = load_images(str(tmp_path), size=(32, 32), resize="bilinear")
    assert data.image_shape == (32, 32, 1)
    assert data.preprocessing["native_size"] is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: Image.new("RGB", (8, 6)).save(p), "has mode RGB where"),
        (lambda p: Image.new("RGBA", (8, 6)).save(p), "has mode RGBA; only"),
        (lambda p: p.write_bytes(b"\x89PNG broken"), "Cannot read the image"),
    ],
)
def test_odd_images_in_a_folder_are_named(tmp_path, spoil, message):
    make_folder(tmp_path, {"a": 5, "b": 5})
    spoil(tmp_path / "b" / "zz.png")
    with pytest.raises(DataError, match=f"(?s)zz.png|{message}") as error:
        load_images(str(tmp_path))
    assert message in str(error.value) and "zz.png" in str(error.value)


def test_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="at least two folders.*none"):
        load_images(str(tmp_path))
    make_folder(tmp_path, {"a": 3, "b": 0})
    with pytest.raises(DataError, match="b.*holds no images"):
        load_images(str(tmp_path))


def test_missing_source_is_named():
    with pytest.raises(DataError, match='"embeded".*Did you mean "embedded"'):
        load_images("embeded")


# IDX


def write_idx(path, array):
    content = bytes([0, 0, 8, array.ndim])
    content += struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(
        gzip.compress(content) if path.suffix == ".gz" else content
    )


def make_idx(folder, suffix="", count=60):
    images = RNG.integers(0, 255, (count, 6, 5), np.uint8)
    labels = np.arange(count).astype(np.uint8) % 3
    for prefix in ("train", "t10k"):
        write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", labels)
    return images, labels


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_plain_and_compressed(tmp_path, suffix):
    images, labels = make_idx(tmp_path, suffix)
    data = load_images(str(tmp_path))
    np.testing.assert_array_equal(data.test.images[..., 0], images)
    np.testing.assert_array_equal(data.test.labels, labels)
    assert len(data.train) + len(data.validation) == 60
    assert data.class_names == ("0", "1", "2")


def test_damaged_idx_files_are_named(tmp_path):
    make_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    good = path.read_bytes()
    path.write_bytes(good[:100])
    with pytest.raises(DataError, match="train-images.*1816 bytes.*has 100"):
        load_images(str(tmp_path))
    path.write_bytes(b"PK" + good)
    with pytest.raises(DataError, match="not an IDX file.*50 4b"):
        load_images(str(tmp_path))
    path.write_bytes(good)
    labels = tmp_path / "train-labels-idx1-ubyte"
    write_idx(labels, np.zeros(59, np.uint8))
    with pytest.raises(DataError, match=r"\(59,\) for 60 images"):
        load_images(str(tmp_path))
    labels.unlink()
    with pytest.raises(DataError, match="but not the labels"):
        load_images(str(tmp_path))


def test_truncated_gzip_is_named(tmp_path):
    make_idx(tmp_path, ".gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="Cannot read .*train-images"):
        load_images(str(tmp_path))


# TFDS


@pytest.fixture(scope="module")
def tiny_tfds(tmp_path_factory):
    """A real TFDS builder, prepared on disk."""
    import tensorflow_datasets as tfds

    folder = tmp_path_factory.mktemp("tfds")
    pixels = np.random.default_rng(5).integers(0, 255, (60, 7, 7, 1), np.uint8)

    class TinyPictures(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(7, 7, 1)),
                        "label": tfds.features.ClassLabel(names=["x", "y"]),
                    }
                )
            )

        def _split_generators(self, manager):
            return {
                "train": self._generate_examples(0, 40),
                "test": self._generate_examples(40, 60),
            }

        def _generate_examples(self, start, end):
            for i in range(start, end):
                yield i, {"image": pixels[i], "label": i % 2}

    class TinyText(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(
                    {"text": tfds.features.Text()}
                )
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            yield 0, {"text": "a"}

    class TinyMixed(TinyPictures):
        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(None, None, 1)),
                        "label": tfds.features.ClassLabel(names=["x", "y"]),
                    }
                )
            )

    for kind in (TinyPictures, TinyText, TinyMixed):
        kind(data_dir=folder).download_and_prepare()
    return folder, pixels


def test_tfds_set_with_its_own_test_split(tiny_tfds):
    folder, pixels = tiny_tfds
    data = load_images("tfds:tiny_pictures", data_dir=str(folder))
    assert rows(data.test) == {p.tobytes() for p in pixels[40:]}
    assert rows(data.train) | rows(data.validation) == {
        p.tobytes() for p in pixels[:40]
    }
    assert data.class_names == ("x", "y")


def test_tfds_set_of_mixed_sizes_is_refused_with_a_way_out(tiny_tfds):
    source, folder = "tfds:tiny_mixed", str(tiny_tfds[0])
    for arguments, way_out in (
        ({"size": (8, 8)}, "--resize bilinear"),
        ({}, "--resize bilinear --size N"),
        ({"resize": "bilinear"}, "--size N, which --resize bilinear needs"),
    ):
        with pytest.raises(DataError, match=rf"all be resized: {way_out}\.$"):
            load_images(source, data_dir=folder, **arguments)
    data = load_images(source, data_dir=folder, size=(8, 8), resize="bilinear")
    assert data.image_shape == (8, 8, 1)


def test_tfds_set_without_images_is_refused(tiny_tfds):
    with pytest.raises(DataError, match="features are text"):
        load_images("tfds:tiny_text", data_dir=str(tiny_tfds[0]))


def test_unknown_tfds_set_names_the_closest(tmp_path):
    with pytest.raises(DataError, match='"mnits".*Did you mean "mnist"'):
        load_images("tfds:mnits", data_dir=str(tmp_path))


@pytest.mark.slow  # reads and resizes 70,000 images
def test_real_mnist_is_whole(tfds_mnist):
    data = load_images(tfds_mnist, size=(32, 32))
    assert len(data.train) + len(data.validation) == 60_000
    assert len(data.test) == 10_000
    assert np.bincount(data.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert data.preprocessing["resize"] == "pad"
    assert not rows(data.train) & rows(data.validation)
