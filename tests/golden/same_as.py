"""`make same-as REV=...`: whether two revisions train and export the same.

Both revisions, the other one and the working tree as it stands, are put into a
temporary folder. With each, every case of `tests.golden.cases` is trained for
one epoch and exported by the command line; then all that came out is compared
bit for bit, and so is what `--help` and `--print_config` print.

A stored hash would not do: another processor rounds otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.golden.cases import CASES, Case, write_data
from tests.golden.compare import compare_runs, lines_difference
from toolkit._backend import load_tensorflow

ROOT = Path(__file__).parents[2]
WIDTH = max(map(len, CASES))
HERE, THERE = "this working tree", "the other revision"
# All help texts and configurations, in one process without TensorFlow
HELP = """
import contextlib, importlib, io, json, sys
from pathlib import Path
import recipes
from recipes import catalog
from recipes._cli.main import COMMANDS, main
root = Path(sys.argv[1]).resolve()
if not Path(recipes.__file__).resolve().is_relative_to(root):
    sys.exit(f"{recipes.__file__} is not in {root}")
asked = [["--help"], *([command, "--help"] for command in COMMANDS)]
for name in sys.argv[2:] or catalog.CATALOG:
    if name not in catalog.CATALOG:
        continue  # a recipe that one of the revisions does not have
    train = ["train", name]
    asked += [[*train, "--help"], [*train, "--print_config"]]
    asked += [
        [*train, "--preset", preset, "--print_config"]
        for preset in importlib.import_module(f"recipes.{name}").PRESETS
    ]
texts = {}
for arguments in asked:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = main(arguments)
    texts[" ".join(["toolkit", *arguments])] = f"{status}\\n{text.getvalue()}"
print(json.dumps(texts))
"""


def main(arguments: list[str] | None = None) -> int:
    """Compares; returns 0 if all is equal, else 1."""
    parser = argparse.ArgumentParser(
        "python -m tests.golden.same_as", description=__doc__.splitlines()[0]
    )
    parser.add_argument("revision", help="what `git rev-parse` understands")
    parser.add_argument(
        "--recipes", default="", help="only these, with commas; all by default"
    )
    options = parser.parse_args(arguments)
    recipes = [name for name in options.recipes.split(",") if name]
    unknown = set(recipes) - {case.recipe for case in CASES.values()}
    if unknown:
        parser.error(f"there is no recipe {', '.join(sorted(unknown))}")
    load_tensorflow()  # which reads SavedModels, and greets otherwise
    revision = git("rev-parse", "--short", f"{options.revision}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="same-as-") as folder:
        work = Path(folder)
        try:
            snapshot(work / "here" / "source")
            git(
                "worktree", "add", "--detach", str(work / "there" / "source"),
                revision,
            )  # fmt: skip
            return report(
                compare(work / "here", work / "there", recipes), revision
            )
        finally:
            remove_worktree(work / "there" / "source")


def compare(
    ours: Path, theirs: Path, recipes: list[str]
) -> Iterator[tuple[str, str, str]]:
    """Trains with both sources and compares, case by case.

    Args:
        ours: a folder with `source`, which takes the runs.
        theirs: the same.
        recipes: what to train; all if empty.

    Yields:
        What was trained or asked, what was compared, the first difference.
    """
    texts = [help_texts(place / "source", recipes) for place in (ours, theirs)]
    for command in list({**texts[0], **texts[1]}):
        a, b = (text.get(command, "there is no such command") for text in texts)
        yield "command line", command, lines_difference(a, b)
    for case in CASES.values():
        if recipes and case.recipe not in recipes:
            continue
        print(f"training {case.name} twice", file=sys.stderr, flush=True)
        failed = [train(place, case) for place in (ours, theirs)]
        for where, problem in zip((HERE, THERE), failed, strict=True):
            if problem:
                yield case.name, "training", f"fails in {where}: {problem}"
        if any(failed):
            continue
        runs = [
            place / case.name / "runs" / case.recipe / "1"
            for place in (ours, theirs)
        ]
        for subject, difference in compare_runs(*runs):
            yield case.name, subject, difference


def train(place: Path, case: Case) -> str:
    """Trains a case for one epoch and exports it; returns an error or ``."""
    folder = place / case.name
    folder.mkdir()
    write_data(folder)
    run = f"runs/{case.recipe}/1"
    commands = [case.train(epochs=1)]
    for name, arguments in case.exports.items():
        commands.append(
            ["export", run, *arguments, "--output", f"{run}/{name}"]
        )
    for command in commands:
        done = python(place / "source", ["-m", "recipes", *command], folder)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            errors = [line for line in lines if line.startswith("error:")]
            return (errors or lines or ["no message"])[-1]
    return ""


def help_texts(source: Path, recipes: list[str]) -> dict[str, str]:
    """Returns what each command prints, by command."""
    arguments = ["-c", HELP, str(source), *recipes]
    done = python(source, arguments, source.parent)
    if done.returncode:
        raise RuntimeError(f"{source} does not print its help: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def python(source: Path, arguments: list[str], folder: Path):
    """Runs the same Python with the packages of a source folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(source),
            "COLUMNS": "80",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        },
        capture_output=True,
        text=True,
    )


def snapshot(target: Path) -> None:
    """Copies the working tree as it stands, without what git ignores."""
    listed = git("ls-files", "-z", "-co", "--exclude-standard").split("\0")
    for name in listed:
        source = ROOT / name
        if name and source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)


def remove_worktree(path: Path) -> None:
    """Removes a worktree, if it came to be, and what git remembers of it."""
    subprocess.run(
        ["git", "worktree", "remove", "--force", str(path)],
        cwd=ROOT,
        capture_output=True,
    )


def git(*arguments: str) -> str:
    """Returns what git prints."""
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"error: git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def report(rows: Iterable[tuple[str, str, str]], revision: str) -> int:
    """Prints the table as its rows come; returns the exit status."""
    count = unequal = 0
    for where, subject, difference in rows:
        count += 1
        unequal += bool(difference)
        line = f"{where:<{WIDTH}}  {subject}  {difference or 'equal'}"
        print(line, flush=True)
    print(
        f"{count - unequal} of {count} are equal to {revision}"
        + (f"; {unequal} differ" if unequal else "")
    )
    return int(bool(unequal))


if __name__ == "__main__":
    # So that an end that is asked for leaves no worktree either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
