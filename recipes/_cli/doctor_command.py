"""`toolkit doctor`."""

from __future__ import annotations

import importlib.util
import platform
import sys
import tempfile
from pathlib import Path

from recipes._cli.parsing import Parser
from toolkit.errors import ToolkitError

NAMES = ("toolkit", "recipes", "export")
NEWEST_PYTHON = (3, 13)


def run(arguments: list[str]) -> None:
    """Looks at everything that tends to go wrong."""
    parser = Parser(
        "doctor",
        "Versions, known clashes, shadowed package names, accelerators, and "
        "which formats work here: a tiny model is really converted and run.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="do not convert anything"
    )
    options = parser.parse_args(arguments)
    problems = [*_versions(), *_shadows()]
    problems += _accelerators()
    if not options.quick:
        problems += _formats()
    if problems:
        raise ToolkitError(
            f"{len(problems)} problem{'s' if len(problems) > 1 else ''}:\n"
            + "\n".join(f"- {problem}" for problem in problems)
        )
    print("all is well")


def _line(mark: bool, name: str, text: str) -> None:
    print(f"{'ok ' if mark else 'BAD'}  {name:<24}{text}", flush=True)


def _versions() -> list[str]:
    from importlib import metadata

    from packaging.requirements import Requirement

    from recipes._run.environment import PACKAGES

    problems = []
    python = sys.version_info[:2]
    good = (3, 11) <= python <= NEWEST_PYTHON
    _line(good, "python", platform.python_version())
    if not good:
        problems.append(
            f"Python {platform.python_version()}: needed is 3.11 to "
            f"{'.'.join(map(str, NEWEST_PYTHON))}."
        )
    wanted = {}
    for text in metadata.requires(PACKAGES[0]) or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            wanted[requirement.name] = requirement.specifier
    for name, specifier in wanted.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            _line(False, name, "not installed")
            problems.append(f"{name} is not installed: make setup")
            continue
        good = specifier.contains(version, prereleases=True)
        _line(good, name, version)
        if not good:
            problems.append(
                f"{name} {version} is installed, {specifier} was tested: make "
                "setup"
            )
    for clash in ("tf-nightly", "tf_keras", "keras-nightly", "tflite-runtime"):
        try:
            found = metadata.version(clash)
        except metadata.PackageNotFoundError:
            continue
        _line(False, clash, found)
        problems.append(
            f"{clash} clashes with this stack: pip uninstall {clash}"
        )
    return problems


def shadows(directory: Path) -> list[Path]:
    """Returns files and folders that would be imported in our packages' place.

    Args:
        directory: where Python would look first.
    """
    ours = Path(__file__).parents[2]
    if directory.resolve() == ours.resolve():
        return []
    found = [directory / f"{name}.py" for name in NAMES]
    found += [directory / name / "__init__.py" for name in NAMES]
    return [path for path in found if path.is_file()]


def _shadows() -> list[str]:
    problems = []
    ours = Path(__file__).parents[2]
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin) if spec and spec.origin else None
        good = origin is not None and origin.parents[1] == ours
        _line(good, f"import {name}", str(origin))
        if not good:
            problems.append(
                f'"import {name}" finds {origin}, not this toolkit. Rename '
                "that file or folder."
            )
    for path in shadows(Path.cwd()):
        _line(False, "shadow", str(path))
        problems.append(
            f"{path} hides this toolkit's package for programs started in "
            "this folder. Rename it."
        )
    return problems


def _accelerators() -> list[str]:
    from toolkit._backend import load_tensorflow

    tf = load_tensorflow()
    devices = [
        d.name
        for d in tf.config.list_physical_devices()
        if d.device_type != "CPU"
    ]
    _line(True, "accelerators", ", ".join(devices) or "none; the CPU is used")
    return []


def _formats() -> list[str]:
    import numpy as np

    import export
    from toolkit.models import softmax_regression

    model = softmax_regression((4,), classes=3)
    model.set_weights(
        [
            np.linspace(-1, 1, w.size).reshape(w.shape)
            for w in model.get_weights()
        ]
    )
    problems = []
    for name, item in export.FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                report = export.export(model, folder, [name])
            except ToolkitError as error:
                _line(False, item.title, str(error).splitlines()[0])
                problems.append(f"{item.title}: {error}")
                continue
        done = report.formats[name]
        _line(
            True,
            item.title,
            f"converted, run and equal in {sum(done.seconds.values()):.1f} s",
        )
    return problems
