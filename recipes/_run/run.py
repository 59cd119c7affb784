"""A run: its directory, its lock, its log and what came out."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.formats import FORMATS, STAGING
from recipes._run import config as configuration
from recipes._run import directory, environment
from toolkit.errors import ConfigError, DataError, RunError, ToolkitError
from toolkit.io import (
    DirectoryCheck,
    Lock,
    atomic_path,
    atomic_write,
    named_errors,
    recover,
    remove_temporaries,
)
from toolkit.training.signals import ENDING, Interrupted, install, put_back

if TYPE_CHECKING:
    import keras

    from export.report import Report

DATA = "data.json"
ENVIRONMENT = "environment.json"
AT_FIRST = {
    "config.yaml", ENVIRONMENT, directory.REQUEST, "log.txt", ".lock", DATA,
}  # fmt: skip


class Run:
    """One training run of a recipe.

    Use it as a context: the directory belongs to this process inside. A run
    that ends for its data or its settings before there is anything in it is
    removed. finished.json, the mark of a finished run, is written at the end
    of the context, last of all. Until then the run can be resumed, which
    repeats whatever came after the training.

    The context may be entered inside itself: the command enters it around a
    recipe's `main`, export and report, and `main` enters it for those who call
    it from Python.

    Args:
        recipe: the recipe's name.
        config: its configuration.
        runs: folder of all runs.
        dry_run: whether to take a single step of everything.
        command: what the user typed, for the report.
        resume: a run directory to go on in, instead of a new one.
        origin: how the command line names the recipe, if not by its name.
        formats: Strings, the formats that the run is to be exported to.
            None for none, or for those that a resumed run was begun with.

    Attributes:
        path: the run directory.
        resumed: whether an earlier process has begun this run.
        formats: the formats that the run is to be exported to.
        model: the trained model, once there is one.
        history: a dict per epoch: loss, metrics, learning rate, seconds.
        metrics: metrics on the test split.
        metadata: what an exported file says of the model; `signatures` names
            inner models that leave beside the whole, `license` the licence of
            the trained weights, which is yours to choose: none is claimed
            without it.
    """

    def __init__(
        self,
        recipe: str,
        config: Any,
        runs: str | Path = "runs",
        dry_run: bool = False,
        command: str | None = None,
        resume: str | Path | None = None,
        origin: str | None = None,
        formats: Iterable[str] | None = None,
    ):
        self.recipe = recipe
        self.config = config
        self.dry_run = dry_run
        self.resumed = resume is not None
        self.formats = None if formats is None else list(formats)
        self._command = command
        self.path = (
            directory.create(runs, recipe, self._first_files())
            if resume is None
            else directory.find(resume)
        )
        if self.resumed:
            self._take_request()
        self.resume_command = (
            f"toolkit train {shlex.quote(origin or recipe)} --resume "
            f"{shlex.quote(str(self.path))}"
        )
        self.model: keras.Model | None = None
        self.history: list[dict] = []
        self.metrics: dict[str, float] = {}
        self.metadata: dict[str, Any] = {}
        self.samples: Any = None
        self.train_seconds = 0.0
        self._directory = DirectoryCheck(self.path)
        self._lock = Lock(self.path)
        self._depth = 0
        self._handlers: dict = {}
        self._started = time.perf_counter()

    def _first_files(self) -> dict[str, str]:
        """Returns the files that a run begins with, text by name."""
        description = environment.describe(self._command)
        return {
            "config.yaml": configuration.to_yaml(self.recipe, self.config),
            ENVIRONMENT: _to_json(description),
            directory.REQUEST: _to_json(self._request()),
        }

    def _request(self) -> dict[str, Any]:
        return {"export": self.formats or [], "dry_run": self.dry_run}

    def _take_request(self) -> None:
        """Takes what a run that goes on was asked for when it began."""
        path = self.path / directory.REQUEST
        request = _read_json(path)
        formats = request.get("export", [])
        if not isinstance(formats, list) or not set(map(str, formats)) <= {
            *FORMATS
        }:
            raise _damaged(
                path,
                f'"export" must be a list of {", ".join(FORMATS)}. Received: '
                f"{formats!r}",
            )
        self.dry_run = bool(request.get("dry_run", False)) or self.dry_run
        if self.formats is None:
            self.formats = formats

    def __enter__(self) -> Run:
        if self._depth:
            self._depth += 1
            return self
        self._lock.acquire()
        self._depth = 1
        try:
            # An end that is asked for is one, wherever the run stands.
            self._handlers = install(signal.default_int_handler, ENDING)
            self.say(f"run directory {self.path}")
            if self.resumed:
                self._take_up()
        except BaseException as error:
            self._leave()
            if not self.resumed and self._remove_if_empty():
                raise
            if _is_about_output(error):
                error.add_note(self._how_to_resume())
            raise
        return self

    def _leave(self) -> None:
        put_back(self._handlers)
        self._lock.release()
        self._depth = 0

    def __exit__(self, kind, error, traceback) -> None:
        self._depth -= 1
        if self._depth:
            return
        try:
            if error is None:
                self._mark()
                return
            with contextlib.suppress(OSError, RunError):
                self.log(f"ended by {kind.__name__}: {error}")
        finally:
            self._leave()
        if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
            self.check_directory()  # the true reason, if it was removed
        for_nothing = ConfigError | DataError | KeyboardInterrupt
        if (
            isinstance(error, for_nothing)
            and not self.resumed
            and self._remove_if_empty()
        ):
            return
        how = self._how_to_resume()
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(
                f"Interrupted; {self.path} holds what was done. {how}"
            ) from error
        if _is_about_output(error):
            error.add_note(how)

    def _how_to_resume(self) -> str:
        return f"Go on with: {self.resume_command}"

    def check_directory(self) -> None:
        """Checks that the run directory is there.

        Raises:
            RunError: If it was removed, renamed or replaced.
        """
        self._directory.check()

    def _remove_if_empty(self) -> bool:
        """Removes a directory that holds nothing but how it began."""
        files = list(self.path.iterdir()) if self.path.is_dir() else []
        if not files or not {file.name for file in files} <= AT_FIRST:
            return False
        for file in files:
            file.unlink()
        self.path.rmdir()
        with contextlib.suppress(OSError, ToolkitError):  # it may be closed
            print(f"nothing was trained: {self.path} is removed", flush=True)
        return True

    def _take_up(self) -> None:
        """Cleans up after the process before; says what has changed."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / directory.MARK).unlink()
        remove_temporaries(self.path)
        recover(self.path / "export", STAGING)
        recover(self.path.parent, directory.STAGING)
        if _read_json(self.path / directory.REQUEST) != self._request():
            self.write_json(directory.REQUEST, self._request())
        if not (self.path / ENVIRONMENT).exists():
            self.write_json(ENVIRONMENT, environment.describe(self._command))
        begun_on = _read_json(self.path / ENVIRONMENT)
        for name in ("versions", "threads"):
            if not isinstance(begun_on.get(name, {}), dict):
                raise _damaged(
                    self.path / ENVIRONMENT, f'"{name}" is not an object'
                )
        changed = environment.changes(begun_on)
        if changed:
            self.say(
                f"changed since the run was begun: {', '.join(changed)}; it "
                "goes on, but its numbers may differ in the last digits"
            )

    def _mark(self) -> None:
        """Writes that the run has everything that was asked for."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.write_json(directory.MARK, {"finished": now})

    def check_data(self, sha256: str) -> None:
        """Notes what a run learns from, or that it is still the same.

        Args:
            sha256: of the data, hexadecimal.

        Raises:
            DataError: the run was begun with other data.
        """
        before = _read_json(self.path / DATA).get("sha256")
        if before is None:
            self.write_json(DATA, {"sha256": sha256})
        elif before != sha256:
            raise DataError(
                f"The data is not what the run {self.path} was begun with: "
                f"its sha256 is {sha256[:16]}..., and was {before[:16]}.... "
                "Put the data back, or start a new run."
            )

    def say(self, text: str) -> None:
        """Prints a line and puts it into log.txt.

        Characters that the encoding of standard output lacks are printed as
        escapes. Where its terminal is gone nothing is printed: the system
        sends SIGHUP then, which ends the run unless it is ignored.
        """
        self.log(text)
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        shown = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            print(shown, flush=True)
        except (OSError, ToolkitError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if getattr(cause, "errno", None) != errno.EIO:
                raise

    def log(self, text: str) -> None:
        """Puts a line into log.txt, with the seconds since the start.

        Raises:
            RunError: If the run directory was removed.
        """
        self._directory.check()
        stamp = f"{time.perf_counter() - self._started:9.2f}  "
        path = self.path / "log.txt"
        with named_errors(path), open(path, "a", encoding="utf-8") as file:
            file.write(stamp + text.replace("\n", "\n" + " " * 11) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file into the run directory, atomically.

        Raises:
            RunError: If the run directory was removed.
        """
        self._directory.check()
        atomic_write(self.path / name, _to_json(value))

    def save_model(self) -> Path:
        """Writes model.keras and returns its path."""
        target = self.path / "model.keras"
        self._directory.check()
        with atomic_path(target) as temporary:
            self.model.save(temporary)
        self.write_json("metadata.json", self.metadata)
        return target

    def export(
        self,
        formats: str | Iterable[str] = ("saved_model", "onnx", "litert"),
        **options: Any,
    ) -> Report:
        """Exports the trained model into the run's `export` directory.

        Args:
            formats: names of formats.
            options: as for `export.export`.

        Returns:
            The report of `export.export`.
        """
        from recipes._run.exporting import export_run

        return export_run(self, formats, **options)

    def finish(self) -> None:
        """Writes the model card and the report."""
        from recipes._report import write_report
        from recipes._run.model_card import write_model_card

        self._directory.check()
        write_model_card(self.path)
        self.say(f"report {write_report(self.path)}")


def _to_json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _read_json(path: Path) -> dict:
    """Returns the object in a file; an empty one if it is not there.

    Raises:
        RunError: If the file is damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:  # not JSON, or not UTF-8
        raise _damaged(path, error) from error
    if not isinstance(value, dict):
        raise _damaged(path, "it holds no object")
    return value


def _damaged(path: Path, reason: object) -> RunError:
    return RunError(
        f'"{path}" is damaged: {reason}. Remove the file and resume, or start '
        "a new run."
    )


def _is_about_output(error: BaseException) -> bool:
    """Returns whether a run could go on if its output could be written."""
    if isinstance(error, ConfigError | DataError):
        return False
    return (
        isinstance(error, OSError)
        or isinstance(error.__cause__, OSError)
        or getattr(error, "about_output", False)  # Keras drops causes
    ) and not isinstance(error.__cause__, FileNotFoundError)
