"""What every public layer must do: the contract that users have, too."""

import pytest

from tests.layers.contracts import LAYERS
from toolkit.testing import check_fresh_process, check_layer

EVERY = {"shapes", "config", "saving", "inference", "fit", "jit"}
EVERY |= {"mixed_precision", "gradients"}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_keeps_the_contract(name):
    make, inputs = LAYERS[name]
    done = check_layer(make, inputs, fresh_process=False)
    # One that supports masking stands there with a sequence, or with a pair,
    # for which a mask would have to be given.
    alone = not isinstance(inputs, list)
    masks = {"masks"} if make().supports_masking and alone else set()
    assert set(done) == EVERY | masks


def test_all_layers_are_loaded_by_name_in_a_fresh_process():
    check_fresh_process(LAYERS)
