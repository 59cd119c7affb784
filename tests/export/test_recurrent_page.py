"""The example of docs/recurrent.md runs as it stands."""

import re

import numpy as np
import onnxruntime

from export.lowering import registry
from tests.conftest import ROOT


def test_example_lowers_a_layer_to_one_operator(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "recurrent.md").read_text()
    (example,) = re.findall(r"```python run\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    names = {}
    exec(example, names)
    said = capsys.readouterr().out.splitlines()
    assert said == re.findall(r"^# ({.*})$", example, re.MULTILINE)
    session = onnxruntime.InferenceSession(
        tmp_path / "exported" / "average.onnx"
    )
    data = np.random.default_rng(0).normal(size=(2, 30, 3)).astype("float32")
    (found,) = session.run(None, {"x": data})
    expected = np.zeros((2, 3))
    for step in range(30):
        expected = 0.1 * data[:, step] + 0.9 * expected
    np.testing.assert_allclose(found[:, -1], expected, atol=1e-5)

    registry._REGISTRY.pop((names["Smoothed"], "onnx"))
    done = names["export"].export(names["model"], tmp_path, ["onnx"])
    assert "Loop" in done.formats["onnx"].operators  # as the page says
