"""Output layers that begin with the frequencies of their tokens."""

from __future__ import annotations

import keras
import numpy as np

from toolkit.layers.huffman_tree import check_counts


def start_at_frequencies(output: keras.layers.Layer, counts) -> None:
    """Sets the bias of an output layer to the logarithms of the shares.

    Training would spend its first steps on them; with Adam and a large
    vocabulary it drives a tanh before the output into saturation meanwhile,
    where no gradient is left.

    Args:
        output: a layer with a `bias` of all tokens.
        counts: how often each token comes; 0 counts as 1.

    Raises:
        ConfigError: counts of other tokens.
    """
    (tokens,) = output.bias.shape
    counts = np.maximum(check_counts(counts, tokens), 1)
    output.bias.assign(np.log(counts / counts.sum()))
