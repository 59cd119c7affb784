"""Questions about words on the command line."""

import json

import numpy as np
import pytest

from export import metadata
from recipes._cli.main import main
from recipes._run.run import Run
from recipes._run.word_export import query_model
from recipes.word2vec import Config
from tests.export.conftest import word_vectors
from tests.recipes.processes import without_tensorflow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose model answers questions about words."""
    with Run("word2vec", Config(), runs=tmp_path_factory.mktemp("runs")) as run:
        run.model, about, run.samples = query_model(word_vectors())
        run.metadata = {**about, "data": "made up"}
        run.save_model()
        (run.path / "samples").mkdir()
        np.save(run.path / "samples" / "inputs.npy", run.samples)
        run.export(["onnx", "litert"])
    return run.path


@pytest.fixture
def toolkit(capfd):
    """Runs a command; returns (status, standard output, standard error)."""

    def run(*arguments):
        capfd.readouterr()
        status = main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


def test_files_of_a_run_are_all_there(run):
    assert sorted(p.name for p in (run / "export").iterdir()) == [
        "check_vectors.npz", "report.json", "word2vec.onnx", "word2vec.tflite",
        "word2vec_analogy.onnx", "word2vec_neighbours.onnx",
    ]  # fmt: skip
    about = metadata.read(run / "export" / "word2vec_analogy.onnx")
    assert about["vocabulary"][3] == "queen"


@pytest.mark.parametrize(
    "file", ["", "export/word2vec.onnx", "export/word2vec.tflite"]
)
def test_predict_answers_about_words(toolkit, run, file):
    path, vectors = run / file, word_vectors()
    status, out, error = toolkit("predict", path, "--neighbours", "king", "boy")
    assert status == 0, error
    twice = ["--neighbours", "king", "--neighbours", "boy"]
    assert toolkit("predict", path, *twice)[1] == out
    lines = out.splitlines()
    assert len(lines) == 22 and lines[0] == "king" and lines[11] == "boy"
    assert lines[1].split()[1] == vectors.neighbours("king")[0][0]
    asked = ["--analogy", "man", "king", "woman", "--top", "3", "--json"]
    status, out, error = toolkit("predict", path, *asked)
    assert status == 0, error
    found = json.loads(out)["man king woman"]
    wanted = vectors.analogy("man", "king", "woman", 3)
    assert [w for w, _ in found] == [w for w, _ in wanted]
    np.testing.assert_allclose(
        [x for _, x in found], [x for _, x in wanted], atol=1e-6
    )
    status, out, error = toolkit("predict", path, "--vector", "king", "--json")
    np.testing.assert_allclose(
        json.loads(out)["king"], vectors["king"], rtol=1e-6
    )


def test_words_that_look_like_something_else_stay_words(toolkit, run):
    for word in ("1", "null", "true", "1e3", "[a]", "a: b"):
        status, _, error = toolkit("predict", run, "--neighbours", word)
        assert status == 1
        assert error.startswith(f'error: The word "{word}" is not among')


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "Give picture files, or words or texts behind --neig"),
        (["a.png", "--vector", "king"], 2, "picture files and --vector"),
        (
            ["--vector", "a", "--neighbours", "b"],
            2,
            "One question at a time. Received: --neighbours and --vector",
        ),
        (["--analogy", "man", "king"], 2, "expected 3 arguments"),
        (["--neighbours", "qeen"], 1, 'Did you mean "queen"'),
        (["--neighbours", "king", "--top", "0"], 2, "--top must be at least 1"),
        (["king"], 1, "holds word vectors, no classes. Ask with `neighbours`"),
    ],
)
def test_predict_refuses_what_is_no_question(
    toolkit, run, arguments, status, message
):
    found, _, error = toolkit("predict", run, *arguments)
    assert found == status, error
    assert error.startswith("error: ") and message in error


def test_a_classifier_is_asked_nothing_about_words(toolkit, trained):
    status, _, error = toolkit("predict", trained, "--neighbours", "king")
    assert status == 1 and "no file of word vectors" in error


def test_questions_take_no_tensorflow(run):
    files = ("word2vec.onnx", "word2vec_neighbours.onnx", "word2vec.tflite")
    for result in without_tensorflow(
        *(
            ["predict", run / "export" / file, "--neighbours", "king"]
            for file in files
        )
    ):
        assert result.status == 0, result.stderr
        assert result.stdout and not result.modules


def test_run_is_exported_again_and_verified(toolkit, run, tmp_path):
    status, out, error = toolkit(
        "export", run, "--to", "onnx", "--output", tmp_path
    )
    assert status == 0, error
    samples = run / "samples" / "inputs.npy"
    for name in ("word2vec", "word2vec_neighbours", "word2vec_analogy"):
        file = tmp_path / f"{name}.onnx"
        assert file.read_bytes() == (run / "export" / file.name).read_bytes()
        given = [] if "analogy" in name else ["--samples", samples]
        status, out, error = toolkit("verify", file, "--against", run, *given)
        assert status == 0, error
        assert "equals the Keras model" in out
    status, out, error = toolkit(
        "verify", run / "export" / "word2vec.tflite", "--against", run
    )
    assert status == 0, error


def test_words_have_no_time_to_fix(toolkit, run, tmp_path):
    status, _, error = toolkit(
        "export", run, "--to", "onnx", "--time", "5", "--output", tmp_path / "x"
    )
    assert status == 1 and "no open axis called time" in error


def test_commands_for_other_models_refuse_words_with_a_reason(toolkit, run):
    status, _, error = toolkit("benchmark", run)
    assert status == 1
    assert "holds word vectors" in error and "--neighbours" in error
    status, _, error = toolkit("generate", run / "export" / "word2vec.tflite")
    assert status == 1 and "chunk by chunk" in error
