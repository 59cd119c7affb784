"""The page and the model card say what the files of the run say."""

import csv
import html.parser
import json
import re
import shutil

import numpy as np
import pytest
import yaml

from recipes._report import write_report
from recipes._run.model_card import write_model_card


class Page(html.parser.HTMLParser):
    """Text, tags and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.sections = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "section":
            self.sections.append(dict(attributes)["id"])

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(trained):
    return Page((trained / "report.html").read_text())


def test_page_has_every_section(page):
    assert page.sections == [
        "exports", "curves", "confusion", "mistakes", "robustness", "inside",
        "settings",
    ]  # fmt: skip


def test_page_shows_the_numbers_of_the_run(page, trained):
    found = json.loads((trained / "evaluation.json").read_text())
    assert f"{found['metrics']['accuracy']:.2%}" in page.text
    assert f"{found['metrics']['loss']:.4f}" in page.text
    assert f"{found['parameters']:,}" in page.text
    exported = json.loads((trained / "export" / "report.json").read_text())
    for item in exported["formats"].values():
        assert f"export/{item['path']}" in page.text
        assert f"{item['parity']['worst']['absolute']:.1e}" in page.text
    command = json.loads((trained / "environment.json").read_text())["command"]
    assert command.startswith("toolkit train lenet5") and command in page.text


def test_mistakes_are_the_ones_of_the_predictions(page, trained):
    with np.load(trained / "predictions.npz") as found:
        guesses = found["probabilities"].argmax(axis=1)
        wrong = np.flatnonzero(guesses != found["labels"])
        pairs = [
            (str(found["labels"][i]), str(guesses[i]))
            for i in found["mistake_indices"]
        ]
        assert set(found["mistake_indices"]) <= set(wrong)
    assert f"{len(wrong)} of {len(guesses)} test images" in page.text
    pictures = [a for t, a in page.tags if t == "img"]
    assert [p["alt"] for p in pictures] == [
        f"a test image of class {true}, taken for {guess}"
        for true, guess in pairs
    ]
    assert all(p["src"].startswith("data:image/png;base64,") for p in pictures)


def test_page_needs_nothing_from_outside_and_runs_no_script(page, trained):
    text = (trained / "report.html").read_text()
    assert "<script" not in text and "@import" not in text
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "data", "action"):
            value = attributes.get(name)
            assert not value or value.startswith(("#", "data:")), (tag, value)
    assert not re.search(r"url\((?!#)", text)


def test_figures_are_described_for_readers(page):
    figures = [a for t, a in page.tags if t == "svg"]
    assert len(figures) == 7
    assert all(a["role"] == "img" and a["aria-label"] for a in figures)


def test_loss_in_nats_is_a_key_figure_of_nets_that_minimized_it(
    trained, tmp_path
):
    import keras

    from recipes._run import evaluate_classifier
    from recipes._run.run import Run
    from recipes.lenet5 import Config, build_data

    whole = json.loads((trained / "evaluation.json").read_text())
    assert "test loss, nats" in whole["tiles"]
    run = Run("lenet5", Config(), runs=tmp_path)
    run.model = keras.models.load_model(trained / "model.keras", compile=False)
    evaluate_classifier(run, build_data(Config()), loss="squared error / 2")
    found = json.loads((run.path / "evaluation.json").read_text())
    assert list(found["tiles"]) == ["test accuracy", "test error"]
    assert found["loss"] == "squared error / 2"


def test_names_from_data_are_escaped(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    found = json.loads((run / "evaluation.json").read_text())
    found["class_names"][3] = "<script>alert(1)</script>"
    (run / "evaluation.json").write_text(json.dumps(found))
    text = write_report(run).read_text()
    assert "<script" not in text and "&lt;script&gt;" in text


def test_page_of_a_run_that_has_only_begun(trained, tmp_path):
    shutil.copy(trained / "config.yaml", tmp_path)
    page = Page(write_report(tmp_path).read_text())
    assert page.sections == ["settings"]
    assert "not evaluated yet" in page.text
    write_model_card(tmp_path)
    assert "Not evaluated yet" in (tmp_path / "README.md").read_text()


def test_page_without_mistakes_says_so(trained, tmp_path, without_drawing):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    labels = np.arange(10)
    np.savez(
        run / "predictions.npz",
        labels=labels,
        probabilities=np.eye(10),
        mistake_indices=np.zeros(0, int),
        mistake_images=np.zeros((0, 32, 32, 1), np.uint8),
    )
    page = Page(write_report(run).read_text())
    assert "all 10 test images are right" in page.text


def test_model_card_has_front_matter_that_hubs_read(trained):
    text = (trained / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["library_name"] == "keras"
    found = json.loads((trained / "evaluation.json").read_text())
    (result,) = card["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == pytest.approx(
        found["metrics"]["accuracy"], abs=5e-5
    )
    assert "lenet5.onnx" in body and "toolkit predict" in body
    assert not re.search(r"\{\{|\}\}|None", body)


def test_model_card_claims_the_licence_that_was_given_or_none(
    trained, tmp_path
):
    def front(run):
        _, text, _ = write_model_card(run).read_text().split("---\n", 2)
        return yaml.safe_load(text)

    run = shutil.copytree(trained, tmp_path / "run")
    assert "license" not in front(run)
    about = json.loads((run / "metadata.json").read_text())
    about["license"] = "CC: BY #1"  # not to be read as YAML
    (run / "metadata.json").write_text(json.dumps(about))
    assert front(run)["license"] == "CC: BY #1"


def test_curve_of_the_page_marks_the_best_epoch(page, trained):
    with open(trained / "metrics.csv", newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    text = (trained / "report.html").read_text()
    assert f"best epoch {1 + int(np.argmin(losses))}" in text
