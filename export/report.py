"""What an export did, for people and for programs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.formats import FORMATS

REPORT = "report.json"
CHECK_VECTORS = "check_vectors.npz"


@dataclass
class FormatReport:
    """The outcome for one format.

    Attributes:
        format: the format's name.
        path: the artifact.
        signatures: names of the signatures it holds.
        bytes: its size; of a directory, the sum of its files.
        seconds: time per step, `convert` and `verify`.
        operators: operator -> count.
        parity: as `export.parity.Parity.describe` returns it.
        requirements: oldest runtime version that can run it.
        facts: what else the converter says, such as `opset`.
    """

    format: str
    path: Path
    signatures: tuple[str, ...]
    bytes: int
    seconds: dict[str, float]
    operators: dict[str, int]
    parity: dict
    requirements: dict
    facts: dict = field(default_factory=dict)

    def describe(self) -> dict:
        """Returns the outcome for JSON; the path is the file's name."""
        return {
            "format": self.format,
            "path": self.path.name,
            "signatures": list(self.signatures),
            "bytes": self.bytes,
            "seconds": {k: round(v, 3) for k, v in self.seconds.items()},
            **self.facts,
            "operators": self.operators,
            "requirements": self.requirements,
            "parity": self.parity,
        }

    def __str__(self) -> str:
        worst = self.parity["worst"]
        return (
            f"{FORMATS[self.format].title:<10}  {self.path}  "
            f"{size(self.bytes)}  {sum(self.seconds.values()):.1f} s  "
            f"{self.parity['cases']} comparisons with Keras, largest "
            f"difference {worst['absolute']:.1e}"
        )


@dataclass
class Report:
    """The outcome of `export.export`.

    Attributes:
        directory: where the files are.
        model: name, parameters, fingerprint, inputs and outputs.
        formats: `FormatReport` by format name; of a format whose files hold
            one signature each, further ones by `FORMAT:SIGNATURE`.
        notes: assumptions and changes a user should know.
        versions: package -> version.
        created: time of the export, ISO 8601, UTC.
    """

    directory: Path
    model: dict[str, Any]
    formats: dict[str, FormatReport]
    notes: tuple[str, ...]
    versions: dict[str, str]
    created: str

    @property
    def paths(self) -> dict[str, Path]:
        """The artifact by format name."""
        return {name: item.path for name, item in self.formats.items()}

    def describe(self) -> dict:
        """Returns the whole report for JSON.

        Formats of an earlier export into the same directory stay listed while
        they are of the same weights.
        """
        formats = {}
        old = read(self.directory)
        if old and old["model"] == self.model:
            formats = {
                name: item
                for name, item in old["formats"].items()
                if (self.directory / item["path"]).exists()
            }
        formats |= {k: item.describe() for k, item in self.formats.items()}
        return {
            "model": self.model,
            "created": self.created,
            "versions": self.versions,
            "notes": list(self.notes),
            "check_vectors": CHECK_VECTORS,
            "formats": {
                key: formats[key]
                for key in sorted(
                    formats, key=lambda k: list(FORMATS).index(k.split(":")[0])
                )
            },
        }

    def __str__(self) -> str:
        lines = [str(item) for item in self.formats.values()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def read(directory: str | Path) -> dict | None:
    """Returns the report in an export directory; None if there is none."""
    path = Path(directory) / REPORT
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def fingerprint(weights) -> str:
    """Returns a SHA-256 over arrays, their dtypes and shapes."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def measure(path: Path) -> int:
    """Returns the bytes of a file, or of all files of a directory."""
    if path.is_dir():
        return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    return path.stat().st_size


def size(count: int) -> str:
    """Returns a byte count as people write it."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return (
                f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
            )
        value /= 1000
    return f"{value:.1f} GB"
