"""Draws mutations by a seed: from every folder, from lines that tests run.

    python -m tests.mutations.draw --seed 21 --count 30 > drawn.json

A folder of the packages gives at least one, the rest by the numbers of their
changes; the kind of change is drawn first, and a function gives one only. The
first 30 entries of list.json are those; the others were chosen by hand.
"""

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from coverage import CoverageData

from tests.mutations.operators import mutants

ROOT = Path(__file__).parents[2]
FIELDS = ("file", "function", "operator", "statement", "before", "after", "nth")


class Covering:
    """The tests that reach lines, from what `make coverage` wrote."""

    def __init__(self, folder: Path):
        data = CoverageData(str(folder / "data"))
        data.read()
        # Tests by file and line; files that a test reaches; its seconds
        self.lines, self.reach, self.seconds = {}, Counter(), Counter()
        phase = r"\|(setup|run|teardown)$| \((setup|call|teardown)\)$"
        ours = re.compile(r"(?:^|/)((?:toolkit|export|recipes)/.*\.py)$")
        for name in filter(ours.search, data.measured_files()):  # no templates
            by_line = {
                number: {
                    sys.intern(re.sub(phase, "", context))
                    for context in contexts
                    if context.startswith("tests/")
                }
                for number, contexts in data.contexts_by_lineno(name).items()
            }
            self.reach.update(set().union(*by_line.values()))
            self.lines[ours.search(name)[1]] = by_line
        duration = r"^([\d.]+)s (?:call|setup|teardown) +(tests/\S.*?)\s*$"
        log = (folder / "log").read_text()
        for seconds, test in re.findall(duration, log, re.M):
            self.seconds[test] += float(seconds)

    def tests(self, file: str, lines: tuple[int, int]) -> set[str]:
        """Returns the tests that reach one of the lines from first to last."""
        by_line = self.lines.get(file, {})
        numbers = range(lines[0], lines[1] + 1)
        return set().union(*(by_line.get(number, ()) for number in numbers))

    def beside(self, tests: set[str]) -> set[str]:
        """Returns the other tests of the files that tests stand in.

        What TensorFlow traces runs as Python once, in the first test that
        needs it: of the others coverage knows nothing.
        """
        files = {test.split("::")[0] for test in tests}
        return {t for t in self.reach if t.split("::")[0] in files} - tests

    def ordered(self, tests: set[str], limit: float) -> list[str]:
        """Returns what takes `limit` seconds: the most specific files first.

        A file of tests is specific if they reach few source files; its
        quickest tests come first.
        """
        by_file = defaultdict(list)
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            by_file[test.split("::")[0]].append(test)

        def reach(file):
            return np.mean([self.reach[test] for test in by_file[file]]), file

        chosen = []
        for test in (t for f in sorted(by_file, key=reach) for t in by_file[f]):
            if self.seconds[test] <= limit:
                limit -= self.seconds[test]
                chosen.append(test)
        return chosen


def candidates(root: Path, covering: Covering) -> dict[str, list]:
    """Returns files and changes that a test reaches, by folder."""
    found = defaultdict(list)
    for file in sorted(covering.lines):
        for mutant in mutants((root / file).read_text()):
            if covering.tests(file, mutant.lines):
                found[str(Path(file).parent)].append((file, mutant))
    return found


def draw(by_folder: dict[str, list], count: int, seed: int) -> list[tuple]:
    """Draws changes from folders, at least one from each."""
    rng = np.random.default_rng(seed)
    folders = sorted(by_folder)
    sizes = np.array([len(by_folder[folder]) for folder in folders])
    more = rng.choice(len(folders), count - len(folders), p=sizes / sizes.sum())
    drawn, functions = [], set()
    for place in sorted([*range(len(folders)), *more]):
        by_operator = defaultdict(list)
        for file, mutant in by_folder[folders[place]]:
            if (file, mutant.function) not in functions:
                by_operator[mutant.operator].append((file, mutant))
        changes = by_operator[rng.choice(sorted(by_operator))]
        file, mutant = changes[rng.integers(len(changes))]
        functions.add((file, mutant.function))
        drawn.append((file, mutant))
    return drawn


def parsed() -> argparse.ArgumentParser:
    """Returns a parser of what drawing and running have in common."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument(
        "--coverage", type=Path, default=ROOT / "build/coverage"
    )
    return parser


def main() -> None:
    """Prints the list as JSON."""
    parser = parsed()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    settings = parser.parse_args()
    by_folder = candidates(settings.root, Covering(settings.coverage))
    entries = [
        dict(zip(FIELDS, (file, *mutant[:6]), strict=True))
        for file, mutant in draw(by_folder, settings.count, settings.seed)
    ]
    print(json.dumps(entries, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
