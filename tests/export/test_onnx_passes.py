"""tf2onnx passes run on one copy of the graph; on a copy each if one fails."""

import keras
import numpy as np
import onnx
import pytest
from tf2onnx import optimizer

import export
from tests.export.user_models import randomize


@pytest.fixture
def model():
    x = keras.Input((4,))
    hidden = keras.layers.Dense(3, activation="relu")(x)
    return randomize(keras.Model(x, keras.layers.Dense(2)(hidden)))


def graph_of(model, folder):
    path = export.export(model, folder, ["onnx"], name="m").paths["onnx"]
    return onnx.load(path).graph.SerializeToString(deterministic=True)


def test_failing_pass_is_left_out_and_no_other(model, tmp_path, monkeypatch):
    whole = graph_of(model, tmp_path / "whole")
    passes = optimizer._get_optimizers()
    calls = []

    class Failing:
        def optimize(self, graph, iteration):
            calls.append(len(graph.get_nodes()))
            for node in list(graph.get_nodes()):  # what is half done is undone
                graph.remove_node(node.name)
            raise ValueError("no")

    monkeypatch.setattr(
        optimizer, "_get_optimizers", lambda: {**passes, "failing": Failing}
    )
    assert graph_of(model, tmp_path / "failing") == whole
    assert len(calls) >= 2 and min(calls) > 0


def test_passes_run(model, tmp_path, monkeypatch):
    whole = graph_of(model, tmp_path / "whole")
    monkeypatch.setattr(optimizer, "_get_optimizers", dict)
    plain = graph_of(model, tmp_path / "plain")
    assert len(plain) > len(whole) and np.frombuffer(plain, "u1").size
