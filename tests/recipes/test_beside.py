"""A run's page with other runs beside it."""

import json
import shutil

import numpy as np
import pytest
import yaml

from recipes._cli.main import main
from recipes._report import beside, files
from tests.recipes.drawn import Drawn

RECIPE, SHA = "language_model", "a" * 64
undrawn = pytest.mark.usefixtures("without_drawing")


def toolkit(*arguments):
    return main([str(a) for a in arguments])


def make(path, cell, epochs, norms, **evaluation):
    """Writes what a finished run leaves, as far as it is compared."""
    path.mkdir(parents=True)
    config = {"recipe": RECIPE, "cell": cell, "units": 8, "epochs": epochs}
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    found = {
        "recipe": RECIPE,
        "task": "text-generation",
        "description": "Says which word comes next.",
        "headline": "perplexity 9",
        "tiles": {},
        "split": "test",
        "count": 500,
        "examples": "words",
        "metrics": {"loss": 2.197, "perplexity": 9.0},
        "parameters": 1234,
        "train_seconds": 200.0,
        "data": {"source": "x", "train": 9, "validation": 9, "test": 9},
        "loss": "loss, nats per word",
        "sha256": SHA,
    }
    (path / "evaluation.json").write_text(json.dumps(found | evaluation))
    rows = [f"{e},{3 - e / 10},{4 - e / 10}" for e in range(1, epochs + 1)]
    (path / "metrics.csv").write_text(
        "\n".join(["epoch,loss,val_loss", *rows]) + "\n"
    )
    (path / "timing.csv").write_text(
        "epoch,seconds,examples_per_second\n1,2,1000\n2,2,3000\n"
    )
    if norms is not None:
        np.savez(path / "gradient_norms.npz", **norms)
    return path


def vanishing(factor, steps, notes=3):
    """Norms that shrink by a factor per step, more so by epoch."""
    norms = [(factor ** (1 + n)) ** np.arange(steps) for n in range(notes)]
    return {
        "steps/recurrent_1": np.array(norms),
        "layers/logits": np.ones(notes),
    }


@pytest.fixture
def runs(tmp_path):
    root = tmp_path / "runs" / RECIPE
    return [
        make(root / "1", "elman", 2, vanishing(0.5, 6)),
        make(root / "2", "lstm", 3, vanishing(0.9, 8)),
        make(root / "3", "gru", 1, None, metrics={"loss": 1.5, "more": 12345}),
    ]


def test_page_shows_one_table_of_all_runs(runs):
    assert toolkit("report", runs[0], "--beside", *runs[1:]) == 0
    page = (runs[0] / "report.html").read_text()
    assert page.count('id="beside"') == 1
    table = beside.section(*read(runs)).parts[0]
    assert table.head == [
        "run", "settings that differ", "parameters", "loss", "perplexity",
        "more", "training time", "words/s",
    ]  # fmt: skip
    assert table.rows[0] == (
        str(runs[0]), "cell elman, epochs 2", "1,234", "2.197", "9.000", "-",
        "3.3 min", "2,000",
    )  # fmt: skip
    assert table.rows[2][3:6] == ("1.500", "-", "12,345")
    cells = '<td>cell lstm, epochs 3</td><td class="number">1,234</td>'
    assert cells in page
    assert (runs[0] / "README.md").is_file()
    assert not (runs[1] / "report.html").exists()
    assert toolkit("report", runs[0]) == 0
    assert 'id="beside"' not in (runs[0] / "report.html").read_text()


def read(runs):
    first, *others = map(files.read, runs)
    return first, others


@pytest.fixture
def calls(runs, monkeypatch):
    """What was drawn, of three runs."""
    seen = Drawn()
    monkeypatch.setattr(beside, "plots", seen)
    beside.section(*read(runs))
    return [arguments for _, arguments in seen.calls]


@undrawn
def test_validation_losses_stand_in_one_plot(calls):
    found = calls[0]["found"]
    assert calls[0]["label"] == "validation loss, nats per word"
    assert found == {
        "run 1, cell elman, epochs 2": {"": ([1, 2], [3.9, 3.8])},
        "run 2, cell lstm, epochs 3": {"": ([1, 2, 3], [3.9, 3.8, 3.7])},
        "run 3, cell gru, epochs 1": {"": ([1], [3.9])},
    }


@undrawn
def test_gradients_of_all_cells_stand_in_one_plot(calls, runs):
    assert len(calls) == 2 and calls[1]["log"]
    found = calls[1]["found"]
    assert [name[:5] for name in found] == ["run 1", "run 2"]
    for lines, factor, steps in zip(
        found.values(), (0.5, 0.9), (6, 8), strict=True
    ):
        assert list(lines) == [beside.AFTER, beside.BEFORE]
        for (x, y), power in zip(lines.values(), (3, 1), strict=True):
            np.testing.assert_array_equal(x, np.arange(steps))
            np.testing.assert_allclose(y, factor ** (power * x))
    rows = beside.section(*read(runs)).parts[2].rows
    assert [row[-1] for row in rows] == ["0.12", "0.50", "0.73", "0.90"]


@undrawn
def test_losses_of_other_units_have_a_plot_of_their_own(runs, monkeypatch):
    change(runs[2], loss="squared error")
    seen = Drawn()
    monkeypatch.setattr(beside, "plots", seen)
    beside.section(*read(runs))
    losses = [a for _, a in seen.calls if not a.get("log")]
    assert [len(a["found"]) for a in losses] == [2, 1]


def test_runs_of_one_number_are_named_by_their_path(runs, tmp_path):
    other = tmp_path / "elsewhere" / "1"
    shutil.copytree(runs[0], other)
    names = beside.labels([files.read(p) for p in (runs[0], other)])
    assert names == [f"run {runs[0]}", f"run {other}"]


def test_setting_too_long_for_a_legend_is_left_out(runs):
    config = yaml.safe_load((runs[1] / "config.yaml").read_text())
    config["data"] = "/a/long/way/to/where/the/data/lies"
    (runs[1] / "config.yaml").write_text(yaml.safe_dump(config))
    found = [files.read(p) for p in runs[:2]]
    assert beside.labels(found)[1] == "run 2, cell lstm, epochs 3"
    assert beside.differing(found)[0]["data"] == "unknown"


@undrawn
def test_other_vocabulary_is_warned_of(runs):
    warning = "know different tokens"
    assert warning not in beside.section(*read(runs)).parts[0].text
    words = json.dumps({"vocabulary": ["a", "b"]})
    (runs[1] / "metadata.json").write_text(words)
    assert warning in beside.section(*read(runs)).parts[0].text


@undrawn
def test_other_pairs_are_no_other_vocabulary(runs):
    tokens = {"source": {"kind": "words"}, "target": {"kind": "words"}}
    others = ({}, {"reverse_source": True}, {"pairs": 1})
    for run, more in zip(runs, others, strict=True):
        (run / "metadata.json").write_text(json.dumps({"text": tokens | more}))
    warning = "know different tokens"
    assert warning not in beside.section(*read(runs)).parts[0].text
    tokens["target"]["kind"] = "subwords"
    (runs[1] / "metadata.json").write_text(json.dumps({"text": tokens}))
    assert warning in beside.section(*read(runs)).parts[0].text


def change(run, **values):
    path = run / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@undrawn
def test_runs_that_cannot_be_compared_are_refused(runs, tmp_path, capsys):
    first, second, third = runs
    (first / "report.html").write_text("as it was")
    before = sorted(first.iterdir())

    def refused(*others, because):
        assert toolkit("report", first, "--beside", *others) != 0
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1
        for words in because:
            assert words in error
        assert (first / "report.html").read_text() == "as it was"
        left = {path.name for path in first.iterdir()} - {".lock"}
        assert left == {path.name for path in before}

    refused(tmp_path / "no", because=["There is no run directory"])
    refused(first.parent, because=["Did you mean", str(third)])
    refused(second, first / ".." / "2", because=["named twice"])
    refused(first, because=["named twice. Name each run once"])
    refused(*runs[1:] * 4, because=["at most 7 runs", "Received: 8"])
    change(second, sha256="b" * 64)
    refused(second, because=["b" * 16, "a" * 16, "the same --data"])
    change(second, sha256=SHA, count=400)
    refused(second, because=["400 words", "500 words"])
    (third / "evaluation.json").unlink()
    refused(
        third,
        because=[f"{third}", "has no evaluation.json", f"--resume {third}"],
    )
    config = (third / "config.yaml").read_text()
    (third / "config.yaml").write_text(config.replace(RECIPE, "char_rnn"))
    refused(third, because=["of char_rnn", f"Name runs of {RECIPE}"])


@undrawn
def test_data_without_a_sum_is_told_apart_by_its_source(runs, capsys):
    for run, source in zip(runs, ("digits", "digits", "other"), strict=True):
        data = {"source": source, "train": 1, "validation": 1, "test": 1}
        change(run, sha256=None, data=data)
    assert toolkit("report", runs[0], "--beside", runs[1]) == 0
    assert toolkit("report", runs[0], "--beside", runs[2]) != 0
    assert "of the data other" in capsys.readouterr().err


def test_run_of_this_page_must_be_evaluated_too(runs, capsys):
    (runs[0] / "evaluation.json").unlink()
    assert toolkit("report", runs[0], "--beside", runs[1]) != 0
    assert f'"{runs[0]}" has no evaluation.json' in capsys.readouterr().err
    assert not (runs[0] / "README.md").exists()
