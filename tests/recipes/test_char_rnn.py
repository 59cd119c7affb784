"""The character model: what it learns, writes, keeps and resumes."""

import json
import math
import re
import shutil

import keras
import numpy as np
import onnx
import pytest

from export import runtime
from recipes._cli.main import main
from recipes.char_rnn import Config
from tests.export.user_models import randomize
from tests.recipes.processes import without_tensorflow
from toolkit.errors import ConfigError
from toolkit.models import language_model, sequence_classifier
from toolkit.text import generate
from toolkit.training import with_carried_state

pytestmark = pytest.mark.usefixtures("traced_reference")


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A text with a rule that only memory can follow: a b c, then x y z."""
    path = tmp_path_factory.mktemp("text") / "rule.txt"
    rng = np.random.default_rng(0)
    words = ["a lamp. ", "seven birds. ", "my old house. "]
    path.write_text("".join(words[i] for i in rng.integers(0, 3, 3000)))
    return path


SMALL = [
    "--units", 32, "--embedding", 16, "--window", 20, "--batch-size", 16,
    "--learning-rate", 0.02, "--dropout", 0.1, "--cell", "peephole_lstm",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(text, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "char_rnn", "--data", text, *SMALL, "--runs", runs,
            "--export", "saved_model,onnx,litert",
        ) == 0
    )  # fmt: skip
    return runs / "char_rnn" / "1"


def test_it_learns_the_words(run):
    found = json.loads((run / "evaluation.json").read_text())
    metrics = found["metrics"]
    # log2(3) bits for which word, over 11.33 characters on average: 0.14.
    assert 0.12 < metrics["bits_per_character"] < 0.3
    assert metrics["loss"] == pytest.approx(
        metrics["bits_per_character"] * math.log(2)
    )
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert len(found["sha256"]) == 64


def test_model_of_the_run_begins_every_sequence_anew(run):
    model = keras.models.load_model(run / "model.keras")
    assert model.input_shape == (None, None)
    inputs = np.load(run / "samples" / "inputs.npy")
    np.testing.assert_array_equal(
        model.predict_on_batch(inputs), model.predict_on_batch(inputs)
    )


def test_exported_file_is_fused_and_knows_its_characters(run, text):
    path = run / "export" / "char_rnn.onnx"
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("LSTM") == 1 and "Loop" not in kinds
    loaded = runtime.load(path)
    assert loaded.metadata["vocabulary"] == sorted(set(text.read_text()))
    assert loaded.inputs == {"tokens": (("batch", "time"), "int32")}


def test_page_shows_texts_and_gradients(run):
    page = (run / "report.html").read_text()
    section = page[page.index('id="writing"') :]
    section = section[: section.index("</section>")]
    for caption in ("temperature 0.5", "after epoch 1", "after epoch 3"):
        assert caption in section
    assert section.count("birds") > 3
    assert 'aria-label="loss, nats per character per epoch"' in page
    with np.load(run / "gradient_norms.npz") as norms:
        assert norms["steps/recurrent_1"].shape == (4, 20)
        assert (norms["layers/recurrent_1"] > 0).all()


def test_page_colours_the_test_text_by_its_surprise(run, text):
    found = json.loads((run / "surprise.json").read_text())
    assert found["unit"] == "character"
    assert "".join(found["tokens"]) in text.read_text()
    # Which of three words begins is what it cannot know.
    hard = [bits > 1 for bits in found["bits"]]
    begins = [
        "".join(found["tokens"][max(0, i - 1) : i + 1]) == ". "
        for i in range(len(found["bits"]))
    ]
    assert len(hard) == 800 and np.mean(np.equal(hard, begins)) > 0.9
    assert 'class="surprise character"' in (run / "report.html").read_text()


def test_generate_goes_on_from_a_prompt(run, capsys):
    settings = ["--length", 60, "--temperature", 0.5]

    def written(*more):
        assert toolkit("generate", run, *settings, *more) == 0
        return capsys.readouterr().out

    one = written("--prompt", "seven b", "--seed", 1)
    assert one.startswith("seven birds. ")
    assert len(one) == len("seven b") + 60 + 1
    assert one == written("--prompt", "seven b", "--seed", 1)
    assert one != written("--prompt", "seven b", "--seed", 2)
    greedy = written("--prompt", "my ", "--top-k", 1)
    assert greedy.startswith("my old house. ")
    assert written()  # no prompt


def test_exported_files_write_the_same(run, capsys):
    export = run / "export"

    def written(source, *settings):
        arguments = ["--prompt", "my ", "--length", 120, *settings]
        assert toolkit("generate", source, *arguments) == 0
        return capsys.readouterr().out

    for settings in (
        *(("--seed", seed, "--temperature", 1) for seed in range(3)),
        ("--top-k", 1),
    ):
        wanted = written(run, *settings)
        assert len(wanted) == 3 + 120 + 1
        for name in ("char_rnn_streaming.onnx", "char_rnn.tflite"):
            assert written(export / name, *settings) == wanted
    assert written(export / "saved_model", "--top-k", 1) == wanted


def test_sizes_of_an_export_can_be_fixed(
    run, eager_reference, tmp_path, capsys
):
    out = ["--output", tmp_path, "--to", "litert"]
    assert toolkit("export", run, *out, "--batch", 4, "--time", 8) == 0
    loaded = runtime.load(tmp_path / "char_rnn.tflite")
    assert loaded.inputs["tokens"][0] == (4, 8)
    capsys.readouterr()
    assert toolkit("generate", tmp_path / "char_rnn.tflite") == 1
    assert "without --batch" in capsys.readouterr().err
    internal = ["--states", "internal", "--chunk", 1]
    assert toolkit("export", run, *out, *internal) == 0
    capsys.readouterr()
    greedy = ["--prompt", "my old h", "--length", 5, "--top-k", 1]
    assert toolkit("generate", tmp_path / "char_rnn.tflite", *greedy) == 0
    assert capsys.readouterr().out == "my old house.\n"
    assert toolkit("export", run, *out, "--chunk", 3) == 0
    assert toolkit("generate", tmp_path / "char_rnn.tflite", *greedy) == 1
    captured = capsys.readouterr()
    assert "reads 3 tokens at a time" in captured.err
    assert "my old" not in captured.out
    assert toolkit("generate", tmp_path / "none.tflite") == 1
    assert "no model file" in capsys.readouterr().err


def test_exported_files_write_without_tensorflow(run):
    greedy = ["--prompt", "my old h", "--length", 5, "--top-k", 1]
    names = ("char_rnn_streaming.onnx", "char_rnn.tflite")
    for result in without_tensorflow(
        *(["generate", run / "export" / name, *greedy] for name in names)
    ):
        assert result.status == 0, result.stderr
        assert result.stdout == "my old house.\n" and not result.modules


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", "Ünd"], '1 character is not in.*: "Ü". It knows'),
        (["--prompt", "Üxd"], '2 characters are not in.*: "Ü", "x". It'),
        (["--temperature", 0], "--temperature must be above 0"),
        (["--top-k", -1], "--top-k must be at least 0"),
        (["--length", -1], "--length must be at least 0"),
    ],
)
def test_generate_refuses_bad_settings(run, capsys, arguments, message):
    assert toolkit("generate", run, *arguments) in (1, 2)
    assert re.search(message, capsys.readouterr().err)


def test_generate_refuses_what_cannot_write(run, tmp_path, capsys):
    assert toolkit("generate", run / "export" / "char_rnn.onnx") == 1
    assert "char_rnn_streaming.onnx" in capsys.readouterr().err
    broken = tmp_path / "broken.tflite"
    whole = (run / "export" / "char_rnn.tflite").read_bytes()
    broken.write_bytes(whole[: len(whole) // 3])
    assert toolkit("generate", broken) == 1
    assert "broken.tflite" in capsys.readouterr().err
    broken.write_text("no model at all, only text")
    assert toolkit("generate", broken) == 1
    assert "is not a LiteRT file" in capsys.readouterr().err
    broken.unlink()
    assert toolkit("generate", tmp_path) == 1
    assert "not a run directory" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(run / "config.yaml", other)
    assert toolkit("generate", other) == 1
    assert "no trained language model" in capsys.readouterr().err


def test_interrupted_in_an_epoch_it_ends_the_same(
    run, text, tmp_path, monkeypatch, capfd, without_page
):
    from tests.recipes.test_resume import StopAfter, with_callback

    settings = ["train", "char_rnn", "--data", text, *SMALL]
    with monkeypatch.context() as patch:
        with_callback(patch, StopAfter(1, 1))
        assert toolkit(*settings, "--runs", tmp_path) == 130
    whole, other = run, tmp_path / "char_rnn" / "1"
    assert toolkit("train", "char_rnn", "--resume", other) == 0
    assert "resuming after epoch 1, step" in capfd.readouterr().out
    for name in ("metrics.csv", "texts.json", "gradient_norms.npz"):
        assert (whole / name).read_bytes() == (other / name).read_bytes()
    with np.load(whole / "checkpoints" / "last.npz") as a:
        with np.load(other / "checkpoints" / "last.npz") as b:
            for name in set(a.files) & set(b.files):
                if a[name].dtype.kind == "f":
                    np.testing.assert_array_equal(a[name], b[name])


def test_carried_state_makes_windows_one_sequence():
    model = language_model(11, "gru", units=6, layers=2, embedding=4)
    tokens = np.random.default_rng(0).integers(0, 11, (3, 12))
    twin = with_carried_state(model, 3)
    parts = [twin(tokens[:, i : i + 4]) for i in (0, 4, 8)]
    np.testing.assert_allclose(
        np.concatenate(parts, axis=1), model(tokens), atol=1e-6
    )
    with pytest.raises(ConfigError, match="reads from the end"):
        with_carried_state(sequence_classifier(3, 2, bidirectional=True), 1)
    with pytest.raises(ConfigError, match="streams=0"):
        with_carried_state(model, 0)


def test_writer_reads_each_prompt_anew_in_a_graph_traced_once():
    from recipes._run.keras_writer import KerasWriter
    from toolkit.text import CharacterVocabulary

    # Large weights: the state has a say in what comes next.
    model = randomize(language_model(3, "gru", units=5, embedding=4))
    writer = KerasWriter(model, CharacterVocabulary("abc"))
    one, two = ("".join(writer.write("ab", 20, seed=4)) for _ in range(2))
    assert one == two and len(one) == 20
    assert writer._call.experimental_get_tracing_count() == 1
    # Token by token it is the model that reads the whole.
    tokens = writer.vocabulary.encode("ab" + one)
    logits = model(tokens[None, :-1])[0, -1]
    "".join(writer.write("ab" + one[:-1], 0))
    np.testing.assert_allclose(writer.step(tokens[:-1]), logits, atol=1e-5)
    other = randomize(language_model(3, "gru", units=5, embedding=4), seed=1)
    writer.update(other)
    "".join(writer.write("ab" + one[:-1], 0))
    np.testing.assert_allclose(
        writer.step(tokens[:-1]), other(tokens[None, :-1])[0, -1], atol=1e-5
    )
    assert np.abs(writer.step(tokens[:1]) - logits).max() > 1e-4


def test_generation_hands_each_token_over_once():
    seen = []

    def step(tokens):
        seen.append(tokens.tolist())
        return np.eye(5)[(tokens[-1] + 1) % 5] * 50

    assert list(generate(step, [3, 1], 4)) == [2, 3, 4, 0]
    assert seen == [[3, 1], [2], [3], [4]]
    with pytest.raises(ConfigError, match="prompt is empty"):
        generate(step, [], 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": 0}, "--units must be at least 1"),
        ({"dropout": 1.0}, "--dropout must be below 1"),
        ({"window": 0}, "--window must be at least 1"),
        ({"clip_value": 1.0}, "by norm or by value.*Set one of them to 0"),
        ({"clip_norm": -1.0}, "--clip-norm must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings)


def test_text_shorter_than_a_window_is_refused(tmp_path, capsys):
    path = tmp_path / "short.txt"
    path.write_text("too short a text for all these streams" * 4)
    status = toolkit("train", "char_rnn", "--data", path, "--runs", tmp_path)
    assert status == 1
    assert "32 streams with a window of 64 take" in capsys.readouterr().err
