"""State that recurrent layers carry from batch to batch, and its place."""

from __future__ import annotations

import base64
import io

import keras
import numpy as np
from keras.src.saving.serialization_lib import ObjectSharingScope

from toolkit.errors import ConfigError
from toolkit.whole_numbers import check_whole

STEPS, FIRST = 5, 2  # of the random sequence, and of its first window
ROUNDING = 2e-2  # as a share of the largest output; bfloat16 has less


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
    weights are copies, in the same order. Whether two windows give what the
    whole sequence gives is tried out on random inputs without padding, except
    for a model that is built for sequences of one length.

    Args:
        model: a Functional or Sequential model.
        streams: rows of a batch, at least 1.

    Raises:
        ConfigError: `streams` is no number of at least 1; a model of another
            kind; a layer that reads backwards, that cannot keep its state, or
            that begins with a given one; windows give something else than
            the whole, as of a convolution over time.

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
    check_whole("streams", streams, 1)
    if not isinstance(model, keras.Sequential | keras.Function):
        raise ConfigError(
            f'The model "{model.name}" is a {type(model).__name__}, which '
            "cannot be built again with layers that carry their state. Build "
            "it as a Functional model, keras.Model(inputs, outputs), or as a "
            "Sequential one."
        )
    if not model.built:
        raise ConfigError(
            f'The model "{model.name}" has no weights yet. Let it begin with '
            "keras.Input((None, ...))."
        )
    for layer in model._flatten_layers():
        if reads_backwards(layer):
            raise ConfigError(
                f'The layer "{layer.name}" reads from the end of a sequence, '
                "so it cannot carry its state to the next. Use a layer that "
                "reads forwards."
            )
    twin = _twin(model, int(streams))
    _check_layers(twin)
    _check_windows(model, twin)
    return twin


def reads_backwards(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer begins at the end of a sequence."""
    return isinstance(layer, keras.layers.Bidirectional) or getattr(
        layer, "go_backwards", False
    )


def _twin(model: keras.Model, streams: int) -> keras.Model:
    """Returns a copy with so many rows, its recurrent layers stateful."""

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
    with ObjectSharingScope():  # keeps layers tied
        config = carry(model.get_config())
    with ObjectSharingScope():
        twin = type(model).from_config(config, custom_objects=classes)
    twin.set_weights(model.get_weights())
    return twin


def _check_layers(twin: keras.Model) -> None:
    """Raises for recurrent layers that do not go on where they were."""
    for layer in twin._flatten_layers():
        if not isinstance(layer, keras.layers.RNN):
            continue
        if not layer.stateful:
            raise ConfigError(
                f'The recurrent layer "{layer.path}" is built by the class '
                "around it, which does not hand `stateful` on, so it cannot "
                "carry its state. Put the recurrent layer into the model "
                "itself."
            )
        for node in layer._inbound_nodes:
            more = list(node.arguments.args[1:2])
            more.append(node.arguments.kwargs.get("initial_state"))
            if any(x is not None for x in keras.tree.flatten(more)):
                raise ConfigError(
                    f'The layer "{layer.name}" begins every call with a given '
                    "`initial_state`, so it cannot carry its own. Leave it "
                    "out."
                )


def _check_windows(model: keras.Model, twin: keras.Model) -> None:
    """Raises if windows give something else than the whole sequence."""
    inputs = _random_inputs(twin)
    if not inputs:
        return
    # A model for so many rows may be stateful, and its state is not ours.
    free = all(tensor.shape[0] is None for tensor in model.inputs)
    try:
        whole = _call(model if free else twin, inputs, slice(STEPS))
        reset_carried_state(twin)
        parts = [
            _call(twin, inputs, window)
            for window in (slice(FIRST), slice(FIRST, STEPS))
        ]
    except Exception as error:  # whatever a layer may raise
        raise _mixed(model) from error
    finally:
        reset_carried_state(twin)
    for expected, first, last in zip(whole, *parts, strict=True):
        lengths = [x.shape[1:2] for x in (expected, first, last)]
        if lengths == [(STEPS,), (FIRST,), (STEPS - FIRST,)]:
            last = np.concatenate([first, last], axis=1)
        finite = np.abs(expected[np.isfinite(expected)])
        if last.shape != expected.shape or not np.allclose(
            last,
            expected,
            rtol=0,
            atol=ROUNDING * finite.max(initial=0),
            equal_nan=True,
        ):
            raise _mixed(model)


def _random_inputs(model: keras.Model) -> list[tuple[np.ndarray, bool]]:
    """Returns inputs of STEPS steps, and whether they have steps at all.

    None at all where the length is not open, or something else is.
    """
    rng = np.random.default_rng(0)
    tables = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Embedding)
    ]
    most = min((table.input_dim for table in tables), default=2)
    padded = any(table.mask_zero for table in tables) and most > 1
    found = []
    for tensor in model.inputs:
        rows, *shape = tensor.shape
        steps = shape[:1] == [None]
        if steps:
            shape[0] = STEPS
        settled = None not in shape and (steps or len(shape) < 2)
        if not settled or tensor.dtype == "string":
            return []
        if "int" in tensor.dtype or (tables and steps and len(shape) == 1):
            values = rng.integers(int(padded), most, (rows, *shape))
        else:
            values = rng.normal(size=(rows, *shape))
        found.append((values.astype(tensor.dtype), steps))
    return found if any(steps for _, steps in found) else []


def _call(
    model: keras.Model, inputs: list[tuple[np.ndarray, bool]], window: slice
) -> list[np.ndarray]:
    """Returns a model's outputs for some of the steps."""
    flat = [x[:, window] if steps else x for x, steps in inputs]
    given = (
        flat[0]
        if isinstance(model, keras.Sequential)
        else keras.tree.pack_sequence_as(model.input, flat)
    )
    outputs = keras.tree.flatten(model(given, training=False))
    return [keras.ops.convert_to_numpy(x).astype(np.float64) for x in outputs]


def _mixed(model: keras.Model) -> ConfigError:
    return ConfigError(
        f'The model "{model.name}" gives something else window by window than '
        "over the whole sequence: a layer other than the recurrent ones mixes "
        "steps (a convolution, attention or pooling over time), or one hides "
        "or shares a recurrent layer. Leave that layer out, or train on whole "
        "sequences without carried state."
    )
