"""What a run keeps of the weights between pixels and hidden units."""

from __future__ import annotations

import numpy as np

from recipes._run.evaluation import write_arrays
from recipes._run.run import Run
from toolkit.data import ImageData

FILE = "hidden_units.npz"


def keep_hidden_units(
    run: Run, data: ImageData, before: list[np.ndarray]
) -> None:
    """Keeps the weights of a net of one hidden layer, as pictures.

    Writes hidden_units.npz: `before` and `after` `(height, width, channels,
    units)`, the weights from the pixels before and after training; `outputs`
    `(units + 1, outputs)`, those into the outputs, the biases last.

    Args:
        run: a run with its trained model.
        data: what it was trained on.
        before: weights of the layer `hidden_1` before training.
    """
    after = run.model.get_layer("hidden_1").get_weights()
    kernel, bias = run.model.layers[-1].get_weights()
    write_arrays(
        run,
        FILE,
        before=before[0].reshape(*data.image_shape, -1),
        after=after[0].reshape(*data.image_shape, -1),
        outputs=np.concatenate([kernel, bias[None]]),
    )
