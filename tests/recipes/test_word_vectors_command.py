"""`toolkit evaluate` on word vectors."""

import json

import numpy as np
import pytest

from recipes._cli.main import main
from toolkit.text import Vocabulary, WordVectors, write_word2vec

PAIRS = {"france": "paris", "italy": "rome", "japan": "tokyo"}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """A file of vectors in which a capital is a country and a direction."""
    words = [word for pair in PAIRS.items() for word in pair]
    rng = np.random.default_rng(0)
    points = np.repeat(rng.normal(size=(3, 8)), 2, axis=0)
    points[1::2] += 2 * np.eye(8)[0]
    path = tmp_path_factory.mktemp("vectors") / "capitals.bin"
    write_word2vec(path, WordVectors(Vocabulary(words), points))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Questions and pairs."""
    folder = tmp_path_factory.mktemp("questions")
    (folder / "questions.txt").write_text(
        ": capitals\nfrance paris italy rome\nfrance paris japan tokyo\n"
        "france paris spain madrid\n"
    )
    (folder / "pairs.txt").write_text(
        "france\tparis\t9\nfrance\titaly\t5\njapan\trome\t1\nx\ty\t3\n"
    )
    (folder / "broken.txt").write_text(": capitals\nfrance paris italy\n")
    return folder


@pytest.fixture
def toolkit(capfd):
    def run(*arguments):
        capfd.readouterr()
        status = main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


def test_analogies_and_similarities_are_printed(toolkit, vectors, files):
    questions, pairs = files / "questions.txt", files / "pairs.txt"
    arguments = [vectors, "--analogies", questions, "--similarity", pairs]
    status, out, _ = toolkit("evaluate", *arguments)
    assert status == 0
    assert "6 words, 8 numbers each" in out
    assert "capitals" in out and "100.0%" in out
    assert "3 pairs, 25.0% with unknown words" in out
    _, out, _ = toolkit("evaluate", *arguments, "--json")
    found = json.loads(out)
    assert found[str(questions)]["correct"] == 2
    assert found[str(questions)]["skipped"] == 1
    assert found[str(questions)]["sections"]["capitals"]["asked"] == 2
    assert -1 <= found[str(pairs)]["spearman"] <= 1


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_relations_are_carried_over(toolkit, vectors, method):
    status, out, _ = toolkit(
        "evaluate", vectors, "--relation", "france:paris",
        "--for", "italy, japan", "--method", method,
    )  # fmt: skip
    assert status == 0
    assert out.splitlines()[-3:][0] == "france : paris"
    assert [line.split()[:2] for line in out.splitlines()[-2:]] == [
        ["italy", "rome"],
        ["japan", "tokyo"],
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--relation", "france:paris"], 2, "--relation and --for go together"),
        (["--for", "italy"], 2, "--relation and --for go together"),
        (["--relation", "france", "--for", "italy"], 2, "two words"),
        (["--relation", "frnce:paris", "--for", "italy"], 1, '"france"'),
        (["--analogies", "none.txt"], 1, "none.txt"),
        (["--analogies", "{files}/broken.txt"], 1, "line 2"),
        (["--similarity", "{files}/broken.txt"], 1, "line 1"),
        (["--relation", "a:b", "--for", "c", "--data", "x"], 2, "--data is"),
        ([], 2, "Give --analogies FILE"),
    ],
)
def test_half_questions_and_broken_files_are_refused(
    toolkit, vectors, files, arguments, status, message
):
    arguments = [a.format(files=files) for a in arguments]
    code, _, error = toolkit("evaluate", vectors, *arguments)
    assert code == status and message in error and "Traceback" not in error


def test_a_folder_without_vectors_is_refused(toolkit, files):
    code, _, error = toolkit(
        "evaluate", files, "--analogies", files / "questions.txt"
    )
    assert code == 1 and "toolkit train word2vec" in error
