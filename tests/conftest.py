"""One trained model and one import of TensorFlow for the whole session."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit._backend import load_tensorflow

load_tensorflow()  # once and in silence, before any test module asks for it

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A LeNet-5 trained, evaluated, exported and reported by the command."""
    from recipes._cli.main import main

    runs = tmp_path_factory.mktemp("runs")
    status = main(
        [
            "train",
            "lenet5",
            "--epochs",
            "12",
            "--export",
            "saved_model,onnx,litert",
            "--runs",
            str(runs),
        ]
    )
    assert status == 0
    return runs / "lenet5" / "1"


@pytest.fixture
def tfds_mnist(monkeypatch):
    folder = SHARED / "tfds"
    if not (folder / "mnist").is_dir():
        pytest.skip("real MNIST is not beside this checkout")
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return "tfds:mnist"
