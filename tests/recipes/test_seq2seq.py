"""The encoder-decoder: dates it learns, files that translate."""

import json
import shutil

import keras
import numpy as np
import onnx
import pytest

from recipes._cli.main import main
from recipes._run.translating import Translator
from recipes.seq2seq import PRESETS, Config
from toolkit.data import load_pairs
from toolkit.text import END, START, load_tokenizer


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Trained on dates, with its files."""
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "seq2seq", "--runs", runs, "--epochs", 2, "--max-pairs",
            8000, "--learning-rate", 8e-3, "--batch-size", 32,
            "--export", "onnx,litert",
        ) == 0
    )  # fmt: skip
    return runs / "seq2seq" / "1"


def test_it_reads_unseen_dates(run):
    found = json.loads((run / "evaluation.json").read_text())
    assert found["metrics"]["exact_match"] > 0.8
    assert found["metrics"]["bleu"] > 80
    assert "tok:13a" in found["bleu_signature"]


def test_attention_follows_the_digits_that_it_copies(run):
    model = keras.models.load_model(run / "model.keras")
    trained = model.get_layer("search").model
    text = json.loads((run / "metadata.json").read_text())["text"]
    source, target = map(load_tokenizer, (text["source"], text["target"]))
    there = []
    for human, iso in load_pairs("embedded", max_pairs=8000).test:
        first = human.find(iso[:4])
        if first < 0:
            continue  # a year of two digits
        read = np.append(source.encode(human), END)[None]
        written = np.append(START, target.encode(iso)[:-1])[None]
        (weights,) = np.asarray(trained.attention_weights(read, written))
        # A digit, or the one beside it: a state knows its neighbours.
        for place in range(4):
            near = slice(max(first + place - 1, 0), first + place + 2)
            there.append(weights[place, near].sum())
    assert len(there) > 100
    assert np.mean(there) > 0.9


def test_maps_of_attention_are_kept_for_the_page(run):
    found = json.loads((run / "evaluation.json").read_text())["attention"]
    assert len(found) == 3
    for item in found:
        weights = np.array(item["weights"])
        assert weights.shape == (len(item["target"]), len(item["source"]))
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-3)
        assert item["target"][-1] == "</s>"


def test_files_translate_alike(run, capsys):
    texts = ["3 May 1998", "Tuesday, May 3rd, 2011"]
    written = set()
    for path in (
        run,
        run / "export" / "seq2seq.onnx",
        run / "export" / "seq2seq.tflite",
    ):
        assert toolkit("predict", path, "--text", *texts) == 0
        written.add(capsys.readouterr().out)
    (lines,) = written
    assert len(lines.splitlines()) == 2
    assert all(len(line) == 10 for line in lines.splitlines())
    assert toolkit("predict", run, "--text", texts[0], "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {texts[0]: lines.splitlines()[0]}


def test_search_is_in_the_file_with_a_fused_encoder(run):
    graph = onnx.load(run / "export" / "seq2seq.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("GRU") == 2 and kinds.count("Loop") == 1
    for name in ("seq2seq_encoder", "seq2seq_decoder"):
        graph = onnx.load(run / "export" / f"{name}.onnx").graph
        assert "Loop" not in [node.op_type for node in graph.node]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", ""], "something that the model knows"),
        (["--text", "日本"], "something that the model knows"),
        (["--text", "1", "--top", 3], "--text stands alone"),
    ],
)
def test_text_that_cannot_be_read_is_refused(run, arguments, message, capsys):
    assert toolkit("predict", run, *arguments) != 0
    assert message in capsys.readouterr().err


def test_file_that_does_not_translate_is_refused(run, trained, capsys):
    for path in (
        run / "export" / "seq2seq_encoder.onnx",
        trained / "export" / "lenet5.onnx",
    ):
        assert toolkit("predict", path, "--text", "3 May 1998") != 0
        assert "does not translate" in capsys.readouterr().err


def test_page_shows_translations_and_attention(run):
    page = (run / "report.html").read_text()
    section = page[page.index('id="translations"') :]
    section = section[: section.index("</section>")]
    assert section.count("<svg") == 3 + 1  # and the scale of their colours
    assert "BLEU: " in section
    maps = section[section.index("Where it looks") :]
    assert maps.count('<div class="sized">') == 2


@pytest.mark.parametrize(
    "more",
    [
        ["--preset", "sutskever2014", "--cell", "peephole_lstm"],
        ["--tokens", "words", "--attention", "additive", "--tied", "true"],
        ["--tokens", "words", "--cell", "lstm", "--beam-width", 2],
    ],
)
def test_other_models_run(more, tmp_path):
    assert (
        toolkit(
            "train", "seq2seq", "--runs", tmp_path, "--max-pairs", 600,
            "--units", 8, "--dry-run", *more,
        ) == 0
    )  # fmt: skip


def test_subwords_of_a_file_of_pairs(tmp_path):
    words = ["le chat", "un chien", "la maison", "il court", "elle dort"]
    lines = [f"{a} {b} {c}\tthe {c} {a} {b}" for a in words
             for b in words for c in words]  # fmt: skip
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(lines))
    assert (
        toolkit(
            "train", "seq2seq", "--data", path, "--tokens", "subwords",
            "--vocabulary", 25, "--units", 8, "--dry-run", "--runs", tmp_path,
        ) == 0
    )  # fmt: skip


def test_reversed_sources_are_reversed_in_files_too(tmp_path, capsys):
    assert (
        toolkit(
            "train", "seq2seq", "--preset", "sutskever2014", "--max-pairs",
            600, "--units", 8, "--dry-run", "--runs", tmp_path, "--export",
            "onnx",
        ) == 0
    )  # fmt: skip
    path = tmp_path / "seq2seq" / "1"
    read = Translator(path / "export" / "seq2seq.onnx")
    asked = []
    read.model.run = lambda inputs: (
        asked.append(inputs["source"]) or {"tokens": np.zeros((1, 1), np.int32)}
    )
    read.translate(["3 May"])
    assert read.source.decode(asked[0][0]) == "yaM 3"


def test_line_without_a_tab_is_named_and_leaves_nothing(tmp_path, capsys):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\nno tab\n")
    assert toolkit("train", "seq2seq", "--data", path, "--runs", tmp_path)
    assert "line 2" in capsys.readouterr().err
    assert not list((tmp_path / "seq2seq").iterdir())
    shutil.rmtree(tmp_path / "seq2seq")
    assert toolkit("train", "seq2seq", "--beam-width", 0, "--runs", tmp_path)
    assert "--beam-width must be at least 1" in capsys.readouterr().err


def test_presets_are_configurations():
    for values in PRESETS.values():
        Config(**values)
