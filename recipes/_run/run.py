"""A run: its directory, its lock, its log and what came out."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes._run import config as configuration
from recipes._run import directory, environment
from toolkit.errors import ConfigError, DataError
from toolkit.io import Lock, atomic_path, atomic_write

if TYPE_CHECKING:
    import keras

    from export.report import Report

DATA = "data.json"
AT_FIRST = {"config.yaml", "environment.json", "log.txt", ".lock", DATA}


class Run:
    """One training run of a recipe.

    Use it as a context: the directory belongs to this process inside. One
    that ends for its data or its settings before there is anything in it is
    removed.

    Args:
        recipe: the recipe's name.
        config: its configuration.
        runs: folder of all runs.
        dry_run: whether to take a single step of everything.
        command: what the user typed, for the report.
        resume: a run directory to go on in, instead of a new one.
        origin: how the command line names the recipe, if not by its name.

    Attributes:
        path: the run directory.
        resumed: whether an earlier process has begun this run.
        model: the trained model, once there is one.
        history: a dict per epoch: loss, metrics, learning rate, seconds.
        metrics: metrics on the test split.
        metadata: what an exported file says of the model; `signatures` names
            inner models that leave beside the whole.
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
    ):
        self.recipe = recipe
        self.config = config
        self.dry_run = dry_run
        self.resumed = resume is not None
        self.path = (
            directory.create(runs, recipe)
            if resume is None
            else directory.find(resume)
        )
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
        self._lock = Lock(self.path)
        self._started = time.perf_counter()
        if resume is None:
            configuration.write(self.path / "config.yaml", recipe, config)
            self.write_json("environment.json", environment.describe(command))

    def __enter__(self) -> Run:
        self._lock.acquire()
        self.say(f"run directory {self.path}")
        if self.resumed:
            self._compare_versions()
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if error is not None:
            self.log(f"ended by {kind.__name__}: {error}")
        self._lock.release()
        for_nothing = ConfigError | DataError | KeyboardInterrupt
        if isinstance(error, for_nothing) and not self.resumed:
            self._remove_if_empty()

    def _remove_if_empty(self) -> None:
        """Removes a directory that holds nothing but how it began."""
        files = list(self.path.iterdir())
        if {file.name for file in files} <= AT_FIRST:
            for file in files:
                file.unlink()
            self.path.rmdir()
            print(f"nothing was trained: {self.path} is removed", flush=True)

    def _compare_versions(self) -> None:
        """Says which packages are not what the run was begun with."""
        try:
            text = (self.path / "environment.json").read_text()
            before = json.loads(text)["versions"]
        except (OSError, ValueError, KeyError):
            before = {}
        changed = [
            f"{name} {before[name]} -> {version}"
            for name, version in environment.versions().items()
            if before.get(name, version) != version
        ]
        if changed:
            self.say(
                f"versions have changed: {', '.join(changed)}; the run goes "
                "on, but not in the same bits"
            )

    def check_data(self, sha256: str) -> None:
        """Notes what a run learns from, or that it is still the same.

        Args:
            sha256: of the data, hexadecimal.

        Raises:
            DataError: the run was begun with other data.
        """
        try:
            before = json.loads((self.path / DATA).read_text())["sha256"]
        except (OSError, ValueError, KeyError):
            before = None
        if before is None:
            self.write_json(DATA, {"sha256": sha256})
        elif before != sha256:
            raise DataError(
                f"The data is not what the run {self.path} was begun with: "
                f"its sha256 is {sha256[:16]}..., and was {before[:16]}.... "
                "Put the data back, or start a new run."
            )

    def say(self, text: str) -> None:
        """Prints a line and puts it into log.txt."""
        print(text, flush=True)
        self.log(text)

    def log(self, text: str) -> None:
        """Puts a line into log.txt, with the seconds since the start."""
        stamp = f"{time.perf_counter() - self._started:9.2f}  "
        with open(self.path / "log.txt", "a", encoding="utf-8") as file:
            file.write(stamp + text.replace("\n", "\n" + " " * 11) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file into the run directory, atomically."""
        atomic_write(self.path / name, json.dumps(value, indent=2) + "\n")

    def save_model(self) -> Path:
        """Writes model.keras and returns its path."""
        target = self.path / "model.keras"
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

        write_model_card(self.path)
        self.say(f"report {write_report(self.path)}")
