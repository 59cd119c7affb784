"""The encoder-decoder: dates it learns, files that translate."""

import json
import re
import shlex
import shutil

import keras
import numpy as np
import onnx
import pytest

from export import metadata, runtime
from recipes import seq2seq
from recipes._cli import bleu
from recipes._cli.main import main
from recipes._report import files, translations
from recipes._run.translating import translate
from recipes._run.translation import TranslationData, _spread, attention
from recipes.seq2seq import PRESETS, Config
from tests.recipes.processes import without_tensorflow
from toolkit.data import load_pairs
from toolkit.text import END, PAD, START, UNKNOWN, load_tokenizer

pytestmark = pytest.mark.usefixtures("traced_reference")


def toolkit(*arguments):
    return main([str(a) for a in arguments])


PAIRS_READ = 4000
# Slow: tests/export has the LiteRT files of encoder, decoder and search.
each_format = pytest.mark.parametrize(
    "file",
    ["onnx", pytest.param("tflite", marks=pytest.mark.slow)],
    indirect=True,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Trained on dates, with its files."""
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "seq2seq", "--runs", runs, "--epochs", 2, "--max-pairs",
            PAIRS_READ, "--learning-rate", 8e-3, "--batch-size", 32,
            "--export", "onnx",
        ) == 0
    )  # fmt: skip
    return runs / "seq2seq" / "1"


@pytest.fixture(scope="module")
def file(run, request, tmp_path_factory):
    """A file of the run that translates."""
    if request.param == "onnx":
        return run / "export" / "seq2seq.onnx"
    folder = tmp_path_factory.mktemp("litert")
    assert toolkit("export", run, "--to", "litert", "--output", folder) == 0
    return folder / "seq2seq.tflite"


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
    # Not those with a year of two digits.
    pairs = [
        (human, iso)
        for human, iso in load_pairs("embedded", max_pairs=PAIRS_READ).test
        if iso[:4] in human
    ]
    most = 1 + max(len(human) for human, _ in pairs)
    read = np.full((len(pairs), most), PAD, np.int32)
    for row, (human, _) in zip(read, pairs, strict=True):
        row[: len(human) + 1] = np.append(source.encode(human), END)
    written = np.array(
        [np.append(START, target.encode(iso)[:-1]) for _, iso in pairs]
    )
    there = []
    for (human, iso), weights in zip(
        pairs,
        np.asarray(trained.attention_weights(read, written)),
        strict=True,
    ):
        # A digit, or the one beside it: a state knows its neighbours.
        first = human.find(iso[:4])
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


@each_format
def test_run_and_file_translate_alike(run, file, capsys):
    texts = ["3 May 1998", "Tuesday, May 3rd, 2011"]
    written = set()
    for path in (run, file):
        assert toolkit("predict", path, "--text", *texts) == 0
        written.add(capsys.readouterr().out)
    (lines,) = written
    assert len(lines.splitlines()) == 2
    assert all(len(line) == 10 for line in lines.splitlines())
    assert toolkit("predict", run, "--text", texts[0], "--json") == 0
    found = json.loads(capsys.readouterr().out)
    answer = {"text": texts[0], "translation": lines.splitlines()[0]}
    assert found == [{**answer, "unknown": 0, "longer": 0}]
    both = ["--text", texts[0], "--text", texts[1]]
    assert toolkit("predict", run, *both) == 0
    assert capsys.readouterr().out == lines


def test_a_text_longer_than_all_in_training_is_named(run, capsys):
    assert toolkit("predict", run, "--text", "3 May 1998" * 20) == 0
    said = capsys.readouterr()
    assert "tokens longer than any text in training" in said.err
    assert len(said.out.splitlines()) == 1
    text = json.loads((run / "metadata.json").read_text())["text"]
    path = run / "export" / "seq2seq.onnx"
    translator = runtime.Translator(runtime.load(path))
    most = text["longest_source"] - 1  # without the end
    assert [translator.longer("1" * (most + n)) for n in (0, 1, 5)] == [0, 1, 5]


def test_seeds_have_the_same_pairs():
    one, two = (
        TranslationData(Config(max_pairs=500, seed=seed)) for seed in (0, 1)
    )
    assert one.pairs.test == two.pairs.test
    assert one.metadata["pairs"] == two.metadata["pairs"]


def test_no_sentence_of_the_test_is_in_training(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "".join(f"s{i * 7 % 90}\tt{i * 11 % 80}\n" for i in range(120))
    )
    found = {}
    for distinct, sides in (("both", [0, 1]), ("target", [1]), ("source", [0])):
        data = TranslationData(Config(data=str(path), distinct=distinct))
        assert data.metadata["pairs"]["distinct"] == distinct
        found[distinct] = data.pairs.sha256
        for side in sides:
            train, test = (
                {pair[side] for pair in part}
                for part in (data.pairs.train, data.pairs.test)
            )
            assert test and not train & test
    assert len(set(found.values())) == 3
    assert TranslationData(Config(data=str(path))).distinct == "both"


def test_dates_have_the_splits_of_runs_that_knew_no_distinct_side():
    assert seq2seq.BEFORE == {"distinct": "target"}
    both, before = (
        TranslationData(Config(max_pairs=500, **settings))
        for settings in ({}, seq2seq.BEFORE)
    )
    assert both.pairs == before.pairs


def test_evaluate_finds_the_test_split_again(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "".join(f"s{i * 7 % 90}\tt{i * 11 % 80}\n" for i in range(120))
    )
    splits = []
    for distinct in ("both", "source", "target"):
        data = TranslationData(Config(data=str(path), distinct=distinct))
        noted = dict(data.metadata)
        pairs, _ = bleu._pairs(path, {"data": str(path), "text": noted}, "")
        assert pairs == list(data.pairs.test)
        splits.append(pairs)
    assert splits[0] != splits[1] != splits[2] != splits[0]
    del noted["pairs"]["distinct"]  # of a run before there was a choice
    pairs, _ = bleu._pairs(path, {"data": str(path), "text": noted}, "")
    assert pairs == splits[2]


def test_few_texts_have_few_subwords(tmp_path):
    pairs = "".join(f"a{i} bc\txyz {i * 7} u v w\n" for i in range(400))
    path = tmp_path / "pairs.tsv"
    path.write_text(pairs)
    for most in (0, 24):
        data = TranslationData(
            Config(data=str(path), tokens="subwords", vocabulary=most)
        )
        assert 4 < len(data.source) < 100 and len(data.target) < 1000
        assert not most or len(data.source) <= most


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
        (["--text", "1", " "], "something that the model knows"),
        (["--text", "日 本"], "something that the model knows"),
        (["--text", "1", "--top", 0], "--text stands alone"),
        (["--text", "1", "--fit"], "--text stands alone"),
        (["x.png"], "translates, it does not classify"),
    ],
)
def test_text_that_cannot_be_read_is_refused(run, arguments, message, capsys):
    assert toolkit("predict", run, *arguments) != 0
    assert message in capsys.readouterr().err


def test_equal_texts_keep_an_answer_each(run, capsys):
    texts = ["3 May 1998", "4 May 1999", "3 May 1998", "4 M\u00e4y 1999"]
    assert toolkit("predict", run, "--text", *texts, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["text"] for one in found] == texts
    assert [one["unknown"] for one in found] == [0, 0, 0, 1]
    assert found[0] == found[2] and len(found[0]["translation"]) == 10
    assert toolkit("predict", run, "--text", *texts) == 0
    captured = capsys.readouterr()
    assert captured.out.split() == [one["translation"] for one in found]
    assert captured.err == (
        'note: the model does not know 1 token of "4 M\u00e4y 1999"\n'
    )


# Evaluation


def test_translations_keep_the_order_of_their_sources():
    sources = [f"{'x' * (7 * i % 100)}{i}" for i in range(150)]
    seen = []

    def write(some):
        seen.append([len(text) for text in some])
        return [text.upper() for text in some]

    assert translate(write, sources) == [text.upper() for text in sources]
    assert sorted(sum(seen, [])) == sum(seen, []) and len(seen) == 3


@each_format
def test_file_has_the_bleu_of_the_run(run, file, capfd):
    told = json.loads((run / "evaluation.json").read_text())
    for path in (run, file):
        assert toolkit("evaluate", path, "--json") == 0
        assert json.loads(capfd.readouterr().out.splitlines()[-1]) == {
            "count": told["count"],
            **told["metrics"],
            "bleu_signature": told["bleu_signature"],
            "too_long": 0,
            "empty_lines": 0,
            "unknown_share": 0.0,
        }


PAIRS = """3 May 1998\t1998-05-03

4 May 1999\t1999-05-04\tof no account
3 May 1998\t1998-05-03, and a little more
\u65e5\u672c\t1998-05-03

"""


def test_any_pairs_have_a_bleu(run, tmp_path, capfd):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    lines = set()
    for model in (run, run / "export" / "seq2seq.onnx"):
        assert toolkit("evaluate", model, "--data", path) == 0
        lines.add(capfd.readouterr().out)
    (lines,) = lines
    head, signature, *counts = lines.splitlines()
    assert head.startswith(f"{path}: 4 sentences, BLEU ")
    assert "tok:13a" in signature
    assert head.split()[-2] in ("0.0%", "25.0%", "50.0%")
    assert counts == [
        "  targets beyond the 16 tokens that it writes, with the end, which "
        "cannot be exact: 1",
        "  empty lines, skipped: 2",
        "  of the source not known: 6.2%",
    ]


@each_format
def test_pairs_are_measured_without_tensorflow(file, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    (result,) = without_tensorflow(["evaluate", file, "--data", path, "--json"])
    assert result.status == 0, result.stderr
    assert json.loads(result.stdout)["count"] == 4 and not result.modules


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, 'There is no data source "{}"'),
        (b"", '"{}" is empty. Give a file with text'),
        (b"\n\n", "{}: there is no pair of sentences in it. Give lines of"),
        (b"a\tb\n\nno tab\n", "{}, line 3: must be a source, a tab and a"),
        (b"a\tb\nc\t \n", "{}, line 2: the target is empty"),
        (b"a\tb\n\xe4\tb\n", "{}, line 2: "),
    ],
)
def test_pairs_that_cannot_be_read_are_named(
    run, tmp_path, capsys, content, message
):
    path = tmp_path / "pairs.tsv"
    if content is not None:
        path.write_bytes(content)
    for model in (run, run / "export" / "seq2seq.onnx"):
        assert toolkit("evaluate", model, "--data", path) == 1
        error = capsys.readouterr().err
        assert message.format(path) in error
        assert len(error.splitlines()) == 1


def about(run, folder, change):
    """A copy of a run and one of a file that say something else."""
    copied, file = folder / "run", folder / "seq2seq.onnx"
    shutil.copytree(run, copied)
    shutil.copy(run / "export" / "seq2seq.onnx", file)
    told = json.loads((run / "metadata.json").read_text())
    change(told["text"])
    (copied / "metadata.json").write_text(json.dumps(told))
    metadata.write(file, {**metadata.read(file), "text": told["text"]})
    return copied, file


def test_columns_change_places_as_in_training(run, tmp_path, capsys):
    path = tmp_path / "pairs.tsv"
    path.write_text("1998-05-03\t3 May 1998\n")
    _, file = about(run, tmp_path, lambda text: text["pairs"].update(swap=True))
    found = runtime.load(file).translate("3 May 1998")
    assert toolkit("evaluate", file, "--data", path, "--json") == 0
    exact = json.loads(capsys.readouterr().out)["exact_match"]
    assert exact == (found == "1998-05-03")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.pop("pairs"), "does not say which pairs it"),
        (
            lambda text: text["pairs"].update(seed=5),
            "are not those that .* learned from.*--data PAIRS.tsv",
        ),
        (lambda text: text.update(source=7), "tokenizers of .* are damaged"),
        (
            lambda text: text["target"].update(characters="0123"),
            r"arget.* has 8 tokens.* of different (runs|models)",
        ),
    ],
)
def test_metadata_that_does_not_fit_is_named(
    run, tmp_path, capsys, change, message
):
    for path in about(run, tmp_path, change):
        assert toolkit("evaluate", path) == 1
        assert re.search(message, capsys.readouterr().err)


def test_commands_for_other_models_say_that_it_translates(run, capsys):
    file = run / "export" / "seq2seq.onnx"
    for command, path in (
        ("benchmark", run),
        ("robustness", run),
        ("robustness", file),
    ):
        assert toolkit(command, path) == 1
        error = capsys.readouterr().err
        assert f'"{path}" translates texts; benchmark and' in error
        assert f"toolkit predict {path} --text" in error
    for path in (run, file):
        assert toolkit("generate", path) == 1
        assert f"toolkit predict {path} --text" in capsys.readouterr().err


def test_file_that_does_not_translate_is_refused(run, trained, capsys):
    for path in (
        run / "export" / "seq2seq_encoder.onnx",
        trained / "export" / "lenet5.onnx",
    ):
        assert toolkit("predict", path, "--text", "3 May 1998") != 0
        assert "does not translate" in capsys.readouterr().err


def test_card_says_how_to_translate(run):
    found = json.loads((run / "evaluation.json").read_text())
    text = found["translations"][0][0]
    card = (run / "README.md").read_text()
    file = "export/seq2seq.onnx"
    assert f"toolkit predict {file} --text {shlex.quote(text)}\n" in card
    assert f'load("{file}").translate({text!r})\n' in card


def test_page_counts_what_training_left_out(run, tmp_path, without_drawing):
    copied = shutil.copytree(run, tmp_path / "run")
    assert "left out" not in translations.section(files.read(run)).text
    path = copied / "evaluation.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"left_out": 1234}))
    path = copied / "config.yaml"
    text = path.read_text().replace("max_length: 0", "max_length: 12")
    path.write_text(text)
    told = translations.section(files.read(copied)).text
    assert "1,234 pairs with more than 12 tokens were left out" in told


def test_model_without_attention_has_no_maps(run, tmp_path):
    data = TranslationData(Config(max_pairs=500, attention="none"))
    assert attention(None, data, ["3 May 1998"]) == []
    copied = shutil.copytree(run, tmp_path / "run")
    path = copied / "evaluation.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"attention": []}))
    (table,) = translations.section(files.read(copied)).parts
    assert len(table.rows) == len(found["translations"])


def test_page_says_which_maps_lack_a_script(run, tmp_path, recwarn):
    copied = shutil.copytree(run, tmp_path / "run")
    path = copied / "evaluation.json"
    found = json.loads(path.read_text())
    for about, count in ((found, 0), (found | {}, 1)):
        if count:
            about["attention"][0]["source"][0] = "\u4e16"
        path.write_text(json.dumps(about))
        parts = translations.section(files.read(copied)).parts
        assert ("The font lacks some" in parts[-1].text) == count
    assert not recwarn.list


def test_page_shows_translations_and_attention(run):
    page = (run / "report.html").read_text()
    section = page[page.index('id="translations"') :]
    section = section[: section.index("</section>")]
    assert section.count("<svg") == 3 + 1  # and the scale of their colours
    assert "BLEU: " in section
    maps = section[section.index("Where it looks") :]
    assert maps.count('<div class="sized">') == 2


# Slow: trainings; tests/models and tests/export have these models and files.
@pytest.mark.slow
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


@pytest.mark.slow
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
            "--cell", "lstm", "--attention", "additive", "--tied", "true",
            "--beam-width", 2, "--reverse-source", "true",
        ) == 0
    )  # fmt: skip


def test_reversed_sources_are_reversed_in_files_too(run, tmp_path):
    data = TranslationData(Config(max_pairs=500, **PRESETS["sutskever2014"]))
    assert data.metadata["reverse_source"]
    _, file = about(
        run, tmp_path, lambda text: text.update(reverse_source=True)
    )
    asked_from_its_end(file)


# Slow: a training and an export more.
@pytest.mark.slow
def test_file_of_a_reversed_model_reverses(tmp_path):
    assert (
        toolkit(
            "train", "seq2seq", "--preset", "sutskever2014", "--max-pairs",
            600, "--units", 8, "--dry-run", "--runs", tmp_path, "--export",
            "onnx",
        ) == 0
    )  # fmt: skip
    asked_from_its_end(tmp_path / "seq2seq" / "1" / "export" / "seq2seq.onnx")


def asked_from_its_end(path):
    """Holds a file to reading sources from their end."""
    model = runtime.load(path)
    tokenizer = load_tokenizer(model.metadata["text"]["source"])
    asked = []
    model.run = lambda inputs: (
        asked.append(inputs["source"]) or {"tokens": np.zeros((1, 1), np.int32)}
    )
    model.translate("3 May")
    assert tokenizer.decode(asked[0][0]) == "yaM 3"


MANY = "".join(f"{'x' * (i % 20 + 1)}\t{i} {i % 3}\n" for i in range(400))


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("a\tb\nno tab\n", [], "pairs.tsv, line 2: must be a source, a tab"),
        ("a\tb\n", [], 'pairs.tsv": 1 pairs with 1 distinct sentences are'),
        ("", [], 'pairs.tsv" is empty. Give a file'),
        ("\n\n", [], "no pair of sentences in it. Give lines"),
        ("\udce4\tb\n", [], "pairs.tsv, line 1"),
        (None, [], 'no data source "pairs.tsv"'),
        (MANY, ["--beam-width", 0], "--beam-width must be at least 1"),
        (MANY, ["--beam-width", 99], "--beam-width must be at most 15, as"),
        (MANY, ["--max-length", 1], "The training pairs of .*Raise --max-le"),
        (MANY, ["--vocabulary", 3], r"The sources give .*\(--vocabulary 3"),
        (
            MANY,
            ["--tokens", "subwords", "--vocabulary", 6],
            "targets give no vocabulary of subwords .*give at least",
        ),
    ],
)
def test_bad_pairs_and_settings_are_refused_and_leave_nothing(
    tmp_path, monkeypatch, capsys, content, settings, message
):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        raw = content.encode("utf-8", "surrogateescape")
        (tmp_path / "pairs.tsv").write_bytes(raw)
    monkeypatch.setattr(
        "recipes._run.fit", lambda *_, **__: pytest.fail("it trains")
    )
    assert toolkit("train", "seq2seq", "--data", "pairs.tsv", *settings)
    error = capsys.readouterr().err
    assert re.search(message, error) and len(error.splitlines()) == 1
    assert not list(tmp_path.glob("runs/seq2seq/*"))


@pytest.mark.parametrize(
    ("lower", "expected"),
    [
        ("sources", (True, False)),
        ("both", (True, True)),
        ("none", (False, False)),
    ],
)
def test_words_are_written_as_they_stand_unless_asked(
    lower, expected, tmp_path
):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"Le Chat {i}\tThe Cat {i}.\n" for i in range(60)))
    data = TranslationData(
        Config(data=str(path), tokens="words", lower=lower, min_count=9)
    )
    assert (data.source.lower, data.target.lower) == expected
    ids = data.target.encode("The Cat.")
    assert data.target.unknown("The Cat.") == 0
    assert data.target.decode(ids) == (
        "the cat." if expected[1] else "The Cat."
    )


def test_examples_come_from_all_over_the_split(run):
    assert _spread(range(100), 3) == [0, 49, 99]
    assert _spread(range(2), 3) == [0, 1]
    found = json.loads((run / "evaluation.json").read_text())
    pairs = load_pairs("embedded", seed=0, max_pairs=PAIRS_READ).test
    shown = [tuple(row[::2]) for row in found["translations"]]
    assert shown == [pairs[i] for i in _spread(pairs, 20)]


def test_unknown_tokens_are_never_written(run):
    model = keras.models.load_model(run / "model.keras")
    assert model.get_layer("search").suppress_tokens == (UNKNOWN,)


def test_pairs_that_are_left_out_are_counted(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(MANY.replace("\n", "\n\n", 7))
    config = Config(data=str(path), max_length=12, distinct="target")
    data = TranslationData(config)
    described = data.describe()
    long = sum(len(source) > 12 for source, _ in data.pairs.train)
    assert f"{long} with more than 12 tokens were dropped" in described
    long = sum(len(source) > 12 for source, _ in data.pairs.validation)
    assert long > 0
    assert f"note: {long} validation pairs with more than 12" in described
    assert "note: 7 empty lines were skipped" in described
    assert max(len(source) for source, _ in data.pairs.test) > 12


def test_presets_are_configurations():
    for values in PRESETS.values():
        Config(**values)
