"""Sets of files that appear together or not at all, also under a kill."""

import errno
import os
import subprocess
import sys
import time

import filelock
import pytest

from toolkit.io import publish, recover, remove_temporaries, staging
from toolkit.io.atomic import atomic_path, duplicate

PREFIX = ".export-"
NAMES = ("model.onnx", "saved_model", "vectors.npz")
MARK = "report.json"


class Killed(BaseException):
    """Ends a function where a SIGKILL would: nothing is cleaned up."""


def write_set(folder, text):
    folder.mkdir(exist_ok=True)
    for name in (*NAMES, MARK):
        if name == "saved_model":
            (folder / name).mkdir()
            (folder / name / "weights").write_text(text)
        else:
            (folder / name).write_text(text)


def texts(folder):
    return {
        path.name: path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def whole(text):
    names = ("model.onnx", "weights", "vectors.npz", MARK)
    return {"mine.txt": "mine"} | dict.fromkeys(names, text)


@pytest.fixture
def directory(tmp_path):
    """An old set beside a file of the user's, and a new set that waits."""
    write_set(tmp_path, "old")
    (tmp_path / "mine.txt").write_text("mine")
    write_set(tmp_path / f"{PREFIX}abcdefgh", "new")
    (tmp_path / f"{PREFIX}abcdefgh" / ".lock").touch()
    return tmp_path


def fail_at(monkeypatch, number, error):
    """Lets the renames and links from a number on raise, once."""
    calls = []

    def failing(function):
        def call(*arguments, **options):
            calls.append(function.__name__)
            if len(calls) == number:
                raise error
            return function(*arguments, **options)

        return call

    for name in ("replace", "rename", "link"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    return calls


def count_calls(tmp_path, monkeypatch):
    folder = tmp_path / "count"
    folder.mkdir()
    write_set(folder, "old")
    write_set(folder / f"{PREFIX}x", "new")
    with monkeypatch.context() as patch:
        calls = fail_at(patch, 0, Killed("never"))
        publish(folder / f"{PREFIX}x", folder, NAMES, MARK)
    return len(calls)


def test_a_kill_at_any_rename_leaves_the_old_set_or_ends_in_the_new(
    directory, tmp_path_factory, monkeypatch
):
    total = count_calls(tmp_path_factory.mktemp("count"), monkeypatch)
    assert total >= 8
    outcomes = []
    for number in range(1, total + 1):
        place = tmp_path_factory.mktemp("place") / "set"
        subprocess.run(["cp", "-r", directory, place], check=True)
        folder = place / f"{PREFIX}abcdefgh"
        with monkeypatch.context() as patch, pytest.raises(Killed, match="now"):
            fail_at(patch, number, Killed("now"))
            publish(folder, place, NAMES, MARK)
        if (place / MARK).exists():  # then the set beside it is of one piece
            seen = {
                (place / name).read_text()
                for name in ("model.onnx", "vectors.npz", MARK)
                if (place / name).exists()
            }
            assert len(seen) == 1
        assert recover(place, PREFIX) == [folder]
        found = texts(place)
        assert found in (whole("old"), whole("new")), number
        outcomes.append(found[MARK])
    # Before the set is decided the old one stays, after that the new one.
    assert outcomes == sorted(outcomes, reverse=True)
    assert set(outcomes) == {"old", "new"}


def test_an_error_at_any_rename_puts_the_old_set_back(
    directory, tmp_path_factory, monkeypatch
):
    total = count_calls(tmp_path_factory.mktemp("count"), monkeypatch)
    for number in range(1, total + 1):
        place = tmp_path_factory.mktemp("place") / "set"
        subprocess.run(["cp", "-r", directory, place], check=True)
        folder = place / f"{PREFIX}abcdefgh"
        with monkeypatch.context() as patch, pytest.raises(OSError, match="no"):
            fail_at(patch, number, OSError(errno.EIO, "no"))
            publish(folder, place, NAMES, MARK)
        recover(place, PREFIX)
        assert texts(place) == whole("old"), number


def test_new_set_takes_the_place_of_the_old(directory):
    folder = directory / f"{PREFIX}abcdefgh"
    publish(folder, directory, NAMES, MARK)
    recover(directory, PREFIX)
    assert texts(directory) == whole("new")
    assert not list(directory.glob(".*"))


def test_folder_of_a_running_process_is_left_alone(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from toolkit.io import staging\n"
        f"with staging(Path(sys.argv[1]), {PREFIX!r}) as folder:\n"
        "    print(folder, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE
    )
    folder = tmp_path / os.path.basename(process.stdout.readline().decode())
    try:
        assert recover(tmp_path, PREFIX) == []
        assert len(list(tmp_path.iterdir())) == 1
    finally:
        process.kill()
        process.communicate()
    assert [str(p) for p in recover(tmp_path, PREFIX)] == [str(folder).strip()]
    assert not list(tmp_path.iterdir())


def test_folder_without_a_lock_is_removed_once_it_is_old(tmp_path):
    folder = tmp_path / f"{PREFIX}abcd_123"
    folder.mkdir()
    (tmp_path / f"{PREFIX}of the user's").mkdir()
    assert recover(tmp_path, PREFIX) == []
    before = time.time() - 3600
    for path in tmp_path.iterdir():
        os.utime(path, (before, before))
    assert recover(tmp_path, PREFIX) == [folder]


def test_staging_leaves_nothing_of_a_block_that_raises(tmp_path):
    with pytest.raises(ZeroDivisionError, match="zero"):
        with staging(tmp_path / "new", PREFIX) as folder:
            (folder / "half").touch()
            1 / 0  # noqa: B018
    assert not (tmp_path / "new").exists()


# Without hard links; what killed processes leave


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_second_name_is_a_copy_where_there_are_no_hard_links(
    tmp_path, monkeypatch, number
):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    (tmp_path / "a").write_text("text")
    duplicate(tmp_path / "a", tmp_path / "b")
    assert os.path.samefile(tmp_path / "a", tmp_path / "b")
    monkeypatch.setattr(os, "link", refuse)
    duplicate(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "text"
    assert not os.path.samefile(tmp_path / "a", tmp_path / "c")


def test_full_disk_is_not_taken_for_a_lack_of_links(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a").write_text("text")
    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space"):
        duplicate(tmp_path / "a", tmp_path / "b")


def test_temporaries_of_killed_processes_are_removed(tmp_path):
    deep = tmp_path / "checkpoints"
    deep.mkdir()
    context = atomic_path(deep / "last.npz")
    context.__enter__().write_text("half")  # and killed
    (deep / "last.npz").write_text("whole")
    (tmp_path / ".mine.tmp-is kept").mkdir()
    (removed,) = remove_temporaries(tmp_path)
    assert removed.name.startswith(".last.npz.tmp-")
    assert [p.name for p in deep.iterdir()] == ["last.npz"]
    assert (tmp_path / ".mine.tmp-is kept").exists()
    context.gen.close()


@pytest.mark.parametrize("error", [FileNotFoundError, FileExistsError])
def test_folder_that_another_process_is_removing_is_left_to_it(
    tmp_path, monkeypatch, error
):
    write_set(tmp_path / f"{PREFIX}abcdefgh", "new")
    (tmp_path / f"{PREFIX}abcdefgh" / ".lock").touch()

    def removed_meanwhile(self):
        raise error(errno.EEXIST, "made and removed between two looks")

    monkeypatch.setattr(filelock.FileLock, "__enter__", removed_meanwhile)
    assert recover(tmp_path, PREFIX) == []
