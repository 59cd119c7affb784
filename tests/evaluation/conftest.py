"""What every check of gradients leaves as it was."""

import keras
import pytest


@pytest.fixture
def settings_stay():
    keras.utils.set_random_seed(0)
    yield
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"
