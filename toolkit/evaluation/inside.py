"""What a convolutional net makes of an image, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.errors import ConfigError, unknown


@dataclass(frozen=True)
class Stage:
    """One layer's answer to an image.

    Attributes:
        name: the layer, or the stage it ends.
        maps: `(height, width, maps)`; a dense layer's units are `(1, 1,
            units)`.
        parameters: numbers that the stage has, trained or fixed.
    """

    name: str
    maps: np.ndarray
    parameters: int


def feature_maps(
    model, image: np.ndarray, stages: Sequence[str]
) -> list[Stage]:
    """Returns what each stage of a net makes of one image.

    A stage is a layer and those that follow under the same name, such as
    `c1`, `c1_active`: what the next stage sees.

    Args:
        model: a built Functional model.
        image: one input, `(height, width, channels)`.
        stages: names of layers.

    Raises:
        ConfigError: a stage without a layer.

    Example:
    >>> import numpy as np
    >>> from toolkit.evaluation import feature_maps
    >>> from toolkit.models import lenet5
    >>> image = np.zeros((32, 32, 1))
    >>> for stage in feature_maps(lenet5(), image, ["c1", "s2"]):
    ...     print(stage.name, stage.maps.shape, stage.parameters)
    c1 (28, 28, 6) 156
    s2 (14, 14, 6) 0
    """
    import keras

    groups = []
    for name in stages:
        group = [
            layer
            for layer in model.layers
            if (layer.name == name or layer.name.startswith(f"{name}_"))
            and not isinstance(layer, keras.layers.Dropout)
        ]
        if not group:
            names = [layer.name for layer in model.layers]
            raise ConfigError(unknown("layer", name, names))
        groups.append(group)
    part = keras.Model(model.input, [group[-1].output for group in groups])
    outputs = part(np.asarray(image, np.float32)[None], training=False)
    return [
        Stage(
            name,
            _as_maps(np.asarray(output)[0]),
            sum(layer.count_params() for layer in group),
        )
        for name, group, output in zip(stages, groups, outputs, strict=True)
    ]


def convolution_kernels(model) -> dict[str, np.ndarray]:
    """Returns the kernels of every convolution of a model, by layer.

    Args:
        model: a built Keras model.

    Returns:
        `(height, width, maps in, maps out)` by the layer's name; 0 where
        maps are not connected.
    """
    import keras

    from toolkit.layers import ConnectedConv2D

    found = {}
    for layer in model.layers:
        if isinstance(layer, ConnectedConv2D):
            found[layer.name] = np.asarray(layer.dense_kernel())
        elif isinstance(layer, keras.layers.Conv2D):
            found[layer.name] = np.asarray(layer.kernel)
    return found


def _as_maps(output: np.ndarray) -> np.ndarray:
    return output if output.ndim == 3 else output.reshape(1, 1, -1)
