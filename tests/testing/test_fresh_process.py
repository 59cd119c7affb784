"""Layers that are loaded by name where nothing else is imported."""

import importlib

import pytest

from tests.layers.contracts import LAYERS
from tests.testing.right_layer import Right, check, register
from toolkit.errors import LayerContractError
from toolkit.testing import check_fresh_process

REGISTERED = """
import keras

@keras.saving.register_keras_serializable("tests.good")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x
"""
ELSEWHERE = """
import keras

class Tripled(keras.layers.Layer):
    def call(self, x):
        return 3.0 * x
"""


def test_only_what_its_own_module_registers_is_found(tmp_path, monkeypatch):
    (tmp_path / "good_layers.py").write_text(REGISTERED)
    (tmp_path / "hidden_layers.py").write_text(ELSEWHERE)
    monkeypatch.syspath_prepend(tmp_path)
    good = importlib.import_module("good_layers").Doubled
    hidden = importlib.import_module("hidden_layers").Tripled
    register(hidden)  # here, where no other process sees it
    cases = {
        "good": (good, (4, 3)),
        "bad": (hidden, (4, 3)),
        "own": (Right, (4, 3), {"start": 2.0}),
        **LAYERS,
    }
    with pytest.raises(
        LayerContractError, match="^bad, fresh_process.*\n.*not locate class"
    ):
        check_fresh_process(cases)


def test_class_that_no_other_process_can_import(monkeypatch):
    @register
    class Local(Right):
        pass

    with pytest.raises(LayerContractError, match="defined in a function"):
        check(Local, (4, 3), "fresh_process")
    monkeypatch.setattr(Right, "__module__", "__main__")
    with pytest.raises(LayerContractError, match="in __main__, a script or a"):
        check(Right, (4, 3), "fresh_process")


def test_process_that_does_not_end_is_told():
    with pytest.raises(LayerContractError, match="not end within 0.01 s"):
        check_fresh_process({"Right": (Right, (4, 3))}, timeout=0.01)
