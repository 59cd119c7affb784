"""Right layers pass, arguments that cannot be used do not."""

import numpy as np
import pytest
from keras import layers, ops

from tests.testing.right_layer import CHECKS, RNG, Right, check
from toolkit.errors import ConfigError, LayerContractError
from toolkit.testing import check_layer


def test_right_layer_passes_every_check():
    options = {"arguments": {"start": 2.0}, "fresh_process": False}
    assert check_layer(Right, (4, 6, 3), **options) == tuple(CHECKS[:-1])


def test_flags_leave_checks_out():
    assert check(Right, (4, 3), "shapes config") == ("shapes", "config")
    assert check(Right, (4, 3), "masks") == ()  # no time axis


@pytest.mark.parametrize(
    "layer, inputs, arguments",
    [
        (
            layers.Embedding,
            RNG.integers(0, 9, (4, 6)),
            {"input_dim": 9, "output_dim": 3, "mask_zero": True},
        ),
        (
            layers.LSTM,
            (4, 5, 3),
            {"units": 2, "return_sequences": True, "return_state": True},
        ),
        (layers.TimeDistributed, (4, 5, 3), {"layer": layers.Dense(2)}),
        # Slow: two eager loops; of layers around a layer there is another.
        pytest.param(
            layers.Bidirectional,
            (4, 5, 3),
            {"layer": layers.GRU(2)},
            marks=pytest.mark.slow,
        ),
        (layers.Dropout, (4, 5, 3), {"rate": 0.5}),
        (layers.Add, [np.ones((4, 3)), np.ones((4, 3))], {}),
    ],
    ids=[
        "Embedding",
        "LSTM",
        "TimeDistributed",
        "Bidirectional",
        "Dropout",
        "Add",
    ],
)
def test_layers_of_keras_pass(layer, inputs, arguments):
    checks = (
        "shapes config saving inference masks fit mixed_precision gradients"
    )
    assert check(layer, inputs, checks, arguments=arguments)


def test_output_that_is_no_float_is_not_trained_on():
    class Where(layers.Layer):
        def call(self, x):
            return ops.argmax(x, axis=-1)

    checks = "shapes fit jit mixed_precision gradients"
    assert check(Where, (4, 3), checks) == ("shapes",)


def test_layer_that_says_so_is_not_compiled_with_xla():
    class Plain(Right):
        def __init__(self, **options):
            super().__init__(**options)
            self.supports_jit = False

    assert check(Plain, (4, 3), "jit") == ()


def test_seeds_of_the_user_stay():
    import random

    random.seed(3)
    expected = random.random()
    random.seed(3)
    check(Right, (4, 3), "config")
    assert random.random() == expected


# Arguments


def test_arguments_that_cannot_be_used_are_refused():
    with pytest.raises(ConfigError, match="give the class and its `arguments`"):
        check_layer(Right(), (4, 3))
    with pytest.raises(ConfigError, match="at least 2. Received.*1"):
        check_layer(Right, (1, 3))
    with pytest.raises(
        ConfigError, match=r"first axis is the batch: .4, 10.\."
    ):
        check_layer(Right, (10,))
    with pytest.raises(ConfigError, match=r"=\(\)\. The first axis is the bat"):
        check_layer(Right, ())
    with pytest.raises(ConfigError, match="batch sizes: .2, 3"):
        check_layer(layers.Add, [np.ones((2, 3)), np.ones((3, 3))])
    with pytest.raises(ConfigError, match="must make a keras.layers.Layer"):
        check_layer(dict, (4, 3))
    with pytest.raises(LayerContractError, match="cannot be made.*units"):
        check_layer(layers.Dense, (4, 3))
    with pytest.raises(LayerContractError, match="call: cannot be called"):
        check_layer(
            layers.Conv2D, (4, 3), arguments=dict(filters=1, kernel_size=2)
        )
