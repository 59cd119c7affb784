import errno
import os
import threading
import time
from pathlib import Path

import pytest

from toolkit.errors import RunError
from toolkit.io import Lock, atomic_path, atomic_write


def test_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    atomic_write(path, "old")
    atomic_write(path, b"new")
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_old_file_stays_when_the_block_raises(tmp_path):
    path = tmp_path / "a.bin"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".bin" and path.read_text() == "old"
        1 / 0  # noqa: B018
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_directory_is_replaced_and_kept_on_failure(tmp_path):
    path = tmp_path / "folder"
    with atomic_path(path, directory=True) as temporary:
        (temporary / "one").write_text("1")
    with pytest.raises(OSError), atomic_path(path, directory=True) as temporary:
        (temporary / "two").write_text("2")
        raise OSError("disk full")
    assert [p.name for p in path.iterdir()] == ["one"]
    with atomic_path(path, directory=True) as temporary:
        (temporary / "two").write_text("2")
    assert [p.name for p in path.iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_old_directory_returns_when_the_second_rename_fails(
    tmp_path, monkeypatch
):
    path = tmp_path / "folder"
    with atomic_path(path, directory=True) as temporary:
        (temporary / "one").write_text("1")
    rename, calls = os.rename, []

    def failing(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError("gone")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="gone"):
        with atomic_path(path, directory=True) as temporary:
            (temporary / "two").write_text("2")
    assert [p.name for p in path.iterdir()] == ["one"]


def test_lock_has_one_owner_and_names_it(tmp_path):
    with Lock(tmp_path):
        with pytest.raises(RunError, match=f"by process {os.getpid()}"):
            Lock(tmp_path).acquire()
    with Lock(tmp_path):
        pass
    assert not (tmp_path / ".owner").exists()


def test_a_lock_that_is_held_is_not_waited_for(tmp_path, monkeypatch):
    def waits(seconds):
        pytest.fail(f"waited {seconds} s")

    with Lock(tmp_path):
        monkeypatch.setattr(time, "sleep", waits)
        with pytest.raises(RunError, match="in use by"):
            Lock(tmp_path).acquire()


def test_two_runs_that_start_at_once_get_two_numbers(tmp_path):
    from recipes._run.directory import create

    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(create(tmp_path, "r", {"a": "b"}))
        )
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(p.name) for p in found) == list(range(1, 17))
    assert len(list((tmp_path / "r").iterdir())) == 16


def test_run_holds_its_directory_while_it_works(tmp_path):
    from recipes._run.run import Run
    from recipes.lenet5 import Config

    with Run("lenet5", Config(), runs=tmp_path) as run:
        with pytest.raises(RunError, match="in use"):
            Lock(run.path).acquire()
    Lock(run.path).acquire().release()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_error_of_the_disk_names_the_file(tmp_path, monkeypatch, number):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match=r"a\.bin"):
        atomic_write(tmp_path / "a.bin", b"text")
    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match=r"\.owner"):
        Lock(tmp_path).acquire()
    monkeypatch.undo()
    with Lock(tmp_path):  # nothing is held after the error
        pass
    assert [p.name for p in tmp_path.iterdir()] == [".lock"]
