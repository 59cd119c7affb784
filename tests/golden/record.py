"""The golden records: what earlier versions trained, saved and exported."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.golden.make import FIRST, SECOND

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Golden:
    """One training of an earlier version.

    Attributes:
        version: that made it.
        name: of the case.
        about: what the manifest says of it.
    """

    version: str
    name: str
    about: dict[str, Any]

    @property
    def recipe(self) -> str:
        """What was trained."""
        return self.about["recipe"]

    @property
    def finished(self) -> Path:
        """The finished run, relative to where the archive is unpacked."""
        return Path("runs", self.recipe, FIRST)

    @property
    def stopped(self) -> Path:
        """The interrupted run, likewise."""
        return Path("runs", self.recipe, SECOND)

    def unpack(self, folder: Path) -> None:
        """Puts data, runs and answers into a folder."""
        archive = HERE / self.version / f"{self.name}.tar.xz"
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")

    def __str__(self) -> str:
        return f"{self.version}-{self.name}"


def versions() -> list[str]:
    """Returns the versions that have a record, in the order of their names."""
    return sorted(path.parent.name for path in HERE.glob("*/manifest.json"))


def manifest(version: str) -> dict[str, Any]:
    """Returns what a record says of itself."""
    return json.loads((HERE / version / "manifest.json").read_text())


def all_golden() -> list[Golden]:
    """Returns every training of every record."""
    return [
        Golden(version, name, about)
        for version in versions()
        for name, about in manifest(version)["cases"].items()
    ]
