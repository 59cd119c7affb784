"""Files exported once for all tests, and a Python that has no TensorFlow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest

import export
from export import runtime
from export.report import Report
from tests.export.user_models import randomize
from tests.references import graph_reference
from toolkit.models import decoding_model, language_model, seq2seq
from toolkit.text import Vocabulary, WordTokenizer, WordVectors

ROYAL = (
    "man", "woman", "king", "queen", "boy", "girl", "prince", "princess",
)  # fmt: skip
K = 5


class WordFiles(NamedTuple):
    """A model of word vectors and its files.

    Attributes:
        vectors: what they hold.
        model: the Keras model.
        done: the report.
    """

    vectors: WordVectors
    model: keras.Model
    done: Report


def word_vectors() -> WordVectors:
    """Vectors in which king - man + woman is near queen; "void" is zeros."""
    rng = np.random.default_rng(0)
    names = [*ROYAL, "void", *(f"word{n}" for n in range(80)), "größe"]
    table = rng.normal(size=(len(names), 16))
    sex, crown, youth = np.eye(16)[:3] * 4
    for row, _ in enumerate(ROYAL):
        table[row] = 0.3 * table[row] + (row & 1) * 2 * sex - sex
        table[row] += crown if row & 2 else -crown
        table[row] += youth if row & 4 else -youth
    table[ROYAL.index("princess") + 1] = 0
    table *= rng.lognormal(0, 1, size=(len(names), 1))
    return WordVectors(Vocabulary(names), table)


@pytest.fixture(scope="session")
def word_files(tmp_path_factory) -> WordFiles:
    """Small word vectors in every format."""
    from recipes._run.word_export import query_model

    vectors = word_vectors()
    model, metadata, samples = query_model(vectors, K)
    done = export.export(
        model,
        tmp_path_factory.mktemp("words"),
        signatures=metadata.pop("signatures"),
        metadata={**metadata, "data": "made up", "metrics": {"loss": 1.0}},
        samples=samples,
    )
    return WordFiles(vectors, model, done)


PHRASES = ("Go on, Tom!", "Don't go (yet).", 'it\'s "well-known" news')
WORDS = ("<eos>", "the", "<unk>", "cat", "sat", "on", "mat")


class TextFiles(NamedTuple):
    """Models of texts and their files.

    Attributes:
        tokenizer: of sources and targets.
        search: translates; sources are reversed.
        translator: its report.
        model: goes on with a text of `WORDS`.
        writer: its report.
    """

    tokenizer: WordTokenizer
    search: keras.Model
    translator: Report
    model: keras.Model
    writer: Report


@pytest.fixture(scope="session")
def text_files(tmp_path_factory) -> TextFiles:
    """Small models with large weights, in ONNX and LiteRT."""
    folder = tmp_path_factory.mktemp("texts")
    tokenizer = WordTokenizer.of(PHRASES)
    size = len(tokenizer)
    trained = randomize(
        seq2seq(size, size, units=6, embedding=5, bidirectional=False)
    )
    search = decoding_model(trained, 7)
    described = tokenizer.describe()
    model = randomize(language_model(len(WORDS), "gru", units=6, embedding=5))
    with graph_reference():
        return TextFiles(
            tokenizer,
            search,
            export.export(
                search,
                folder / "translator",
                ["onnx", "litert"],
                metadata={
                    "task": runtime.TRANSLATION,
                    "text": {
                        "source": described,
                        "target": described,
                        "reverse_source": True,
                    },
                },
            ),
            model,
            export.export(
                model,
                folder / "writer",
                ["onnx", "litert"],
                streaming=True,
                metadata={
                    "task": runtime.LANGUAGE_MODEL,
                    "vocabulary": list(WORDS),
                    "tokens": "words",
                    "ends": "lines",
                },
            ),
        )


# What `pip install numpy pillow onnxruntime ai-edge-litert` brings.
PACKAGES = (
    "numpy", "numpy.libs", "PIL", "pillow.libs", "onnxruntime",
    "ai_edge_litert", "flatbuffers", "google", "ml_dtypes", "packaging",
    "tqdm", "typing_extensions.py", "backports", "backports_strenum*",
)  # fmt: skip

# Several command lines of runtime.py in one process: importing the runtimes
# takes longer than most answers.
COMMANDS = """
import contextlib, io, json, runpy, sys
answers = []
for arguments in json.loads(sys.argv[1]):
    sys.argv, status = ["runtime.py", *arguments], 0
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path("runtime.py", run_name="__main__")
        except SystemExit as ended:
            status = ended.code or 0
    answers.append([arguments, status, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


def ask(run, *commands):
    """Runs command lines of `runtime.py`; returns what each printed.

    Args:
        run: of the fixture `bare`.
        commands: lists of arguments.
    """
    asked = [[str(argument) for argument in line] for line in commands]
    done = run("-c", COMMANDS, json.dumps(asked))
    assert done.returncode == 0, done.stderr
    return [
        subprocess.CompletedProcess(*answer)
        for answer in json.loads(done.stdout.splitlines()[-1])
    ]


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """A folder with runtime.py alone, and a Python without TensorFlow."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    python = folder / "venv" / "bin" / "python"
    target = Path(
        subprocess.check_output(
            [
                python,
                "-c",
                "import sysconfig; print(sysconfig.get_path('purelib'))",
            ],
            text=True,
        ).strip()
    )
    source = Path(sysconfig.get_path("purelib"))
    for pattern in PACKAGES:
        for package in source.glob(pattern):
            (target / package.name).symlink_to(package)
    work = folder / "work"
    work.mkdir()
    shutil.copy(runtime.__file__, work / "runtime.py")

    def run(*arguments):
        return subprocess.run(
            [python, "-P", *map(str, arguments)],
            cwd=work,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )

    missing = run("-c", "import tensorflow")
    assert "No module named 'tensorflow'" in missing.stderr
    return work, run
