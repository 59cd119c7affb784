"""The TFDS builder, held to TFDS's own test of builders, on made-up faces."""

from pathlib import Path

import numpy as np
from tensorflow_datasets import testing

from toolkit.data.cmu_faces import cmu_faces_dataset_builder
from toolkit.data.face_files import read_faces
from toolkit.data.tfds_faces import load_tfds_faces

DUMMY = Path(__file__).parent / "dummy_data" / "cmu_faces"


class TestCmuFaces(testing.DatasetBuilderTestCase):
    DATASET_CLASS = cmu_faces_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY
    BUILDER_CONFIG_NAMES_TO_TEST = ["quarter"]
    SPLITS = {"train": 5}
    SKIP_TF1_GRAPH_MODE = True
    MOCK_OUT_FORBIDDEN_OS_FUNCTIONS = False


def test_builder_and_folder_give_the_same_pictures(tmp_path):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / "cmu_faces").symlink_to(DUMMY / "cmu_faces")
    for size in ("30x32", "60x64"):
        theirs = load_tfds_faces("cmu_faces", size, str(tmp_path))
        ours = read_faces(DUMMY / "cmu_faces", size)
        np.testing.assert_array_equal(theirs.images, ours.images)
        assert theirs.names == ours.names
        assert theirs.notes == ours.notes
        assert theirs.lists == ours.lists and len(ours.lists) == 3
        assert 60 < ours.images.max() <= 127  # as stored, not stretched
