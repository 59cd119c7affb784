"""The recipe `word2vec`, from a text to vectors that answer."""

import csv
import json
import signal

import keras
import numpy as np
import pytest

from recipes._cli.main import main
from recipes._run.words import ask, queries
from recipes.word2vec import Config
from toolkit.errors import ConfigError
from toolkit.text import Vocabulary, WordVectors, read_word2vec

WORDS = {
    "fruit": "apple pear plum cherry grape melon".split(),
    "metal": "iron copper zinc silver gold lead".split(),
    "bird": "crow finch robin wren eagle hawk".split(),
}


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A text of three topics, a sentence a line."""
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    rng = np.random.default_rng(0)
    topics = list(WORDS.values())
    path.write_text(
        "\n".join(
            " ".join(rng.choice(topics[rng.integers(3)], 8))
            for _ in range(3000)
        )
    )
    return path


SMALL = [
    "--vector-size", 12, "--epochs", 2, "--batch-words", 2048,
    "--sample", 0,
]  # fmt: skip


@pytest.fixture(scope="module")
def run(text, tmp_path_factory):
    """A run on the text, from the command line."""
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit("train", "word2vec", "--data", text, "--runs", runs, *SMALL)
        == 0
    )
    return runs / "word2vec" / "1"


def vectors_of(run):
    return read_word2vec(run / "vectors.bin")


def test_words_of_a_topic_are_neighbours(run):
    vectors = vectors_of(run)
    for topic in WORDS.values():
        for word in topic:
            near = [found for found, _ in vectors.neighbours(word, 5)]
            assert set(near) == set(topic) - {word}


def test_files_of_a_run_agree(run):
    vectors = vectors_of(run)
    counts = Vocabulary.load(run / "vocabulary.txt")
    assert counts.words == vectors.vocabulary.words
    assert counts.counts.sum() == 24_000
    numbers = np.arange(18, dtype=np.int32)
    trained = keras.models.load_model(run / "skip_gram.keras")
    np.testing.assert_array_equal(trained(numbers), vectors.vectors)
    # Lengths apart from directions: rounded once more.
    asked = keras.models.load_model(run / "model.keras")
    np.testing.assert_allclose(asked(numbers), vectors.vectors, rtol=1e-6)
    assert (run / "tensorboard" / "train" / "tensors.tsv").is_file()
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["count"] == 24_000
    with open(run / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert evaluation["metrics"]["loss"] == float(rows[1]["loss"])
    # It falls along a line, to min_alpha.
    assert float(rows[0]["learning_rate"]) == pytest.approx(0.01255, rel=1e-3)
    assert float(rows[1]["learning_rate"]) == pytest.approx(1e-4, rel=1e-3)


def test_report_draws_the_loss_of_every_epoch(run):
    page = (run / "report.html").read_text()
    assert "loss, nats per pair of words per epoch" in page
    assert "means over an epoch." in page
    assert "best epoch" not in page  # nothing was validated


def test_speed_is_told_in_words(run):
    log = (run / "log.txt").read_text()
    assert " words/s" in log
    assert "24,000 words in 3,000 sentences, 18 different; 18 are kept" in log


# Slow for the same seed: an interrupted run is compared with the whole below.
@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_one_seed_gives_one_result(seed, run, text, tmp_path, without_page):
    assert (
        toolkit(
            "train", "word2vec", "--data", text, "--runs", tmp_path,
            "--seed", seed, *SMALL,
        )
        == 0
    )  # fmt: skip
    other = tmp_path / "word2vec" / "1"
    for name in ("vectors.bin", "metrics.csv"):
        alike = (other / name).read_bytes() == (run / name).read_bytes()
        assert alike == (seed == 0)


def test_interrupted_and_resumed_it_ends_in_the_same_bits(
    run, text, tmp_path, monkeypatch, without_page
):
    from toolkit.models.skip_gram_model import SkipGram

    train_step, steps = SkipGram.train_step, []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)
            if len(steps) == 7:
                signal.raise_signal(signal.SIGINT)  # Ctrl-C

    fit = SkipGram.fit

    def interrupted(self, *arguments, callbacks, **options):
        callbacks = [*callbacks, Stop()] if len(steps) < 7 else callbacks
        return fit(self, *arguments, callbacks=callbacks, **options)

    monkeypatch.setattr(SkipGram, "fit", interrupted)
    arguments = ["--data", text, "--runs", tmp_path, *SMALL]
    assert toolkit("train", "word2vec", *arguments) != 0
    assert len(steps) == 7
    path = tmp_path / "word2vec" / "1"
    assert list((path / "checkpoints").iterdir())
    assert toolkit("train", "word2vec", "--resume", path) == 0
    for name in ("vectors.bin", "metrics.csv"):
        assert (path / name).read_bytes() == (run / name).read_bytes()
    assert SkipGram.train_step is train_step


# Slow: tests/models/test_skip_gram.py trains with every objective.
@pytest.mark.slow
@pytest.mark.parametrize("objective", ["hierarchical_softmax", "softmax"])
def test_other_objectives_learn(objective, text, tmp_path, without_page):
    assert (
        toolkit(
            "train", "word2vec", "--data", text, "--runs", tmp_path,
            "--objective", objective, *SMALL,
        )
        == 0
    )  # fmt: skip
    vectors = vectors_of(tmp_path / "word2vec" / "1")
    near = [found for found, _ in vectors.neighbours("apple", 5)]
    assert set(near) == set(WORDS["fruit"]) - {"apple"}


def test_dry_run_goes_through_everything(text, tmp_path, capfd):
    assert (
        toolkit(
            "train", "word2vec", "--data", text, "--runs", tmp_path,
            "--dry-run", "--export", "onnx", *SMALL,
        )
        == 0
    )  # fmt: skip
    run = tmp_path / "word2vec" / "1"
    assert (run / "export" / "word2vec.onnx").is_file()
    assert (run / "report.html").is_file() and (run / "README.md").is_file()


# What is refused


def refused(capfd, status, *arguments):
    capfd.readouterr()
    assert toolkit(*arguments) == status
    error = capfd.readouterr().err
    assert error.startswith("error: ") and "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--negative", 0], "Without negatives, add --objective hierarchical"),
        (["--negative", -1], "--negative must be at least 0"),
        (["--window", 0], "--window must be at least 1. Received: 0"),
        (["--vector-size", 0], "--vector-size must be at least 1"),
        (["--min-count", 0], "--min-count must be at least 1"),
        (["--alpha", 0], "--alpha must be above 0"),
        (["--min-alpha", 1], "--min-alpha must be at most --alpha"),
        (["--epochs", 0], "--epochs must be at least 1"),
        (["--workers", 0], "--workers must be at least 1"),
        (["--windw", 3], "Did you mean"),
    ],
)
def test_settings_out_of_range_are_named(flags, message, tmp_path, capfd):
    try:
        error = refused(
            capfd, 2, "train", "word2vec", "--runs", tmp_path, *flags
        )
    except SystemExit as exit_:  # from the parser
        assert exit_.code == 2
        error = capfd.readouterr().err
    assert message in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty|no words"),
        (b"a b c d e f g", "min_count|min-count"),
        (b"one\ntwo\n" * 50, "sentence"),
        (b"\x89PNG\r\n\x1a\n\0\0\0" * 100, "binary|NUL|no text|image"),
    ],
    ids=["empty", "rare words", "one-word sentences", "binary"],
)
def test_useless_corpora_are_refused_and_leave_nothing(
    content, message, tmp_path, capfd
):
    import re

    path = tmp_path / "text.txt"
    path.write_bytes(content)
    runs = tmp_path / "runs"
    error = refused(
        capfd, 1, "train", "word2vec", "--data", path, "--runs", runs
    )
    assert re.search(message, error), error
    assert not list(runs.rglob("config.yaml"))


def test_invalid_utf8_is_counted_and_said(text, tmp_path, capfd, without_page):
    path = tmp_path / "latin.txt"
    path.write_bytes(text.read_bytes() + b"\ncaf\xe9 iron " * 20)
    assert (
        toolkit("train", "word2vec", "--data", path, "--runs", tmp_path, *SMALL)
        == 0
    )
    assert "20 invalid" in capfd.readouterr().out


def test_another_text_does_not_go_on_with_a_run(
    text, tmp_path, monkeypatch, capfd, without_page
):
    own = tmp_path / "text.txt"
    own.write_text(text.read_text())

    def stop(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("toolkit.models.skip_gram", stop)
        assert toolkit(
            "train", "word2vec", "--data", own, "--runs", tmp_path, *SMALL
        )
    left = tmp_path / "word2vec" / "1"
    assert not left.exists()  # nothing was trained
    assert "is removed" in capfd.readouterr().out

    assert not toolkit(
        "train", "word2vec", "--data", own, "--runs", tmp_path, *SMALL
    )
    (left / "finished.json").unlink()  # as if it were unfinished
    own.write_text(text.read_text() + "\none more\n")
    assert toolkit("train", "word2vec", "--resume", left)
    assert "The data is not what the run" in capfd.readouterr().err


def test_words_of_another_corpus_are_not_asked_for_those_of_the_embedded(run):
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert "queries_right" not in evaluation["metrics"]
    assert all(not query["expected"] for query in evaluation["queries"])
    page = (run / "report.html").read_text()
    assert "Of frequent words of the corpus." in page
    assert "An expected word is among" not in page
    assert f"{2 * 12 * 18}" == str(evaluation["parameters"])
    card = (run / "README.md").read_text()
    assert "parameters, trained in" in card


def test_config_checks_itself():
    Config(batch_words=0)
    with pytest.raises(ConfigError, match="--batch-words must be at least"):
        Config(batch_words=10)


# The fixed queries


def test_queries_are_twenty_with_expected_words():
    found = queries()
    assert len(found) == 20 == len({query.word for query in found})
    assert all(query.expected for query in found)
    assert all(query.word not in query.expected for query in found)


def test_a_query_is_right_if_an_expected_word_is_near():
    words = ["list", "tuple", "true", *(f"w{i}" for i in range(12))]
    angles = np.linspace(0, 3, len(words))
    points = np.stack([np.cos(angles), np.sin(angles)], 1)
    vectors = WordVectors(Vocabulary(words), points)
    answers = {q.word: q for q in ask(vectors, queries())}
    assert answers["list"].right and answers["list"].found[0] == "tuple"
    assert answers["true"].found and not answers["true"].right
    assert not answers["array"].found and not answers["array"].right
