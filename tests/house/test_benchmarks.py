"""Every benchmark runs at small settings and names its peers."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

# The rows that README and docs quote, and words that say what a peer is.
BENCHMARKS = {
    "lenet5_training": (
        ["--repeats", "1", "--steps", "4"],
        ["Keras, defaults", "Keras, best settings", "steps_per_execution="],
    ),
    "recurrent_training": (
        ["--repeats", "1"],
        ["PeepholeLSTM", "Keras LSTM", "RNN(PeepholeLSTMCell)"],
    ),
    "recurrent_onnx": (
        ["--repeats", "1"],
        [
            "our layer, Keras' model.export", "Keras' model.export",
            "PeepholeLSTM, batch 8", "LSTM, batch 8", "SimpleRNN, batch 8",
        ],
    ),
    "recurrent_litert": (
        ["--repeats", "1"],
        ["our cell in Keras' RNN, fixed", "Keras' layer, sizes fixed"],
    ),
    "language_training": (
        ["--repeats", "1", "--steps", "1"],
        [
            "plain Keras, full softmax", "this toolkit, full softmax",
            "this toolkit, sampled and tied",
        ],
    ),
    "proof_rule": (
        ["softmax regression"],
        ["(a) U, N", "relu for relu6", "litert", "PASSES"],
    ),
    "seq2seq_decoding": (
        ["--repeats", "1", "--length", "3", "--units", "8"],
        [
            "Keras, Python loop over compiled steps",
            "TensorFlow, compiled search of ours", "ONNX Runtime", "LiteRT",
        ],
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_runs_and_names_its_peers(name):
    arguments, rows = BENCHMARKS[name]
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for row in rows:
        assert row in done.stdout, done.stdout


@pytest.mark.slow
def test_word2vec_is_compared_with_gensim(tmp_path):
    pytest.importorskip("gensim", reason="gensim, the peer, is not installed")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(" ".join(f"w{i * i % 97}" for i in range(20_000)))
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.word2vec", "compare",
            "--corpus", str(corpus), "--epochs", "1", "--seeds", "1",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "ours" in done.stdout and "gensim" in done.stdout


def test_every_benchmark_is_tried():
    files = {p.stem for p in (ROOT / "benchmarks").glob("[a-z]*.py")}
    assert files == {*BENCHMARKS, "word2vec"}
