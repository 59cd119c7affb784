"""README's results: stated alike everywhere, and met by reruns."""

import csv
import json
import os
import subprocess
import sys

import pytest

from recipes.catalog import CATALOG, get
from tests.conftest import ROOT, SHARED
from tests.recipes.results_table import LONG_MINUTES, RESULTS, Figure

NAMES = [result.name for result in RESULTS]


def readme_rows():
    """The rows of the table: first column, and the others."""
    lines = (ROOT / "README.md").read_text().splitlines()
    first = lines.index("| command | test result | training |") + 2
    rows = {}
    for line in lines[first:]:
        if not line.startswith("|"):
            return rows
        command, *others = line.strip("| ").split(" | ")
        rows[command] = " | ".join(others)
    raise AssertionError("the table has no end")


def row_of(result):
    """The one row that a result stands in."""
    (row,) = {
        command: others
        for command, others in readme_rows().items()
        if result.row in command
    }.items()
    return row


@pytest.mark.parametrize("result", RESULTS, ids=NAMES)
def test_readme_states_what_was_measured(result):
    _, stated = row_of(result)
    for figure in result.figures:
        assert figure.stated() in stated


def test_every_row_of_the_readme_can_be_rerun():
    assert {row_of(result)[0] for result in RESULTS} == set(readme_rows())


@pytest.mark.parametrize("result", RESULTS, ids=NAMES)
def test_docstring_and_catalog_state_the_same_number(result):
    text = " ".join(get(result.recipe).__doc__.split())
    for figure in result.figures:
        assert figure.shown(figure.mean) in text
    if not result.arguments:
        figure = result.figures[0]
        assert figure.shown(figure.mean) in CATALOG[result.recipe].metric


@pytest.mark.parametrize(
    ("figure", "inside", "outside"),
    [
        (Figure("m", "", (99.7, 98.6, 98.3)), (97.61, 100.39), (97.5, 100.5)),
        (Figure("m", "", (8,) * 10, 0), (8, 7.6), (7, 9)),
        (Figure("m", "", (200,), 0), (194.1, 205.9), (193.9, 206.1)),
        (Figure("m", "", (0.5, 0.5), 2), (0.4951, 0.5049), (0.494, 0.506)),
    ],
)
def test_a_rerun_lies_near_the_measured_range(figure, inside, outside):
    low, high = figure.bounds()
    assert all(low <= value <= high for value in inside)
    assert not any(low <= value <= high for value in outside)


def measured(run, metric):
    """A metric of a finished run."""
    if metric == "val_loss":
        with open(run / "metrics.csv", newline="") as file:
            return min(float(row[metric]) for row in csv.DictReader(file))
    return json.loads((run / "evaluation.json").read_text())["metrics"][metric]


@pytest.mark.slow
@pytest.mark.parametrize("result", RESULTS, ids=NAMES)
def test_row_is_met_by_a_rerun(result, tmp_path):
    if result.data and not result.data.exists():
        pytest.skip(f"{result.data.name} is not in ../shared/data")
    if result.minutes > LONG_MINUTES and not os.environ.get("TOOLKIT_LONG"):
        pytest.skip(
            f"takes {result.minutes} minutes; TOOLKIT_LONG=1 asks for it"
        )
    done = subprocess.run(
        [
            sys.executable, "-m", "recipes", "train", result.recipe,
            *result.arguments, "--seed", "0", "--runs", str(tmp_path),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TFDS_DATA_DIR": str(SHARED / "tfds")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    run = tmp_path / result.recipe / "1"
    found = {
        figure: figure.scale * measured(run, figure.metric)
        for figure in result.figures
    }
    for figure, value in found.items():
        low, high = figure.bounds()
        print(f"{result.name}: {figure.metric} {value:.4f} [{low:g}, {high:g}]")
        assert low <= value <= high, figure.stated()
