"""One trained model and one import of TensorFlow for the whole session."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest

from export import fresh
from export.program import Entry
from tests.references import EAGER, graph_reference
from tests.shared_runs import shared_run
from toolkit._backend import load_tensorflow

load_tensorflow()  # once and in silence, before any test module asks for it

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_configure():
    """Lets Ctrl-C act, as tests of it need.

    A shell starts what runs in its background with SIGINT ignored, and
    processes inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """Keeps what was imported out of every later garbage collection.

    TensorFlow and Keras are half a million objects, a tenth of the suite.
    """
    gc.collect()
    gc.freeze()


def pytest_collection():
    """Lets coverage name the test that starts a subprocess.

    The settings that it hands on have no test in them; read anew, they do.
    """
    if os.environ.pop("COVERAGE_PROCESS_CONFIG", None):
        os.environ["COVERAGE_PROCESS_START"] = str(ROOT / "pyproject.toml")


@pytest.fixture(scope="session", autouse=True)
def few_interpreters():
    """Lets each proof run a file in few fresh interpreters.

    Several hundred exports in 50 to 300 of them take a minute of the suite.
    test_fresh_interpreters.py has the numbers of the product and more.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh, "INTERPRETERS", 8)
        patch.setattr(fresh, "SECONDS", 0.0)
        patch.setattr(fresh, "OTHERS", 2)
        patch.setattr(fresh, "SESSIONS", 1)
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A LeNet-5 trained, evaluated, exported and reported by the command."""
    yield from shared_run(
        tmp_path_factory, "trained", "lenet5", "--epochs", 12, "--export",
        "saved_model,onnx,litert",
    )  # fmt: skip


@pytest.fixture(scope="module")
def traced_reference():
    """`graph_reference` for all tests of a module."""
    with graph_reference():
        yield


@pytest.fixture
def eager_reference(monkeypatch):
    """Ends `traced_reference` for a test that needs it.

    Keras' own TimeDistributed runs eagerly only, where the length is open;
    and a model that is traced with fixed sizes takes no others.
    """
    monkeypatch.setattr(Entry, "reference", EAGER)


@pytest.fixture
def tfds_mnist(monkeypatch):
    folder = SHARED / "tfds"
    if not (folder / "mnist").is_dir():
        pytest.skip("real MNIST is not beside this checkout")
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return "tfds:mnist"
