"""Questions about words, asked of files on their stock runtimes."""

import json
import shutil

import numpy as np
import pytest

import export
from export import runtime
from recipes._run.word_export import query_model
from tests.export.conftest import ROYAL, K
from toolkit.text import Vocabulary, WordVectors

WHOLE = ["saved_model", "onnx", "litert"]
ASKED = [*ROYAL, "word0", "word79", "größe"]


@pytest.fixture(scope="module")
def loaded(word_files):
    """Every file in its runtime, by key."""
    return {k: runtime.load(p) for k, p in word_files.done.paths.items()}


def same(found, expected):
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose(
        [value for _, value in found],
        [value for _, value in expected],
        atol=1e-6,
    )


@pytest.mark.parametrize("key", [*WHOLE, "onnx:neighbours"])
def test_neighbours_are_those_of_the_vectors(loaded, word_files, key):
    for word in ASKED:
        expected = word_files.vectors.neighbours(word, K)
        same(loaded[key].neighbours(word, K), expected)
        same(loaded[key].neighbours(word, k=2), expected[:2])


@pytest.mark.parametrize("key", [*WHOLE, "onnx:analogy"])
def test_analogies_are_those_of_the_vectors(loaded, word_files, key):
    best = loaded[key].analogy("man", "king", "woman", K)
    assert best[0][0] == "queen"
    for words in zip(ASKED, ASKED[1:], ASKED[3:], strict=False):
        expected = word_files.vectors.analogy(*words, k=K)
        same(loaded[key].analogy(*words, k=K), expected)
    same(
        loaded[key].analogy("man", "man", "king", K),
        word_files.vectors.analogy("man", "man", "king", K),
    )


@pytest.mark.parametrize("key", WHOLE)
def test_vector_is_that_of_the_word(loaded, word_files, key):
    for word in (*ASKED, "void"):
        found = loaded[key].vector(word)
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, word_files.vectors[word], rtol=3e-7)


@pytest.mark.parametrize("key", WHOLE)
def test_more_answers_than_the_graph_has_come_from_the_vectors(
    loaded, word_files, key
):
    same(
        loaded[key].neighbours("king", 20),
        word_files.vectors.neighbours("king", 20),
    )
    same(
        loaded[key].analogy("man", "king", "woman", 12),
        word_files.vectors.analogy("man", "king", "woman", 12),
    )
    everything = loaded[key].neighbours("king", 1000)
    assert len(everything) == len(word_files.vectors) - 2  # king and void


def test_a_file_without_vectors_names_the_answers_that_it_has(loaded):
    with pytest.raises(
        runtime.InputError,
        match=r"word2vec_neighbours.onnx\" answers with 5 words.*k=6",
    ):
        loaded["onnx:neighbours"].neighbours("king", 6)


def test_a_file_of_one_question_names_the_file_for_another(
    word_files, loaded, tmp_path
):
    near = loaded["onnx:neighbours"]
    with pytest.raises(
        runtime.InputError,
        match='signature "neighbours" alone.*Take ".*word2vec.onnx" or '
        '".*word2vec_analogy.onnx"',
    ):
        near.analogy("man", "king", "woman")
    with pytest.raises(runtime.InputError, match='Take ".*word2vec.onnx".$'):
        near.vector("man")
    alone = shutil.copy(near.path, tmp_path)
    with pytest.raises(runtime.InputError, match=r"cannot answer this\.$"):
        runtime.load(alone).vector("man")


@pytest.mark.parametrize(
    "key", [*WHOLE, pytest.param("onnx:neighbours", id="neighbours")]
)
def test_questions_without_an_answer_are_refused(loaded, key):
    model = loaded[key]
    with pytest.raises(
        runtime.InputError,
        match='word "qeen" is not among the 90 of ".*Did you mean "queen"',
    ):
        model.neighbours("qeen")
    with pytest.raises(
        runtime.InputError,
        match=r'word "" is not .*\w"\. Choose another word\.$',
    ):
        model.neighbours("")
    with pytest.raises(runtime.InputError, match='"void" has no neighbours'):
        model.neighbours("void", K)
    for k in (0, -1, 2.5, True, "3"):
        with pytest.raises(runtime.InputError, match="`k` must be a whole"):
            model.neighbours("king", k)


@pytest.mark.parametrize("key", WHOLE)
def test_a_sum_of_zeros_has_no_neighbours(loaded, key):
    with pytest.raises(
        runtime.InputError, match='"void" - "void" . "void" has no neighbours'
    ):
        loaded[key].analogy("void", "void", "void", K)


@pytest.mark.parametrize("key", WHOLE)
def test_callables_of_a_file_are_taken_from_one_load(loaded, key):
    model = loaded[key]
    if key == "onnx":
        with pytest.raises(runtime.ModelError, match='no signature "analogy"'):
            model.with_signature("analogy")
        return
    near = model.with_signature("neighbours")
    assert list(near.inputs) == ["words"] and len(near.outputs) == 2
    assert near.signature == "neighbours"
    assert model.signature == "serving_default"
    assert list(model.outputs) == ["vectors"]
    assert model.run({"words": [0]})["vectors"].shape == (1, 16)


def test_capital_letters_and_the_first_of_many_spellings_are_offered():
    words = ["King", *(f"kin{n}" for n in range(7000)), "kink"]
    model = runtime.Model(
        "x.onnx", {"task": "word_vectors", "vocabulary": words}
    )
    with pytest.raises(runtime.InputError, match='Did you mean "King"'):
        model.vector("king")


def test_files_with_a_fixed_batch_answer_too(word_files, tmp_path):
    vectors = word_files.vectors
    done = export.export(
        word_files.model,
        tmp_path,
        ["onnx", "litert"],
        signatures=["neighbours", "analogy"],
        fixed={"batch": 4},
        metadata={
            "task": "word_vectors",
            "vocabulary": list(vectors.vocabulary),
        },
    )
    for path in done.paths.values():
        model = runtime.load(path)
        if "analogy" not in path.name:
            same(model.neighbours("king", K), vectors.neighbours("king", K))
        if "neighbours" not in path.name:
            same(
                model.analogy("man", "king", "woman", K),
                vectors.analogy("man", "king", "woman", K),
            )
        if "_" not in path.name:
            assert model.vector("king").shape == (16,)
            assert len(model.neighbours("king", 50)) == 50


def test_fewer_words_than_answers(tmp_path):
    vectors = WordVectors(Vocabulary(["a", "b", "c"]), np.eye(3))
    model, about, samples = query_model(vectors, k=10)
    assert model.k == 3 and samples.tolist() == [0, 1, 2]
    done = export.export(
        model,
        tmp_path,
        ["onnx"],
        signatures=about.pop("signatures"),
        metadata=about,
        samples=samples,
    )
    for key in ("onnx", "onnx:neighbours"):
        loaded = runtime.load(done.paths[key])
        assert loaded.neighbours("b", 10) == [("a", 0.0), ("c", 0.0)]


def test_other_models_are_no_word_vectors(tmp_path):
    from toolkit.models import softmax_regression

    done = export.export(softmax_regression((2,), 2), tmp_path, ["onnx"])
    model = runtime.load(done.paths["onnx"])
    for ask in (
        lambda: model.vector("a"),
        lambda: model.neighbours("a"),
        lambda: model.analogy("a", "b", "c"),
    ):
        with pytest.raises(runtime.InputError, match="no file of word vectors"):
            ask()


# The command line of the file itself


def test_command_line_prints_words_and_similarities(word_files, capsys):
    path = str(word_files.done.paths["litert"])
    assert runtime.main([path, "--neighbours", "king", "boy", "--k", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and lines[0] == "king" and lines[3] == "boy"
    (word, value), _ = word_files.vectors.neighbours("king", 2)
    assert lines[1] == f"  {value:6.3f}  {word}"
    status = runtime.main(
        [path, "--analogy", "man", "king", "woman", "--top", "1", "--json"]
    )
    found = json.loads(capsys.readouterr().out)
    assert status == 0 and list(found) == ["man king woman"]
    assert found["man king woman"][0][0] == "queen"


@pytest.mark.parametrize("asked", [["--neighbours", "king"], ["a.png"]])
def test_command_line_shows_at_least_one_answer(asked, capsys):
    with pytest.raises(SystemExit) as ended:
        runtime.main(["none.onnx", *asked, "--top", "0"])
    assert ended.value.code == 2
    assert "--top must be at least 1. Received: --top 0." in (
        capsys.readouterr().err
    )


def test_command_line_prints_a_vector_in_the_format_of_word2vec(
    word_files, capsys
):
    path = str(word_files.done.paths["onnx"])
    assert runtime.main([path, "--vector", "king", "queen"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, word in zip(lines, ("king", "queen"), strict=True):
        name, *numbers = line.split()
        assert name == word
        np.testing.assert_array_equal(
            np.array(numbers, "float32"), runtime.load(path).vector(word)
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "Give picture files, or words or texts behind --neighbours, --anal",
        ),
        (["x.png", "--vector", "king"], "picture files and --vector"),
        (
            ["--vector", "a", "--analogy", "a", "b", "c"],
            "One question at a time. Received: --analogy and --vector",
        ),
        (["--analogy", "a", "b"], "expected 3 arguments"),
    ],
)
def test_command_line_refuses_none_or_several_questions(
    arguments, message, capsys
):
    with pytest.raises(SystemExit, match="2"):
        runtime.main(["absent.onnx", *arguments])
    assert message in capsys.readouterr().err


def test_command_line_names_a_word_that_is_not_known(word_files, capsys):
    path = str(word_files.done.paths["onnx"])
    assert runtime.main([path, "--neighbours", "kng"]) == 1
    assert 'Did you mean "king"' in capsys.readouterr().err
