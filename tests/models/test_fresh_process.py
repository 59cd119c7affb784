"""Models are loaded by name in a process that has not built any."""

import subprocess
import sys

import keras
import numpy as np

from tests.models.contracts import BUILDERS, QUERIES, SEARCHES

NAMES = ("lenet5_published", "language_model", "word_queries", "decoding_model")
CODE = """
import sys
import numpy as np
from recipes._cli.models import load_model

for name in sys.argv[1:]:
    model = load_model(f"{name}.keras")
    with np.load(f"{name}.npz") as given:
        inputs = [given[f"input_{n}"] for n in range(len(given.files))]
    outputs = model(inputs if len(inputs) > 1 else inputs[0])
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    np.savez(f"{name}_found.npz", **{k: np.asarray(v) for k, v in
                                     outputs.items()})
    if name == "word_queries":
        print(model.neighbours.name, model.analogy.name, model.k)
"""


def test_a_command_loads_models_in_a_fresh_process(tmp_path):
    expected = {}
    for name in NAMES:
        build, inputs, *_ = (BUILDERS | QUERIES | SEARCHES)[name]
        model = build()
        model.save(tmp_path / f"{name}.keras")
        outputs = model(inputs)
        if not isinstance(outputs, dict):
            outputs = {"output": outputs}
        expected[name] = {k: np.asarray(v) for k, v in outputs.items()}
        inputs = keras.tree.flatten(inputs)
        np.savez(
            tmp_path / f"{name}.npz",
            **{f"input_{n}": x for n, x in enumerate(inputs)},
        )
    done = subprocess.run(
        [sys.executable, "-c", CODE, *NAMES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["neighbours", "analogy", "3"]
    for name in NAMES:
        with np.load(tmp_path / f"{name}_found.npz") as found:
            assert set(found.files) == set(expected[name])
            for key in found.files:
                np.testing.assert_allclose(
                    found[key], expected[name][key], atol=1e-6
                )
