"""The language model of words: what it learns, writes and keeps."""

import json
import re
import shutil
import signal

import keras
import numpy as np
import onnx
import pytest

from export import metadata, runtime
from recipes._cli.main import main
from recipes._run.language_training import _optimizer
from recipes.language_model import PRESETS, Config, build_data
from tests.recipes.processes import without_tensorflow
from toolkit.errors import ConfigError
from toolkit.text import Vocabulary, WordVectors, write_word2vec

pytestmark = pytest.mark.usefixtures("traced_reference")

SENTENCES = (
    "the cat sat on the mat\n", "a dog ran after the red ball\n",
    "seven birds sang in my old house\n",
)  # fmt: skip


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A folder of three splits; words that only memory can tell."""
    folder = tmp_path_factory.mktemp("text")
    rng = np.random.default_rng(0)
    for name, count in (("train", 900), ("valid", 150), ("test", 150)):
        drawn = "".join(SENTENCES[i] for i in rng.integers(0, 3, count))
        (folder / f"words.{name}.txt").write_text(drawn)
    return folder


SMALL = [
    "--units", 24, "--window", 12, "--batch-size", 8, "--sampled", 8,
    "--optimizer", "adam", "--learning-rate", 0.02, "--dropout", 0.1,
    "--epochs", 3,
]  # fmt: skip


@pytest.fixture(scope="module")
def run(text, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "language_model", "--data", text, *SMALL,
            "--runs", runs, "--export", "onnx,litert",
        ) == 0
    )  # fmt: skip
    return runs / "language_model" / "1"


def test_it_learns_the_sentences(run):
    found = json.loads((run / "evaluation.json").read_text())
    # log 3 nats for which sentence, over 7.67 words and ends on average: 0.143.
    assert 0.14 < found["metrics"]["loss"] < 0.28
    assert found["metrics"]["perplexity"] == pytest.approx(
        np.exp(found["metrics"]["loss"])
    )
    model = keras.models.load_model(run / "model.keras")
    assert model.count_params() == sum(
        np.size(w) for w in model.trainable_weights
    ) + sum(np.size(w) for w in model.non_trainable_weights)
    assert model.get_layer("logits").tied_to is model.get_layer("embedding")


def test_exported_file_is_fused_and_knows_its_words(run):
    path = run / "export" / "language_model.onnx"
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("LSTM") == 1 and "Loop" not in kinds
    about = runtime.load(path).metadata
    assert about["tokens"] == "words"
    assert {"<unk>", "<eos>", "cat", "sang"} <= set(about["vocabulary"])


def test_run_and_files_write_the_same_words(run, capsys):
    arguments = ["--prompt", "Seven birds", "--length", 12, "--top-k", 1]
    written = set()
    for source in (
        run,
        run / "export" / "language_model_streaming.onnx",
        run / "export" / "language_model.tflite",
    ):
        assert toolkit("generate", source, *arguments) == 0
        written.add(capsys.readouterr().out)
    (line,) = written
    assert line.startswith("Seven birds sang in my old house\n")


def test_any_text_has_a_perplexity(run, text, tmp_path, capsys):
    assert toolkit("evaluate", run, "--data", text / "words.test.txt") == 0
    assert "1,146 words, perplexity 1." in capsys.readouterr().out
    strange = tmp_path / "strange.txt"
    strange.write_text("the zebra sat on the mat\n")
    assert toolkit("evaluate", run, "--data", strange, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 6 and found["perplexity"] > 2
    assert found["unknown_share"] == pytest.approx(1 / 7)
    assert toolkit("evaluate", run) != 0
    assert "give --data FILE" in capsys.readouterr().err
    strange.write_text("\n")
    assert toolkit("evaluate", run, "--data", strange) != 0
    assert "fewer than two words" in capsys.readouterr().err


def perplexity(source, text, capfd):
    assert toolkit("evaluate", source, "--data", text, "--json") == 0
    return json.loads(capfd.readouterr().out.splitlines()[-1])


def test_files_have_the_perplexity_of_the_run(run, text, tmp_path, capfd):
    strange = tmp_path / "strange.txt"
    rng = np.random.default_rng(1)
    lines = [SENTENCES[i] for i in rng.integers(0, 3, 40)]
    lines[3::5] = ["the zebra, the cat\n\n"] * len(lines[3::5])
    strange.write_text("".join(lines))
    wanted = perplexity(run, strange, capfd)
    assert 0 < wanted["unknown_share"] < 0.1 and wanted["perplexity"] > 2
    fixed = ["--to", "onnx", "--output", tmp_path, "--batch", 3, "--chunk", 5]
    assert toolkit("export", run, *fixed) == 0
    capfd.readouterr()
    for file in (
        run / "export" / "language_model_streaming.onnx",
        run / "export" / "language_model.tflite",
        tmp_path / "language_model_streaming.onnx",
    ):
        found = perplexity(file, strange, capfd)
        assert found["count"] == wanted["count"]
        assert found["unknown_share"] == wanted["unknown_share"]
        assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-5)


def test_page_of_surprise_is_the_same_of_run_and_file(
    run, text, tmp_path, capsys
):
    pages = []
    for model in (run, run / "export" / "language_model.tflite"):
        page = tmp_path / "page.html"
        given = ["--data", text / "words.test.txt", "--html", page]
        assert toolkit("evaluate", model, *given) == 0
        bits = re.findall(r": ([0-9.]+) bits, P", page.read_text())
        pages.append([float(value) for value in bits])
    assert len(pages[0]) > 1000
    np.testing.assert_allclose(*pages, atol=0.02)  # printed with 2 places


def test_page_is_refused_for_other_models(tmp_path, capsys):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("1 2\nword 1 2\n")
    page = tmp_path / "page.html"
    assert toolkit("evaluate", vectors, "--html", page) == 2
    assert "is none. Leave it out" in capsys.readouterr().err
    assert not page.exists()


def test_file_of_whole_sequences_names_the_one_that_is_measured(
    run, text, capsys
):
    path = run / "export" / "language_model.onnx"
    assert toolkit("evaluate", path, "--data", text / "words.test.txt") == 1
    error = capsys.readouterr().err
    assert f'Take "{path.with_name("language_model_streaming.onnx")}"' in error


def test_files_are_measured_without_tensorflow(run, text):
    names = ("language_model_streaming.onnx", "language_model.tflite")
    data = ["--data", text / "words.test.txt"]
    for result in without_tensorflow(
        *(["evaluate", run / "export" / name, *data] for name in names)
    ):
        assert result.status == 0, result.stderr
        assert result.stderr == "" and not result.modules
        (line,) = result.stdout.splitlines()
        assert "1,146 words, perplexity 1." in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": ["a", "<unk>", "<eos>"]}, "has 3 tokens, but its"),
        ({"vocabulary": None}, "must be a list. Received: None"),
        ({"vocabulary": ["a"]}, "needs the word <unk>. Copy it again"),
        ({"tokens": "syllables"}, 'Unknown tokens "syllables"'),
        ({"ends": None}, "`ends` must be lines or paragraphs. Received: None"),
    ],
)
def test_vocabulary_of_a_file_that_does_not_fit_is_refused(
    run, text, tmp_path, capsys, change, message
):
    path = tmp_path / "other.onnx"
    shutil.copy(run / "export" / "language_model_streaming.onnx", path)
    metadata.write(path, {**metadata.read(path), **change})
    arguments = ["--data", text / "words.test.txt"]
    assert toolkit("evaluate", path, *arguments) == 1
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("source", [".", "export/language_model.tflite"])
@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("the birdz", 'Did you mean "birds"'),
        ("the \u65e5", '"\u65e5" is not'),
        ("?!", 'The prompt holds no word to begin with. Received: "?!"'),
    ],
)
def test_prompt_that_is_not_known_is_refused(
    run, source, prompt, message, capsys
):
    assert toolkit("generate", run / source, "--prompt", prompt) == 1
    captured = capsys.readouterr()
    assert message in captured.err and not captured.out
    assert len(captured.err.splitlines()) == 1


def test_card_says_how_to_write(run):
    card = (run / "README.md").read_text()
    file = "export/language_model.tflite"
    assert f"toolkit generate {file} --temp" in card
    assert f'stream("{file}").generate(length=100)\n' in card


def test_page_shows_texts_and_the_loss(run):
    page = (run / "report.html").read_text()
    assert "perplexity" in page and 'id="writing"' in page
    assert 'aria-label="loss, nats per word per epoch"' in page
    with np.load(run / "gradient_norms.npz") as norms:
        assert norms["steps/recurrent_1"].shape == (4, 12)
        assert (norms["steps/recurrent_1"] > 0).all()


def test_page_colours_the_test_text_by_its_surprise(run):
    found = json.loads((run / "surprise.json").read_text())
    words, bits = found["tokens"], found["bits"]
    assert (found["unit"], found["total"]) == ("word", 1146)
    assert len(words) == len(bits) + 1 == 401 and "<eos>" in words
    known = json.loads((run / "metadata.json").read_text())["vocabulary"]
    tokens = np.array([known.index(word) for word in words])
    model = keras.models.load_model(run / "model.keras")
    logits = np.asarray(model(tokens[None, :-1]), np.float64)[0]
    logits -= logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(400), tokens[1:]]
    np.testing.assert_allclose(bits, losses / np.log(2), atol=1e-3)
    page = (run / "report.html").read_text()
    section = page[page.index('id="surprise"') :]
    section = section[: section.index("</section>")]
    assert "the first 400 of 1,146 words" in section
    assert section.count(" bits, P = ") == 400
    assert section.count("<svg") == 1


# Slow: a second training; char_rnn's is quick and carries its state likewise.
@pytest.mark.slow
def test_interrupted_it_ends_in_the_same_bits(
    run, text, tmp_path, monkeypatch, without_page
):
    fit, steps = keras.Model.fit, []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)
            if len(steps) == 2:
                signal.raise_signal(signal.SIGINT)  # Ctrl-C

    def interrupted(self, *arguments, callbacks, **options):
        callbacks = [*callbacks, Stop()] if not steps else callbacks
        return fit(self, *arguments, callbacks=callbacks, **options)

    monkeypatch.setattr(keras.Model, "fit", interrupted)
    assert toolkit(
        "train", "language_model", "--data", text, *SMALL, "--runs", tmp_path
    )
    path = tmp_path / "language_model" / "1"
    assert list((path / "checkpoints").iterdir())
    assert toolkit("train", "language_model", "--resume", path) == 0
    assert (path / "metrics.csv").read_bytes() == (
        run / "metrics.csv"
    ).read_bytes()


# Slow: more trainings of the same path; tests/models has these outputs.
@pytest.mark.parametrize(
    "more",
    [
        pytest.param(
            ["--objective", "hierarchical_softmax", "--tied", "false"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["--objective", "softmax", "--optimizer", "sgd", "--cell", "elman"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["--objective", "softmax", "--tied", "false", "--cell", "gru"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_models_run(more, text, tmp_path):
    assert (
        toolkit(
            "train", "language_model", "--data", text, *SMALL, *more,
            "--runs", tmp_path, "--dry-run",
        ) == 0
    )  # fmt: skip


def test_a_text_with_unknown_words_keeps_them(text, tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    for path in text.iterdir():
        there = path.read_text().replace("ball", "<unk>")
        (folder / path.name).write_text(there)
    data = build_data(Config(data=str(folder)))
    said = data.describe()
    assert "note: the text holds <unk>" in said
    assert "0.0%, 0.0%, 0.0% are not" in said
    words = data.metadata["vocabulary"]
    assert "<unk>" in words and "unk" not in words
    whole = build_data(Config(data=str(folder), tokens="whitespace"))
    assert "note: the text holds" not in whole.describe()


def test_prompt_may_hold_what_the_model_writes(run, capsys):
    written = []
    for source in (run, run / "export" / "language_model.tflite"):
        prompt = ["--prompt", "the <unk> cat", "--length", 3]
        assert toolkit("generate", source, *prompt) == 0
        written.append(capsys.readouterr().out)
    assert written[0].startswith("the <unk> cat") and len(set(written)) == 1


def test_it_starts_from_word_vectors_and_validates_on_few_words(
    text, tmp_path, capsys, without_page
):
    words = ["cat", "dog", "zebra"]
    path = tmp_path / "vectors.txt"
    vectors = np.random.default_rng(1).normal(size=(3, 10))
    write_word2vec(path, WordVectors(Vocabulary(words), vectors))
    arguments = [
        "train", "language_model", "--data", text, *SMALL, "--embedding",
        path, "--runs", tmp_path,
    ]  # fmt: skip
    assert toolkit(*arguments, "--embedding-size", 5) == 2
    assert "must be 10, as in" in capsys.readouterr().err
    for vectors_of, message in (
        (lambda p: p.unlink(), 'no file "{}" (--embedding). Give one of'),
        (lambda p: p.write_text("1 2\ncat 0 0\n"), "known words are zeros"),
        (lambda p: p.write_text("1 2\nzebra 1 0\n"), "has a vector"),
        (lambda p: p.write_text("1 2\ncat 1\n"), "line 2"),
    ):
        spoiled = tmp_path / "spoiled.txt"
        spoiled.write_text("")
        vectors_of(spoiled)
        assert toolkit(*arguments, "--embedding", spoiled) == 1
        assert message.format(spoiled) in capsys.readouterr().err
    assert not list((tmp_path / "language_model").iterdir())
    short = ["--validation-words", 50]  # shorter windows than in training
    tiny = ["--learning-rate", 1e-9, "--dry-run"]
    assert toolkit(*arguments, *short, *tiny) == 0
    assert "val_loss" in capsys.readouterr().out
    (run,) = (tmp_path / "language_model").iterdir()
    model = keras.models.load_model(run / "model.keras")
    table = model.get_layer("embedding").get_weights()[0]
    known = json.loads((run / "metadata.json").read_text())["vocabulary"]
    rows = table[[known.index("cat"), known.index("dog")]]
    ratio = rows / vectors[:2]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)


def test_schedules():
    steps = _optimizer(Config(**PRESETS["zaremba_small"]), 10)
    rates = [float(steps._learning_rate(k)) for k in (0, 39, 40, 49, 50)]
    np.testing.assert_allclose(rates, [20, 20, 10, 10, 5])
    assert steps.global_clipnorm == 0.25
    cosine = _optimizer(Config(optimizer="adam", learning_rate=4e-3), 10)
    assert float(cosine._learning_rate(0)) == pytest.approx(4e-3)
    assert float(cosine._learning_rate(60)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("settings", "rate"),
    [
        ({}, 35),  # of the sum of a window's 35 losses
        ({"cell": "elman"}, 3.5),
        ({"cell": "elman", "learning_rate": 0.2}, 7),
        ({"optimizer": "adam"}, 0.002),
        ({"optimizer": "adam", "cell": "elman"}, 0.002),
    ],
)
def test_a_rate_suits_the_optimizer_and_the_cell(settings, rate):
    optimizer = _optimizer(Config(**settings), 10)
    assert float(optimizer._learning_rate(0)) == pytest.approx(rate)


@pytest.mark.parametrize("epochs", [1, 4])
def test_rate_stays_where_training_ends_before_it_decays(epochs):
    settings = {**PRESETS["zaremba_small"], "epochs": epochs}
    assert float(_optimizer(Config(**settings), 10).learning_rate) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", 0], "--window must be at least 1"),
        (["--dropout", 1], "--dropout must be below 1"),
        (["--objective", "hierarchical_softmax"], "Add --tied false, or"),
        (["--window", 100_000], "Give a longer text"),
        (["--prompt", "?!"], "no word to begin with"),
        (["--min-count", 5000], "No word of "),
        (["--data", "absent.txt"], 'There is no data source "absent.txt"'),
        (["--data", "empty.txt"], 'empty.txt" is empty. Give a file with'),
        (["--data", "blank.txt"], "holds no words"),
        (
            ["--validation-words", 5],
            "5 words of the validation text are too few",
        ),
        (["--data", "short.txt"], "too short to be cut into three parts"),
        (["--data", "latin.txt"], "Convert it, such as with: iconv"),
    ],
)
def test_bad_settings_are_refused_and_leave_nothing(
    arguments, message, text, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "recipes._run.language_training.fit",
        lambda *_, **__: pytest.fail("it trains"),
    )
    for name, content in (
        ("empty", b""), ("blank", b"\n" * 999), ("short", b"cat"),
        ("latin", "größe ".encode("latin1") * 99),
    ):  # fmt: skip
        (tmp_path / f"{name}.txt").write_bytes(content)
    assert toolkit(
        "train", "language_model", "--data", text, *SMALL, *arguments,
        "--runs", tmp_path,
    )  # fmt: skip
    assert message in capsys.readouterr().err
    runs = tmp_path / "language_model"
    assert not runs.exists() or not list(runs.iterdir())


def test_presets_are_configurations():
    for values in PRESETS.values():
        Config(**values)
    with pytest.raises(ConfigError, match="--decay must be above 0"):
        Config(decay=0)
