"""TensorBoard's own plugin shows the vectors that were written."""

import urllib.parse

import numpy as np
import pytest

from recipes._run.projector import write_projector
from toolkit.errors import DataError
from toolkit.text import Vocabulary, WordVectors

# TensorBoard's, on import of its server.
pytestmark = pytest.mark.filterwarnings("ignore:html5lib's sanitizer")
WORDS = ("the", "naïve", "日本", "</s>", '"quoted"', "\u00a0", "#", "a\u2028b")
VALUES = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
VECTORS = WordVectors(Vocabulary(WORDS, range(80, 0, -10)), VALUES)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The directory of a run with events and the projector's files."""
    import tensorflow as tf

    path = tmp_path_factory.mktemp("runs") / "word2vec" / "1"
    with tf.summary.create_file_writer(
        str(path / "tensorboard" / "train")
    ).as_default():
        tf.summary.scalar("epoch_loss", 1.0, step=1)
    write_projector(path / "tensorboard" / "train", VECTORS)
    return path


def plugin(logdir):
    """The plugin behind TensorBoard's server, and a function to ask it."""
    from tensorboard.backend.application import TensorBoardWSGI
    from tensorboard.backend.event_processing.data_provider import (
        MultiplexerDataProvider,
    )
    from tensorboard.backend.event_processing.plugin_event_multiplexer import (
        EventMultiplexer,
    )
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
    from werkzeug.test import Client

    events = EventMultiplexer()
    events.AddRunsFromDirectory(str(logdir)).Reload()
    found = ProjectorPlugin(
        TBContext(
            logdir=str(logdir),
            data_provider=MultiplexerDataProvider(events, str(logdir)),
        )
    )
    client = Client(TensorBoardWSGI([found]))

    def ask(route, **query):
        answer = client.get(
            f"/data/plugin/projector/{route}?{urllib.parse.urlencode(query)}"
        )
        assert answer.status_code == 200, answer.text
        return answer

    return found, ask


@pytest.mark.parametrize(
    ("above", "name"),
    [
        ("../..", "word2vec/1/tensorboard/train"),
        (".", "tensorboard/train"),
        ("tensorboard", "train"),
        ("tensorboard/train", "."),
    ],
)
def test_projector_serves_the_vectors_and_the_words(run, above, name):
    found, ask = plugin((run / above).resolve())
    assert ask("runs").json == [name]
    (embedding,) = ask("info", run=name).json["embeddings"]
    assert embedding["tensorShape"] == [8, 5]
    query = {"run": name, "name": embedding["tensorName"]}
    served = np.frombuffer(ask("tensor", **query).data, np.float32)
    np.testing.assert_allclose(served.reshape(8, 5), VALUES, rtol=1e-5)
    rows = ask("metadata", **query).text.removesuffix("\n").split("\n")
    assert [row.split("\t") for row in rows] == [
        ["word", "count"],
        *([word, str(80 - 10 * i)] for i, word in enumerate(WORDS)),
    ]
    found._determine_is_active()
    assert found.is_active()  # the tab is there


def test_only_the_most_frequent_words_are_written(tmp_path):
    write_projector(tmp_path, VECTORS, most=3)
    lines = (tmp_path / "tensors.tsv").read_text().splitlines()
    assert len(lines) == 3 and len(lines[0].split("\t")) == 5
    metadata = (tmp_path / "metadata.tsv").read_text("utf-8")
    assert metadata == "word\tcount\nthe\t80\nnaïve\t70\n日本\t60\n"


def test_words_without_counts_get_their_ranks(tmp_path):
    write_projector(tmp_path, WordVectors(Vocabulary(["b", "a"]), np.eye(2)))
    metadata = (tmp_path / "metadata.tsv").read_text()
    assert metadata == "word\trank\nb\t1\na\t2\n"
    assert (tmp_path / "tensors.tsv").read_text() == "1\t0\n0\t1\n"


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "a\rb", "a b"])
def test_words_that_would_break_the_lines_are_refused(tmp_path, word):
    vectors = WordVectors(Vocabulary(["fine", word]), np.eye(2))
    with pytest.raises(DataError, match="Word 1 is"):
        write_projector(tmp_path, vectors)
    assert not list(tmp_path.iterdir())


def test_written_again_replaces_and_leaves_nothing_behind(tmp_path):
    write_projector(tmp_path, VECTORS)
    write_projector(tmp_path, VECTORS, most=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "metadata.tsv",
        "projector_config.pbtxt",
        "tensors.tsv",
    ]
    assert len((tmp_path / "tensors.tsv").read_text().splitlines()) == 2
