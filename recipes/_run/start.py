"""What comes before the first tensor of a run."""

from __future__ import annotations

from recipes._run.config import check_seed
from toolkit._backend import load_tensorflow


def prepare(seed: int) -> None:
    """Imports TensorFlow and seeds everything that draws numbers.

    Raises:
        ConfigError: no seed.
    """
    check_seed(seed)
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
