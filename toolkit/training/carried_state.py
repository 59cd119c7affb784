"""State that recurrent layers carry from batch to batch, and its place."""

from __future__ import annotations

import base64
import io

import keras
import numpy as np

from toolkit.errors import ConfigError


class CarriedState(keras.callbacks.Callback):
    """Resets stateful recurrent layers where a sequence begins anew.

    That is at the start of every epoch, and of every validation. Keras does
    not save these states; in `toolkit.training.fit` this callback has them
    remembered in the checkpoints, so that a run goes on in mid-epoch with the
    state it had.
    """

    def __init__(self):
        super().__init__()
        self._within = False  # an epoch
        self._states: list[np.ndarray] | None = None

    def on_epoch_begin(self, epoch, logs=None):
        """Resets, or puts back what was remembered."""
        kept, self._states = self._states, None
        if kept is None:
            self._reset()
            return
        for variable, value in zip(self._variables(), kept, strict=True):
            variable.assign(value)

    def on_train_batch_end(self, batch, logs=None):
        """Notes that an epoch has begun."""
        self._within = True

    def on_test_begin(self, logs=None):
        """Resets: the validation text begins anew."""
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        """Notes that an epoch has ended."""
        self._within = False

    def state(self) -> str | None:
        """Returns what has to be remembered; None between two epochs."""
        if not self._within:
            return None
        buffer = io.BytesIO()
        np.savez(buffer, *(np.asarray(v) for v in self._variables()))
        return base64.b64encode(buffer.getvalue()).decode()

    def restore(self, state: str | None) -> None:
        """Takes back what `state` returned."""
        if state is None:
            return
        with np.load(io.BytesIO(base64.b64decode(state))) as archive:
            self._states = [archive[name] for name in archive.files]

    def _variables(self) -> list:
        return [
            variable
            for layer in _stateful(self.model)
            for variable in keras.tree.flatten(layer.states)
        ]

    def _reset(self) -> None:
        reset_carried_state(self.model)


def reset_carried_state(model: keras.Model) -> None:
    """Lets the stateful layers of a model begin anew."""
    for layer in _stateful(model):
        layer.reset_state()


def _stateful(model: keras.Model) -> list[keras.layers.RNN]:
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.RNN) and layer.stateful
    ]


def with_carried_state(model: keras.Model, streams: int) -> keras.Model:
    """Returns a twin of a model whose recurrent layers keep their state.

    From call to call each row of a batch goes on with the state it had; the
    weights are copies, in the same order.

    Args:
        model: a Functional or Sequential model.
        streams: rows of a batch, at least 1.

    Raises:
        ConfigError: a number below 1, or a layer that reads backwards.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import language_model
    >>> from toolkit.training import with_carried_state
    >>> model = language_model(9, units=4)
    >>> twin = with_carried_state(model, 1)
    >>> tokens = np.array([[1, 2, 3]])
    >>> parts = [twin(tokens[:, :2]), twin(tokens[:, 2:])]
    >>> bool(np.allclose(np.concatenate(parts, 1), model(tokens), atol=1e-6))
    True
    """
    if streams < 1:
        raise ConfigError(
            f"`streams` must be at least 1. Received: streams={streams}."
        )
    for layer in model._flatten_layers():
        backwards = isinstance(layer, keras.layers.Bidirectional) or getattr(
            layer, "go_backwards", False
        )
        if backwards:
            raise ConfigError(
                f'The layer "{layer.name}" reads from the end of a sequence, '
                "so it cannot carry its state to the next."
            )

    def carry(config):
        """Changes inputs and recurrent layers, wherever they stand."""
        if isinstance(config, dict):
            config = {
                key: carry(value)
                for key, value in config.items()
                if key != "build_config"  # holds the open batch
            }
            if "stateful" in config:
                config["stateful"] = True
            if "batch_shape" in config:
                config["batch_shape"] = (streams, *config["batch_shape"][1:])
            return config
        if isinstance(config, list | tuple):
            return type(config)(map(carry, config))
        return config

    classes = {type(x).__name__: type(x) for x in model._flatten_layers()}
    twin = type(model).from_config(
        carry(model.get_config()), custom_objects=classes
    )
    twin.set_weights(model.get_weights())
    return twin
