"""Runs the tests that reach each mutation of the list, in a copy.

    make coverage
    python -m tests.mutations.run --output build/mutations.tsv

For each entry the copy gets the change, and the tests that reach its lines run
until one fails, up to `--seconds` of what they took in the run for coverage. If
none does, the other tests of their files follow, again up to `--seconds`.
`killed` names the test, `hung` means that three times that time passed, `gone`
that the list no longer finds the code.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutations.draw import FIELDS, Covering, parsed
from tests.mutations.operators import Mutant, applied, mutants


def located(source: str, entry: dict) -> Mutant | None:
    """Returns the change of an entry in a source, wherever it stands now."""
    key = [entry[field] for field in FIELDS[1:]]
    every = mutants(source)
    if entry["operator"] == "text":  # of our own, in a function or for it
        lines = [m.lines for m in every if m.function == entry["function"]]
        start = source.encode().find(entry["before"].encode())
        if not lines or start < 0:
            return None
        reach = min(lines)[0], max(last for _, last in lines)
        end = start + len(entry["before"].encode())
        return Mutant(*key, reach, (start, end))
    # Or the statement around it was rewritten, or there are equal ones more
    for fields in ((0, 1, 2, 3, 4, 5), (0, 1, 3, 4, 5), (0, 1, 3, 4)):
        found = [m for m in every if all(m[i] == key[i] for i in fields)]
        if len(found) == 1:
            return found[0]
    return None


def copied(root: Path, folder: Path) -> Path:
    """Copies the files that git knows, and links the data beside them."""
    copy, command = folder / "checkout", ["git", "ls-files", "-z", "-co"]
    listed = subprocess.check_output(
        [*command, "--exclude-standard"], cwd=root, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)
    if (root.parent / "shared").exists():
        (folder / "shared").symlink_to((root.parent / "shared").resolve())
    subprocess.run([sys.executable, "-m", "compileall", "-q", copy], check=True)
    return copy


def outcome(copy: Path, tests: list[str], limit: float) -> tuple[str, str]:
    """Runs tests until one fails; returns what came of it and its proof."""
    names = copy.parent / "tests.txt"
    names.write_text("\n".join(tests))
    command = ["-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *command, f"@{names}"],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            return "hung", f"after {limit:.0f} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        text = output.read()
    if process.returncode == 0:
        return "survived", re.findall(r"\d+ passed", text)[-1]
    if "ERROR: not found" in text:
        return "stale", "the tests are not those of the run for coverage"
    for test in tests:
        if re.search(f"^(FAILED|ERROR) {re.escape(test)}( - |$)", text, re.M):
            return "killed", test
    return "killed", text.strip()[-200:].replace("\n", " ")


def judged(
    copy: Path, path: Path, mutant: Mutant, tests: list[str], limit: float
) -> tuple[str, str]:
    """Returns the `outcome` of a change; a test has to pass without it."""
    source = path.read_text()
    while tests:  # without a name pytest would run them all
        path.write_text(applied(source, mutant))
        result = outcome(copy, tests, limit)
        path.write_text(source)
        if result[0] != "killed":
            return result
        # A test that fails by itself, or cannot be collected, proves nothing.
        named = result[1] if result[1] in tests else tests[0]
        if outcome(copy, [named], limit)[0] == "survived":
            return result
        tests.remove(named)
    return "survived", "no test was quick enough"


def main() -> None:
    """Prints and writes a line for each entry, as it comes."""
    parser = parsed()
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument(
        "--only", type=int, nargs="*", help="numbers of entries"
    )
    parser.add_argument("--output", type=Path, required=True)
    settings = parser.parse_args()
    covering = Covering(settings.coverage)
    entries = json.loads(Path(__file__).with_name("list.json").read_text())
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(settings.root, Path(folder))
        for number, entry in enumerate(entries):
            if settings.only and number not in settings.only:
                continue
            began, path = time.monotonic(), copy / entry["file"]
            source = path.read_text() if path.exists() else ""
            result, count = ("gone", "the code was rewritten"), ""
            if mutant := located(source, entry):
                reached = covering.tests(entry["file"], mutant.lines)
                tests = covering.ordered(reached, settings.seconds)
                count = f"{len(tests)} of {len(reached)} tests"
                limit = 3 * settings.seconds + 60
                result = judged(copy, path, mutant, tests, limit)
                beside = covering.beside(reached)
                more = covering.ordered(beside, settings.seconds)
                if result[0] == "survived" and more:
                    count += f", {len(more)} of {len(beside)} beside them"
                    result = judged(copy, path, mutant, more, limit)
            seconds = f"{time.monotonic() - began:.0f} s"
            change = entry["file"], entry["function"], entry["operator"]
            line = (number, *change, *result, count, seconds)
            print(*line, sep="\t", flush=True)
            with settings.output.open("a") as file:
                print(*line, sep="\t", file=file)


if __name__ == "__main__":
    main()
