"""What a run ran on: enough to run it again."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "applied-keras-toolkit",
    "tensorflow",
    "keras",
    "tensorflow-datasets",
    "onnx",
    "tf2onnx",
    "onnxruntime",
    "ai-edge-litert",
    "numpy",
    "scikit-learn",
)


def describe(command: str | None) -> dict:
    """Returns Python, platform, package versions, the command and the time.

    Args:
        command: what the user typed; None if the recipe was called as code.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpu_count": os.cpu_count(),
        "versions": versions(),
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": _revision(),
    }


def command_line(arguments: list[str]) -> str:
    """Returns a command as it can be pasted into a shell."""
    return shlex.join(["toolkit", *arguments])


def versions() -> dict[str, str | None]:
    """Returns the version of each package that matters, None if absent."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor()
    return platform.processor()


def _revision() -> str | None:
    """Returns the commit of this toolkit's checkout, if it is one."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
