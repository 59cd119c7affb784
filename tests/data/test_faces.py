import numpy as np
import pytest
from PIL import Image

from toolkit.data import draw_face, load_faces
from toolkit.data.face_files import read_faces
from toolkit.data.face_sources import generated_faces
from toolkit.data.faces import EYES, POSES
from toolkit.data.pgm import read_pgm
from toolkit.errors import DataError


def test_grey_values_are_those_in_the_file(tmp_path):
    path = tmp_path / "face.pgm"
    path.write_bytes(b"P5\n# by hand\n3 2\n153\n" + bytes([0, 1, 2, 3, 9, 153]))
    found = read_pgm(path)
    assert found.tolist() == [[0, 1, 2], [3, 9, 153]]
    assert np.asarray(Image.open(path)).max() == 255  # stretched by others
    path.write_bytes(b"P2 3 2 153 # plain\n0 1 2\n3 # three\n9 153\n")
    np.testing.assert_array_equal(read_pgm(path), found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"P6 1 1 255\n123", "not a PGM file"),
        (b"P5 2 2 255\n123", "cut short: 2x2 values are announced, 3"),
        (b"P5 1 1 65535\n12", "up to 65535"),
        (b"P2 1 1 255\n300", "up to 255 and holds 300 to 300"),
        (b"P2 1 1 255\nx", "something else than numbers"),
        (b"P5 1 1 9\n\x0a", "up to 9 and holds 10"),
    ],
)
def test_damaged_pgm_is_refused(tmp_path, content, message):
    path = tmp_path / "face.pgm"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pgm(path)


def test_missing_pgm_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_pgm(tmp_path / "none.pgm")


# Folders of faces


@pytest.fixture
def folder(tmp_path):
    """Three people in every pose, with lists, one glitched picture."""
    place = tmp_path / "faces_4"
    for number, person in enumerate(("ada", "bob", "cyd", "dee")):
        (place / person).mkdir(parents=True)
        for pose in POSES:
            for eyes in EYES:
                image = draw_face(number, pose, "happy", eyes) // 2
                name = f"{person}_{pose}_happy_{eyes}_4.pgm"
                write_pgm(place / person / name, image)
    bad = place / "ada" / "ada_up_happy_open_4.pgm"
    bad.rename(bad.with_name(bad.name + ".bad"))
    write_pgm(place / "team.pgm", np.zeros((30, 32), np.uint8))
    (tmp_path / "lists").mkdir()
    for part, people in (
        ("train", "ada bob"),
        ("test1", "cyd"),
        ("test2", "dee"),
    ):
        (tmp_path / "lists" / f"straighteven_{part}.list").write_text(
            "".join(
                f"/afs/cs/faces/{who}/{who}_straight_happy_{eyes}_4.pgm\n"
                for who in people.split()
                for eyes in EYES
            )
        )
    return tmp_path


def write_pgm(path, image):
    head = b"P5\n%d %d\n127\n" % image.shape[::-1]
    path.write_bytes(head + image.tobytes())


def test_faces_are_read_with_what_is_on_them(folder):
    faces = read_faces(folder)
    assert faces.images.shape == (31, 30, 32, 1)
    assert faces.notes == (
        "1 glitched pictures (.bad) left out",
        "1 other .pgm files left out: not named as faces are",
    )
    assert faces.classes("identity") == ("ada", "bob", "cyd", "dee")
    place = faces.names.index("cyd_left_happy_sunglasses")
    assert faces.labels("identity")[place] == 2
    assert faces.labels("pose")[place] == POSES.index("left")
    assert faces.labels("sunglasses")[place] == 1
    expected = draw_face(2, "left", "happy", "sunglasses") // 2
    np.testing.assert_array_equal(faces.images[place, ..., 0], expected)


def test_published_lists_divide_as_they_say(folder):
    data = load_faces(
        str(folder / "faces_4"), task="sunglasses", split="straighteven"
    )
    assert [len(p) for p in (data.train, data.validation, data.test)] == [
        4, 2, 2,
    ]  # fmt: skip
    expected = [draw_face(3, "straight", "happy", e) // 2 for e in EYES]
    np.testing.assert_array_equal(data.test.images[..., 0], expected)
    assert data.test.labels.tolist() == [0, 1]


def test_split_by_person_keeps_people_apart():
    data = load_faces("embedded", split="person", split_seed=4)
    everyone = generated_faces()
    owner = {
        image.tobytes(): person
        for image, person in zip(everyone.images, everyone.people, strict=True)
    }
    groups = [
        {owner[image.tobytes()] for image in part.images}
        for part in (data.train, data.validation, data.test)
    ]
    assert [len(g) for g in groups] == [12, 4, 4]
    assert len(set.union(*groups)) == 20


def test_random_split_is_of_the_seed_and_divides_everything():
    splits = [load_faces("embedded", split_seed=s) for s in (1, 1, 2)]
    for data in splits:
        parts = (data.train, data.validation, data.test)
        assert [len(p) for p in parts] == [260, 190, 190]
        pictures = {i.tobytes() for part in parts for i in part.images}
        assert len(pictures) == 640
    one, same, other = (data.train.images for data in splits)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_generated_pictures_are_the_same_every_time_and_all_differ():
    first = draw_face(3, "left", "sad", "open")
    np.testing.assert_array_equal(first, draw_face(3, "left", "sad", "open"))
    assert first.shape == (30, 32)
    assert draw_face(3, "up", "sad", "open", (60, 64)).shape == (60, 64)
    # Sunglasses darken the region of the eyes, in the same picture.
    bright = [
        np.sort(draw_face(3, "straight", "happy", eyes).ravel())[:40].mean()
        for eyes in EYES
    ]
    assert bright[1] < bright[0] - 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "posing"}, 'Unknown task "posing". Did you mean "pose"'),
        ({"size": "60x64"}, "none of 60x64. Use --size 30x32"),
        (
            {"split": "straightrnd", "task": "sunglasses"},
            "straightrnd_train.list is not there",
        ),
        ({"split": "straighteven"}, "straight faces only"),
        ({"split": "half"}, 'Unknown split "half"'),
        ({"training": 30}, "from 1 to 29.*Received: 30"),
        ({"lists": "nowhere"}, 'no folder of lists "nowhere"'),
        (
            {"task": "identity", "split": "person"},
            "does not go with the task identity",
        ),
        ({"training": 1, "task": "pose"}, "No training picture shows"),
    ],
)
def test_unusable_settings_are_refused(folder, settings, message):
    with pytest.raises(DataError, match=message):
        load_faces(str(folder / "faces_4"), **settings)


def test_folders_that_hold_no_faces_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match='no data source ".*embeded".*'):
        load_faces("embeded")
    with pytest.raises(DataError, match="holds no CMU face images"):
        load_faces(str(folder / "lists"))
    with pytest.raises(DataError, match="which the generated people are not"):
        load_faces("embedded", task="identity", split="straighteven")
    with pytest.raises(DataError, match="holds no head pictures"):
        load_faces("tfds:mnist")
    with pytest.raises(DataError, match="cmu_faces/quarter, or another --size"):
        load_faces("tfds:cmu_faces/half")


def test_lists_that_name_missing_pictures_are_counted(folder):
    for path in folder.rglob("*_straight_*_open_4.pgm"):
        path.unlink()
    with pytest.raises(
        DataError,
        match="straighteven_train.list names 2 pictures that are not there "
        r"\(of 4\), the first: ada_straight_happy_open",
    ):
        load_faces(
            str(folder / "faces_4"), task="sunglasses", split="straighteven"
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lists: lists["test1"].write_text(""), "test1.list is empty"),
        (
            lambda lists: lists["test2"].write_text(lists["train"].read_text()),
            "test2.list names ada_straight_happy_open, which "
            "straighteven_train.list has named already",
        ),
        (
            lambda lists: lists["train"].write_text(
                lists["train"].read_text() * 2
            ),
            "which straighteven_train.list has named already",
        ),
    ],
)
def test_lists_that_cannot_divide_are_refused(
    folder, tmp_path_factory, change, message
):
    lists = {
        part: folder / "lists" / f"straighteven_{part}.list"
        for part in ("train", "test1", "test2")
    }
    change(lists)
    with pytest.raises(DataError, match=message):
        load_faces(
            str(folder / "faces_4"), task="sunglasses", split="straighteven"
        )
    place = tmp_path_factory.mktemp("tfds")
    manual = place / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / "cmu_faces").symlink_to(folder)
    with pytest.raises(DataError, match=message):
        load_faces("tfds:cmu_faces", data_dir=str(place))


def test_folders_behind_links_are_read(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "faces").symlink_to(folder / "faces_4")
    (tmp_path / "mine" / "back").symlink_to(tmp_path / "mine")
    assert len(read_faces(tmp_path / "mine").names) == 31


def test_one_person_cannot_be_told_apart(folder):
    with pytest.raises(DataError, match="one person, ada"):
        load_faces(str(folder / "faces_4" / "ada"), task="identity", training=3)


def test_picture_of_another_size_and_twice_the_same_name_are_refused(folder):
    place = folder / "faces_4" / "ada" / "ada_left_happy_open_4.pgm"
    (folder / "copy").mkdir()
    (folder / "copy" / place.name).write_bytes(place.read_bytes())
    with pytest.raises(DataError, match="the same picture by name"):
        load_faces(str(folder))
    write_pgm(place, np.zeros((28, 32), np.uint8))
    with pytest.raises(DataError, match="is 28x32 where its name says 30x32"):
        load_faces(str(folder / "faces_4"))
