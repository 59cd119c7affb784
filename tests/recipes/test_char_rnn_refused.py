"""What the character model refuses, and when: before any time is lost."""

import json
import re
import shutil

import pytest

import export
from recipes._cli.main import main
from tests.recipes.processes import without_tensorflow
from toolkit.models import language_model

pytestmark = pytest.mark.usefixtures("traced_reference")

PROMPT_OF_BYTES = b"\xff".decode("utf-8", "surrogateescape")


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "abc.txt"
    path.write_text("abc cab. " * 400)
    return path


SMALL = [
    "--units", 4, "--embedding", 3, "--window", 8, "--batch-size", 4,
]  # fmt: skip


@pytest.fixture(scope="module")
def run(text, tmp_path_factory):
    """A run that has hardly learned anything."""
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "char_rnn", "--dry-run", "--data", text, *SMALL,
            "--runs", runs, "--export", "onnx",
        ) == 0
    )  # fmt: skip
    return runs / "char_rnn" / "1"


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copied")


@pytest.mark.parametrize(
    ("settings", "status", "message"),
    [
        (["--prompt", "€"], 1, 'error: 1 character is not in.*: "€". It'),
        (["--data", "no.txt"], 1, 'There is no data source "no.txt"'),
        (["--window", 2000], 1, "Give a longer text, or"),
        (["--seed", -1], 2, "--seed must be a whole number from 0 to"),
        (["--prompt", PROMPT_OF_BYTES], 2, r"--prompt is no UTF-8.*\\udcff"),
    ],
)
def test_training_is_refused_before_it_begins(
    text, tmp_path, capsys, monkeypatch, settings, status, message
):
    def fit(*arguments, **options):
        raise AssertionError("training has begun")

    monkeypatch.setattr("recipes._run.fit", fit)
    runs = tmp_path / "runs"
    arguments = ["--data", text, "--runs", runs, *SMALL, *settings]
    assert toolkit("train", "char_rnn", *arguments) == status
    assert re.search(message, capsys.readouterr().err)
    # Nothing was trained, so no number is taken.
    assert not list(runs.glob("*/*"))


def test_a_run_that_has_something_stays(text, tmp_path, monkeypatch):
    from recipes import char_rnn
    from toolkit.errors import DataError

    def broken(config, data, run):
        raise DataError("the test text is gone")

    monkeypatch.setattr(char_rnn, "evaluate", broken)
    arguments = ["--data", text, *SMALL, "--dry-run"]
    assert toolkit("train", "char_rnn", *arguments, "--runs", tmp_path) == 1
    (left,) = (tmp_path / "char_rnn").iterdir()
    assert (left / "model.keras").is_file()
    assert "ended by DataError" in (left / "log.txt").read_text()


WRONG_ARGUMENTS = [
    (["--seed", "-1"], 2, "--seed must be a whole number of at least 0"),
    (["--length", "-1"], 2, "--length must be at least 0"),
    (["--prompt", PROMPT_OF_BYTES], 1, '1 character is not in.*"\\udcff"'),
    (["--prompt", "-x"], 2, "expected one argument. Write --prompt=-x\n"),
    (["--prompt", "-x;y"], 2, "argument. Write --prompt='-x;y'\n"),
    (["--prompt", "--seed", "3"], 2, "expected one argument\n"),
]


def test_generate_refuses_before_tensorflow(run):
    results = without_tensorflow(
        *(["generate", run, *arguments] for arguments, *_ in WRONG_ARGUMENTS)
    )
    for result, (arguments, status, message) in zip(
        results, WRONG_ARGUMENTS, strict=True
    ):
        assert result.status == status, (arguments, result.stderr)
        for part in message.split(".*"):
            assert part in result.stderr, arguments
        assert "Traceback" not in result.stderr
        assert not result.stdout and not result.modules


def test_a_prompt_may_begin_with_a_minus_behind_an_equals_sign(run, capsys):
    assert toolkit("generate", run, "--prompt=-x") == 1
    assert '2 characters are not in the vocabulary: "-", "x"' in (
        capsys.readouterr().err
    )


def test_the_smallest_temperature_writes_what_is_likeliest(run, capsys):
    written = []
    for settings in (["--temperature", "1e-320"], ["--top-k", "1"]):
        arguments = ["--prompt", "ab", "--length", 30, *settings]
        assert toolkit("generate", run, *arguments) == 0
        written.append(capsys.readouterr().out)
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ('{"vocabulary": ["a"', "is damaged: Expecting"),
        ("", "is damaged: Expecting value"),
        ("[1]", "is damaged: it holds no object"),
    ],
)
@pytest.mark.parametrize("command", ["generate", "evaluate", "benchmark"])
def test_damaged_metadata_is_named(copied, capsys, spoil, reason, command):
    (copied / "metadata.json").write_text(spoil)
    assert toolkit(command, copied) == 1
    error = capsys.readouterr().err
    assert f'"{copied / "metadata.json"}" {reason}' in error


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (["a", "b"], 'The vocabulary of "{}" has 2 tokens, but its'),
        (list(" .abcdefg"), 'The vocabulary of "{}" has 9 tokens, but its'),
        (["a", "a"], 'The vocabulary of "{}" is damaged: A vocabulary holds'),
        (["a", 7], 'The vocabulary of "{}" is damaged: A vocabulary holds'),
        (7, 'The vocabulary of "{}" is damaged: '),
    ],
)
def test_vocabulary_of_another_model_is_refused(
    copied, capsys, vocabulary, message
):
    found = json.loads((copied / "metadata.json").read_text())
    assert len(found["vocabulary"]) == 5
    found["vocabulary"] = vocabulary
    (copied / "metadata.json").write_text(json.dumps(found))
    assert toolkit("generate", copied) == 1
    error = capsys.readouterr().err
    assert message.format(copied) in error
    assert "toolkit train char_rnn" in error


def test_vocabulary_of_another_file_is_refused(tmp_path, capsys):
    done = export.export(
        language_model(5, "gru", units=4, embedding=3),
        tmp_path,
        ["onnx"],
        streaming=True,
        metadata={"task": "text_generation", "vocabulary": list("abc")},
    )
    file = next(done.paths["onnx"].parent.glob("*_streaming.onnx"))
    assert toolkit("generate", file, "--prompt", "a") == 1
    error = capsys.readouterr().err
    assert f'The vocabulary of "{file}" has 3 tokens' in error
    assert "(1, 1, 5)" in error and "toolkit export RUN" in error


def test_commands_for_images_say_that_it_is_a_language_model(run, capsys):
    for command, path in (
        ("benchmark", run),
        ("robustness", run),
        ("robustness", run / "export" / "char_rnn.onnx"),
    ):
        assert toolkit(command, path) == 1
        error = capsys.readouterr().err
        assert f'"{path}" is a language model; benchmark and' in error
        assert "take models of images" in error
        assert f"toolkit generate {path}" in error


def test_a_file_of_characters_is_measured_as_its_run(run, text, capsys):
    found = []
    for path in (run, run / "export" / "char_rnn_streaming.onnx"):
        assert toolkit("evaluate", path, "--data", text, "--json") == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["count"] == len(text.read_text()) - 1
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_a_text_of_unknown_characters_is_not_measured(run, tmp_path, capsys):
    path = tmp_path / "strange.txt"
    path.write_text("abc xyz x")
    for model in (run, run / "export" / "char_rnn_streaming.onnx"):
        assert toolkit("evaluate", model, "--data", path) == 1
        error = capsys.readouterr().err
        assert f'"{path}": 4 characters are not in the vocabulary: "x"' in error
        assert "take them out of the text" in error
