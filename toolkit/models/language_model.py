"""The recurrent language model, of characters or words."""

from __future__ import annotations

import keras

from toolkit.errors import ConfigError, unknown
from toolkit.layers import FullSoftmax, HierarchicalSoftmax, SampledSoftmax
from toolkit.models.frequencies import start_at_frequencies
from toolkit.models.recurrent import recurrent_stack
from toolkit.models.sizes import check_sizes

OBJECTIVES = ("softmax", "sampled_softmax", "hierarchical_softmax")


def language_model(
    vocabulary: int,
    cell: str = "lstm",
    units: int = 256,
    layers: int = 1,
    embedding: int = 64,
    dropout: float = 0.0,
    name: str = "language_model",
    *,
    tied: bool = False,
    objective: str = "softmax",
    counts=None,
    sampled: int = 1024,
    seed: int | None = None,
) -> keras.Model:
    """Builds a recurrent net that says which token comes next.

    ```
    e(t) = E[token(t)];  h(t) = recurrent layers(e(t), h(t-1))
    logits(t) = V h(t) + c;  P(token(t+1) | tokens up to t) = softmax(logits)
    ```

    With a large vocabulary most of the work would be the softmax. The other
    objectives make it cheap: `next_token_losses` is then the model to train.

    Args:
        vocabulary: how many tokens there are.
        cell: `elman`, `gru`, `lstm` or `peephole_lstm`.
        units: width of each recurrent layer.
        layers: how many recurrent layers.
        embedding: width of the token vectors E.
        dropout: share of the inputs of each recurrent layer and of the output
            layer dropped in training, in [0, 1), drawn anew at each step.
        name: the model's name.
        tied: whether V is E. Where `units` is another number than
            `embedding`, a dense layer without a bias stands between.
        objective: how the model is going to be trained: `softmax`;
            `sampled_softmax`, with a sample for all tokens; or
            `hierarchical_softmax`, whose logits are log probabilities.
        counts: `(vocabulary,)`, how often each token comes in the text. The
            bias c begins with the logarithms of the shares, so training
            begins with the frequencies known; the last two objectives sample
            or make their tree from them.
        sampled: tokens in a sample; of the sampled softmax.
        seed: of the samples; by default another one every time.

    Returns:
        A built Functional model from `tokens`, int32 `(batch, time)`, to
        `logits`, float32 `(batch, time, vocabulary)`. It begins each sequence
        anew; `training.with_carried_state` gives its twin that goes on.

    Raises:
        ConfigError: an argument outside its range, or some that exclude each
            other.

    Example:
    >>> from toolkit.models import language_model
    >>> model = language_model(100, "gru", units=32, embedding=8)
    >>> model.output_shape, model.count_params()
    ((None, None, 100), 8132)

    Source: T. Mikolov et al.: Recurrent neural network based language model
    (2010); dropout between the layers as in W. Zaremba, I. Sutskever,
    O. Vinyals: Recurrent neural network regularization (2014); tied as in
    O. Press, L. Wolf: Using the output embedding to improve language models
    (2017).
    """
    if objective not in OBJECTIVES:
        raise ConfigError(unknown("objective", objective, OBJECTIVES))
    if tied and objective == "hierarchical_softmax":
        raise ConfigError(
            "`tied` needs a vector for every token, and the hierarchical "
            "softmax has one for every node of its tree. Take "
            'objective="sampled_softmax", or leave `tied` out.'
        )
    vocabulary, embedding = check_sizes(
        numbers={"vocabulary": vocabulary, "embedding": embedding}
    )
    inputs = keras.Input((None,), dtype="int32", name="tokens")
    table = keras.layers.Embedding(vocabulary, embedding, name="embedding")
    x = recurrent_stack(
        table(inputs),
        cell,
        units,
        layers,
        dropout=dropout,
        dropout_each_step=True,
    )
    if tied and units != embedding:
        x = keras.layers.Dense(embedding, use_bias=False, name="projection")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    options = {"dtype": "float32", "name": "logits"}
    if objective == "hierarchical_softmax":
        output = HierarchicalSoftmax(vocabulary, counts, **options)
    elif tied or objective == "sampled_softmax":
        options |= {"use_bias": True, "tied_to": table if tied else None}
        if objective == "softmax":
            output = FullSoftmax(vocabulary, **options)
        else:
            options |= {"counts": counts, "seed": seed}
            output = SampledSoftmax(
                vocabulary,
                sampled,
                kernel_initializer="glorot_uniform",
                **options,
            )
    else:
        output = keras.layers.Dense(vocabulary, **options)
    model = keras.Model(inputs, output(x), name=name)
    if counts is not None and objective != "hierarchical_softmax":
        start_at_frequencies(output, counts)
    return model


def next_token_losses(model: keras.Model) -> keras.Model:
    """Returns the model that a language model is trained as.

    Args:
        model: from `language_model`, with any objective but a softmax of its
            own weights; that one is trained as it is, with
            `SparseCategoricalCrossentropy(from_logits=True)`.

    Returns:
        A Functional model from `tokens` and `targets`, int32 `(batch, time)`
        each, to the loss of each target, float32 `(batch, time)`, in nats;
        of the same layers. It is compiled without a loss.

    Raises:
        ConfigError: a model with another output layer.

    Example:
    >>> import numpy as np
    >>> from toolkit.models import language_model, next_token_losses
    >>> model = language_model(50, "gru", 8, embedding=8, tied=True,
    ...                        objective="sampled_softmax", sampled=10)
    >>> training = next_token_losses(model)
    >>> training.compile("adam")
    >>> text = np.arange(404).reshape(4, 101) % 50
    >>> pairs = [text[:, :-1], text[:, 1:]]
    >>> f"{training.evaluate(pairs, verbose=0):.1f}"  # log 50
    '3.9'

    Source: the loss is that of Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin:
    A neural probabilistic language model (2003), section 1.1.
    """
    output = model.layers[-1]
    if not has_losses(model):
        raise ConfigError(
            f'The model "{model.name}" ends with {type(output).__name__}, '
            "which makes no losses. Build it with `tied` or with another "
            "`objective`, or train it with "
            "SparseCategoricalCrossentropy(from_logits=True)."
        )
    targets = keras.Input((None,), dtype="int32", name="targets")
    vectors = output._inbound_nodes[0].input_tensors[0]
    losses = output([vectors, targets])
    return keras.Model([model.input, targets], losses, name=model.name)


def has_losses(model: keras.Model) -> bool:
    """Returns whether `next_token_losses` takes a model."""
    return isinstance(model.layers[-1], FullSoftmax | HierarchicalSoftmax)
