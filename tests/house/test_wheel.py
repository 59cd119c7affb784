"""What `pip install` of the built wheel would bring."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("toolkit", "export", "recipes")


def test_wheel_holds_every_source_and_template(tmp_path):
    copy = tmp_path / "source"
    copy.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "setup.cfg", "README.md",
                 "LICENSE"):  # fmt: skip
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, copy / name, ignore=shutil.ignore_patterns("*.pyc")
            )
        else:
            shutil.copy(source, copy / name)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
            "--no-build-isolation", "--disable-pip-version-check",
            "--wheel-dir", tmp_path, copy,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {n for n in archive.namelist() if "dist-info" not in n}
    expected = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == expected
    assert any(name.endswith(".j2") for name in inside)
