"""Layers that use the weights of another one, and find it again."""

from __future__ import annotations

import keras

from toolkit.errors import ConfigError


class Tied(keras.layers.Layer):
    """Layer with the attribute `tied_to`, another layer or None.

    Its config holds the other layer. A model that is saved with both is
    loaded with the tie; one that is made from a config has copies until
    `tie_again`.
    """

    def _tie(self, other: keras.layers.Layer) -> None:
        """Replaces the copy of a layer, as loading makes it."""
        self._tracker.unlock()
        self._tracker.untrack(self.tied_to)
        self.tied_to = other
        self._tracker.lock()

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "tied_to": self.tied_to
            and keras.saving.serialize_keras_object(self.tied_to),
        }

    @classmethod
    def from_config(cls, config):
        """Makes the layer, and the one it is tied to, from the arguments."""
        tied_to = config["tied_to"]
        if isinstance(tied_to, dict):
            tied_to = keras.saving.deserialize_keras_object(tied_to)
        return cls(**{**config, "tied_to": tied_to})


def tie_again(model: keras.Model) -> None:
    """Ties layers to the layers of a model, by name, instead of to copies.

    Args:
        model: changed.

    Raises:
        ConfigError: several layers could be the counterpart.
    """
    layers = list(model._flatten_layers())
    tied = [
        layer for layer in layers if isinstance(layer, Tied) and layer.tied_to
    ]
    copies = {id(layer.tied_to) for layer in tied}
    for layer in tied:
        copy = layer.tied_to
        found = [
            other
            for other in layers
            if type(other) is type(copy)
            and other.name == copy.name
            and id(other) not in copies
        ]
        if len(found) > 1:
            raise ConfigError(
                f'"{layer.name}" is tied to "{copy.name}", and '
                f'"{model.name}" has {len(found)} layers of that name. '
                "Give them different names."
            )
        if found:
            layer._tie(found[0])
