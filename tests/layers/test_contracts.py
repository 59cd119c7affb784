"""What every public layer must do: the contract that users have, too."""

import pytest

from tests.layers.contracts import LAYERS
from toolkit.testing import check_fresh_process, check_layer

EVERY = {"shapes", "config", "saving", "inference", "fit"}
EVERY |= {"mixed_precision", "gradients"}
# Compiling with XLA takes as long as all other checks together, so the quick
# suite does it for one layer, and for the peephole LSTM in
# test_peephole_settings.py, where its gradients are compared, too.
COMPILED_QUICKLY = ("ConnectedConv2D",)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_keeps_the_contract(name):
    make, inputs = LAYERS[name]
    done = check_layer(make, inputs, fresh_process=False, jit=False)
    # One that supports masking stands there with a sequence, or with a pair,
    # for which a mask would have to be given.
    alone = not isinstance(inputs, list)
    masks = {"masks"} if make().supports_masking and alone else set()
    assert set(done) == EVERY | masks


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=() if name in COMPILED_QUICKLY else pytest.mark.slow
        )
        for name in LAYERS
    ],
)
def test_layer_compiles_with_xla(name):
    make, inputs = LAYERS[name]
    others = dict.fromkeys([*EVERY, "masks", "fresh_process"], False)
    assert check_layer(make, inputs, **others, jit=True) == ("jit",)


# Slow: tests/testing loads them all in one process with a layer that fails.
@pytest.mark.slow
def test_all_layers_are_loaded_by_name_in_a_fresh_process():
    check_fresh_process(LAYERS)
