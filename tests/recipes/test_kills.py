"""A hundred SIGKILLs: no run is lost, all end in the same bits.

Run alone: `python -m pytest -m slow tests/recipes/test_kills.py`; the table
is printed. Each chain starts a small run, kills it at one rename, link or
removal, kills the resumed process at a random moment, and lets the next end.
"""

import concurrent.futures
import io
import itertools
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 200  # seconds until a process counts as one that stands
RECIPES = {
    "softmax_regression": ["--epochs", "2", "--export", "onnx"],
    "encoder_8_3_8": [
        "--preset", "fast", "--epochs", "40", "--export", "litert",
    ],
    "word2vec": [
        "--max-words", "20000", "--epochs", "2", "--vector-size", "8",
        "--export", "onnx",
    ],
}  # fmt: skip
# Where random moments begin: a text that is printed, and the seconds after it
MOMENTS = [
    ("training", "run directory", 6.0),
    ("training", "epoch 1/", 1.0),
    ("evaluation", "trained in", 0.5),
    ("export", "test: ", 3.0),
    ("export", "training: ", 3.0),
    ("report", "ONNX", 1.0),
]
STALE = re.compile(r"\..+\.tmp-|\.export-|\.run-|\.owner")


def toolkit(place, *arguments):
    """Runs a command that kills itself; returns status, output, errors."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.recipes.kills", json.dumps(place)]
        + [str(a) for a in arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, error = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # shows the stacks
        out, error = process.communicate()
        raise AssertionError(f"stands at:\n{out}\n{error}") from None
    return process.returncode, out, error


def contents(run):
    """Returns what of a run must be equal, by file name."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.is_dir() or "tfevents" in name:
            continue
        found[name] = comparable(path)
    return found


def comparable(path):
    """Returns the content of a file without what a clock wrote."""
    if path.name in ("metrics.csv", "vectors.bin", "vocabulary.txt"):
        return path.read_bytes()
    if path.suffix in (".onnx", ".tflite"):
        return path.read_bytes()
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            weights = io.BytesIO(archive.read("model.weights.h5"))
        arrays = {}
        with h5py.File(weights) as file:
            file.visititems(
                lambda name, item: (
                    arrays.update({name: item[()].tobytes()})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
        return arrays
    if path.suffix == ".npz":
        with np.load(io.BytesIO(path.read_bytes())) as archive:
            return {
                name: archive[name].tobytes()
                for name in archive.files
                if name != "header"
            }
    if path.name == "evaluation.json":
        return json.loads(path.read_text())["metrics"]
    return None  # there is all that is asked


def phase_of(out):
    """Returns where a process was when it ended."""
    for phase, texts in (
        ("report", ("ONNX   ", "LiteRT   ")),
        ("export", ("test: ", "training: ", "patterns: ")),
        ("evaluation", ("trained in",)),
        ("training", ("epoch ",)),
    ):
        if any(line.startswith(texts) for line in out.splitlines()):
            return phase
    return "training" if "run directory" in out else "start"


def chain(recipe, place, seed, folder, whole):
    """Kills a run twice and resumes it; returns phases and what is wrong."""
    runs = folder / f"runs-of-kills-{recipe}-{seed}"
    run = runs / recipe / "1"
    command = ("train", recipe, *RECIPES[recipe], "--runs", runs)
    resume = ("train", recipe, "--resume", run)
    draw = random.Random(seed)
    _, text, most = draw.choice(MOMENTS)
    places = [place, {"text": text, "wait": draw.uniform(0, most)}, {}]
    phases, wrong = [], []
    for place in places:
        arguments = resume if run.exists() else command
        status, out, error = toolkit(place, *arguments)
        if status == -signal.SIGKILL:
            phases.append(phase_of(out))
        elif status and "is finished; there is nothing" in error:
            break  # killed after the mark
        elif status:
            wrong.append(f"status {status}: {error[-300:]}")
            break
        else:
            break
    else:
        wrong.append("never ended")
    if not wrong:
        found = contents(run)
        if set(found) != set(whole):
            wrong.append(f"files {sorted(set(found) ^ set(whole))}")
        wrong += [
            f"{name} differs"
            for name in set(found) & set(whole)
            if found[name] != whole[name]
        ]
        wrong += [
            f"stale {path}"
            for path in runs.rglob("*")
            if STALE.match(path.name)
        ]
    shutil.rmtree(runs)
    return phases, wrong


@pytest.mark.slow  # some 20 minutes: 150 processes that import TensorFlow
def test_a_hundred_kills_lose_nothing(tmp_path, capsys):
    wholes, calls = {}, {}
    for recipe, settings in RECIPES.items():
        runs = tmp_path / f"runs-of-kills-{recipe}"
        command = ("train", recipe, *settings, "--runs", runs)
        status, _, error = toolkit({}, *command)
        assert status == 0, error
        wholes[recipe] = contents(runs / recipe / "1")
        calls[recipe] = int(re.search(r"calls (\d+)", error)[1])
    places = [
        (recipe, {"call": number, "after": bool(number % 2)})
        for recipe in RECIPES
        for number in range(1, calls[recipe] + 1)
    ]
    # All of the first recipe, then others in turn until there are a hundred.
    first = [p for p in places if p[0] == "softmax_regression"]
    others = [p for p in places if p not in first]
    random.Random(0).shuffle(others)
    chosen, results, kills = [*first, *others], [], Counter()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # A quick process may end before its random moment: then some more.
        while kills.total() < 100 and len(results) < len(chosen):
            until = len(results) + 10 if results else 70
            futures = [
                pool.submit(
                    chain, *chosen[i], i, tmp_path, wholes[chosen[i][0]]
                )
                for i in range(len(results), min(until, len(chosen)))
            ]
            results += [future.result() for future in futures]
            kills = Counter(itertools.chain(*(phases for phases, _ in results)))
    chosen = chosen[: len(results)]
    wrong = [
        f"{recipe} {place}: {text}"
        for (recipe, place), (_, texts) in zip(chosen, results, strict=True)
        for text in texts
    ]
    with capsys.disabled():
        print(f"\nrenames, links and removals: {calls}")
        for phase in ("start", "training", "evaluation", "export", "report"):
            print(f"  killed in {phase:<10}  {kills[phase]:>4}")
        print(f"  {'all':<20}  {kills.total():>4}, wrong: {len(wrong)}")
        for line in wrong:
            print(f"    {line}")
    assert not wrong
    assert kills.total() >= 100
