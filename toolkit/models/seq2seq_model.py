"""The Keras model behind `seq2seq`."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.errors import ConfigError, unknown
from toolkit.layers import FullSoftmax, GlobalAttention
from toolkit.layers.global_attention import SCORES
from toolkit.models.recurrent import CELLS
from toolkit.models.seq2seq_layers import TargetMask
from toolkit.models.sizes import check_sizes

# By cell: the states, and what a bidirectional encoder's are passed through.
STATES = {
    "elman": {"hidden": "tanh"},
    "gru": {"hidden": "tanh"},
    "lstm": {"hidden": "tanh", "cell": "linear"},
    "peephole_lstm": {"hidden": "tanh", "cell": "linear"},
}
NEXT = "_next"  # of a decoder's states when they come out


@keras.saving.register_keras_serializable("toolkit")
class Seq2Seq(keras.Model):
    """What `seq2seq` builds; see there.

    It is made anew from its arguments when it is loaded, so that the layers
    of a tied one are tied again.

    Args:
        source_vocabulary: as for `seq2seq`.
        target_vocabulary: as for `seq2seq`.
        cell: as for `seq2seq`.
        units: as for `seq2seq`.
        layers: as for `seq2seq`.
        embedding: as for `seq2seq`.
        bidirectional: as for `seq2seq`.
        attention: as for `seq2seq`.
        dropout: as for `seq2seq`.
        tied: as for `seq2seq`.
        name: as for `seq2seq`.

    Attributes:
        axis_names: names of the open axes by input or output, where `batch`
            and `time` would not tell two of them apart; for `export`.
    """

    axis_names = {
        "source": ("batch", "source_time"),
        "memory": ("batch", "source_time"),
        "attention": ("batch", "time", "source_time"),
    }

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        cell: str = "gru",
        units: int = 256,
        layers: int = 1,
        embedding: int = 128,
        *,
        bidirectional: bool = True,
        attention: str | None = "dot",
        dropout: float = 0.0,
        tied: bool = False,
        name: str = "seq2seq",
    ):
        arguments = {
            "source_vocabulary": source_vocabulary,
            "target_vocabulary": target_vocabulary,
            "units": units,
            "layers": layers,
            "embedding": embedding,
        }
        arguments = dict(
            zip(arguments, check_sizes(numbers=arguments), strict=True)
        )
        arguments |= {
            "cell": cell,
            "bidirectional": bidirectional,
            "attention": attention,
            "dropout": dropout,
            "tied": tied,
        }
        _check(**arguments)
        encoder, decoder = _encoder(**arguments), _decoder(**arguments)
        inputs = {
            key: keras.Input((None,), dtype="int32", name=key)
            for key in ("source", "target")
        }
        found = {**inputs, **encoder(inputs["source"])}
        found = decoder({key: found[key] for key in decoder.input})
        logits = TargetMask(name="logits", dtype="float32")(
            [found["logits"], inputs["target"]]
        )
        super().__init__(inputs, logits, name=name)
        self._arguments = arguments

    @property
    def encoder(self) -> keras.Model:
        """The inner model that reads."""
        return self.get_layer("encoder")

    @property
    def decoder(self) -> keras.Model:
        """The inner model that writes."""
        return self.get_layer("decoder")

    @property
    def states(self) -> list[str]:
        """Names of the decoder's states, first layer first."""
        return _state_names(**self._arguments)

    @property
    def vocabulary(self) -> int:
        """How many tokens the decoder writes."""
        return self._arguments["target_vocabulary"]

    def attention_weights(self, source, target):
        """Returns where the decoder looked while it wrote.

        Args:
            source: int `(batch, source_time)`, as in training.
            target: int `(batch, time)`, as in training.

        Returns:
            float `(batch, time, source_time)`; of each step of the target,
            whose logits are for the token after it, the weights of the steps
            of the source.

        Raises:
            ConfigError: the model has no attention.
        """
        if self._arguments["attention"] is None:
            raise ConfigError(
                f'The model "{self.name}" has no attention. Build it with '
                'attention="dot" or "additive".'
            )
        given = {
            "source": ops.convert_to_tensor(source, "int32"),
            "target": ops.convert_to_tensor(target, "int32"),
        }
        given |= self.encoder(given["source"], training=False)
        return self.decoder(given, training=False)["attention"]

    def get_config(self):
        """Returns the arguments."""
        return {**self._arguments, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the model from the arguments."""
        return cls(**config)


def _check(*, cell, attention, dropout, bidirectional, tied, **sizes) -> None:
    if cell not in CELLS:
        raise ConfigError(unknown("cell", cell, CELLS))
    if attention is not None and attention not in SCORES:
        raise ConfigError(unknown("attention", attention, SCORES))
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(
            f"`dropout` must be in [0, 1). Received: dropout={dropout}."
        )
    for name, value in (("bidirectional", bidirectional), ("tied", tied)):
        if not isinstance(value, bool):
            raise ConfigError(
                f"`{name}` must be True or False. Received: {name}={value!r} "
                f"(of type {type(value).__name__})."
            )


def _state_names(*, cell, layers, **_) -> list[str]:
    return [
        f"{kind}_{number}"
        for number in range(1, layers + 1)
        for kind in STATES[cell]
    ]


def _encoder(
    *,
    source_vocabulary,
    cell,
    units,
    layers,
    embedding,
    bidirectional,
    attention,
    dropout,
    **_,
) -> keras.Model:
    source = keras.Input((None,), dtype="int32", name="source")
    x = keras.layers.Embedding(
        source_vocabulary, embedding, mask_zero=True, name="source_embedding"
    )(source)
    outputs = {}
    for number in range(1, layers + 1):
        name = f"encoder_{number}"
        layer = CELLS[cell](
            units,
            return_sequences=number < layers or attention is not None,
            return_state=True,
            dropout=dropout,
            name=name,
        )
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=name)
        x, *states = layer(x)
        for index, (kind, activation) in enumerate(STATES[cell].items()):
            state, key = states[index], f"{kind}_{number}"
            if bidirectional:
                both = [state, states[index + len(STATES[cell])]]
                state = keras.layers.Concatenate(name=f"both_{key}")(both)
                state = keras.layers.Dense(
                    units, activation=activation, name=f"first_{key}"
                )(state)
            outputs[key] = state
    if attention is not None:
        if bidirectional or attention == "additive":
            x = keras.layers.Dense(units, use_bias=False, name="memory")(x)
        outputs["memory"] = ops.copy(x)  # without a mask: the source tells
    return keras.Model(source, outputs, name="encoder")


def _decoder(
    *,
    target_vocabulary,
    cell,
    units,
    layers,
    embedding,
    attention,
    dropout,
    tied,
    **_,
) -> keras.Model:
    inputs = {"target": keras.Input((None,), dtype="int32", name="target")}
    for key in _state_names(cell=cell, layers=layers):
        inputs[key] = keras.Input((units,), name=key)
    table = keras.layers.Embedding(
        target_vocabulary, embedding, name="target_embedding"
    )
    x, outputs = table(inputs["target"]), {}
    for number in range(1, layers + 1):
        keys = [f"{kind}_{number}" for kind in STATES[cell]]
        x, *states = CELLS[cell](
            units,
            return_sequences=True,
            return_state=True,
            dropout=dropout,
            name=f"decoder_{number}",
        )(x, initial_state=[inputs[key] for key in keys])
        for key, state in zip(keys, states, strict=True):
            outputs[key + NEXT] = state
    width = embedding if tied else units
    if attention is not None:
        inputs["memory"] = keras.Input((None, units), name="memory")
        inputs["source"] = keras.Input((None,), dtype="int32", name="source")
        context, outputs["attention"] = GlobalAttention(
            attention, name="attention"
        )([x, inputs["memory"], inputs["source"]])
        x = keras.layers.Concatenate(name="context_and_state")([context, x])
        x = keras.layers.Dense(
            width, activation="tanh", use_bias=False, name="attentional"
        )(x)
    elif tied:
        x = keras.layers.Dense(width, use_bias=False, name="narrowed")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    options = {"dtype": "float32", "name": "logits"}
    layer = (
        FullSoftmax(target_vocabulary, use_bias=True, tied_to=table, **options)
        if tied
        else keras.layers.Dense(target_vocabulary, **options)
    )
    outputs["logits"] = layer(x)
    return keras.Model(inputs, outputs, name="decoder")
