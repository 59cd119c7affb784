"""What a run ran on: enough to run it again."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
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
        "cores": cores(),
        "threads": threads(),
        "versions": versions(),
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": _revision(),
    }


def changes(before: dict) -> list[str]:
    """Returns what may change the bits of a run since it was begun.

    Args:
        before: What `describe` returned then; what it lacks is not compared.
    """
    now = {
        **{name: (name, value) for name, value in versions().items()},
        "processor": ("processor", _processor()),
        "cores": ("usable cores", cores()),
        **{name: (name, value) for name, value in threads().items()},
    }
    then = {k: before[k] for k in ("processor", "cores") if k in before}
    for group in ("versions", "threads"):
        if isinstance(before.get(group), dict):
            then |= before[group]
    return [
        f"{title} {then[name]} -> {value}"
        for name, (title, value) in now.items()
        if then.get(name, value) != value
    ]


def cores() -> int | None:
    """Returns the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def threads() -> dict[str, int]:
    """Returns the numbers of threads that TensorFlow was set to, 0 for all."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and hasattr(tensorflow, "config"):
        setting = tensorflow.config.threading
        in_code = {
            "intra_op": setting.get_intra_op_parallelism_threads(),
            "inter_op": setting.get_inter_op_parallelism_threads(),
        }
    else:
        in_code = {}
    return {
        f"{kind}_threads": in_code.get(kind) or _number(f"TF_NUM_{name}")
        for kind, name in (
            ("intra_op", "INTRAOP_THREADS"),
            ("inter_op", "INTEROP_THREADS"),
        )
    }


def _number(variable: str) -> int:
    """Returns a number in an environment variable, 0 if there is none."""
    text = os.environ.get(variable, "").strip()
    return int(text) if text.isdecimal() else 0


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
