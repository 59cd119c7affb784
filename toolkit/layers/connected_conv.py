"""A convolution whose maps see some of the input maps only."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from toolkit.errors import ConfigError

# Table I of the paper: C3's map in the column, S2's map in the row.
LENET5_C3 = (
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
)


@keras.saving.register_keras_serializable("toolkit")
class ConnectedConv2D(keras.layers.Layer):
    """Convolution in which a table says which maps are connected.

    ```
    y[c] = bias[c] + sum over the input maps k with connections[k, c] of
           x[k] correlated with kernel[k, c]
    ```

    Weights exist for the connected pairs only. They are laid into a dense
    kernel when the layer is called, so it runs as a plain convolution, in
    exported files too.

    Args:
        connections: `(input maps, output maps)`: an array of truth values, or
            a string per input map with `X` for each connection.
        kernel_size: height and width of a kernel, or one number for both.
        use_bias: whether each output map has a bias.
        kernel_initializer: by default uniform within 2.4 / (inputs of the
            unit), as in the paper.
        bias_initializer: by default zeros.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: float `(batch, height, width, input maps)`.

    Returns:
        Float `(batch, height - kernel height + 1, width - kernel width + 1,
        output maps)`.

    Raises:
        ConfigError: a table that is none or leaves an output map without
            input, or inputs with another number of maps.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import LENET5_C3, ConnectedConv2D
    >>> layer = ConnectedConv2D(LENET5_C3, 5)
    >>> layer(np.ones((1, 14, 14, 6), "float32")).shape, layer.count_params()
    (TensorShape([1, 10, 10, 16]), 1516)

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition (1998), section II.B, layer C3 and table I.
    """

    def __init__(
        self,
        connections,
        kernel_size: int | tuple[int, int],
        use_bias: bool = True,
        kernel_initializer=None,
        bias_initializer="zeros",
        **options,
    ):
        super().__init__(**options)
        self.connections = _table(connections)
        size = (
            (kernel_size, kernel_size)
            if isinstance(kernel_size, int)
            else tuple(kernel_size)
        )
        if len(size) != 2 or min(size) < 1:
            raise ConfigError(
                "`kernel_size` must be one or two integers of at least 1. "
                f"Received: kernel_size={kernel_size}."
            )
        self.kernel_size = size
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        # Where a pair's kernel lies; the last place holds zeros.
        pairs = int(self.connections.sum())
        places = np.full(self.connections.shape, pairs, np.int32)
        places[self.connections] = np.arange(pairs)
        self._places = places.reshape(-1)

    def build(self, input_shape):
        """Makes a kernel per connected pair."""
        maps, filters = self.connections.shape
        if len(input_shape) != 4 or input_shape[-1] != maps:
            raise ConfigError(
                f"`connections` is a table for {maps} input maps, so the "
                f"inputs must be (batch, height, width, {maps}). Received: "
                f"{tuple(input_shape)}."
            )
        pairs = int(self.connections.sum())
        fan_in = self.connections.sum(axis=0) * np.prod(self.kernel_size)
        limit = 2.4 / float(fan_in.mean())
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, pairs),
            initializer=self.kernel_initializer
            or keras.initializers.RandomUniform(-limit, limit),
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(filters,),
                initializer=self.bias_initializer,
            )

    def dense_kernel(self):
        """Returns the kernel with zeros where maps are not connected.

        Returns:
            `(kernel height, kernel width, input maps, output maps)`.
        """
        padded = ops.pad(self.kernel, [[0, 0], [0, 0], [0, 1]])
        dense = ops.take(padded, self._places, axis=2)
        return ops.reshape(dense, (*self.kernel_size, *self.connections.shape))

    def call(self, inputs):
        """Returns the convolved maps."""
        kernel = ops.cast(self.dense_kernel(), inputs.dtype)
        outputs = ops.conv(inputs, kernel, strides=1, padding="valid")
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, outputs.dtype)
        return outputs

    def compute_output_shape(self, input_shape):
        """Returns the shape of a convolution without padding."""
        batch, *sizes, _ = input_shape
        sizes = [
            None if n is None else n - k + 1
            for n, k in zip(sizes, self.kernel_size, strict=True)
        ]
        return (batch, *sizes, self.connections.shape[1])

    def get_config(self):
        """Returns the arguments."""
        serialize = keras.initializers.serialize
        given = self.kernel_initializer
        return {
            **super().get_config(),
            "connections": [
                "".join("X" if cell else "." for cell in row)
                for row in self.connections
            ],
            "kernel_size": list(self.kernel_size),
            "use_bias": self.use_bias,
            "kernel_initializer": given and serialize(given),
            "bias_initializer": serialize(self.bias_initializer),
        }


def _table(connections) -> np.ndarray:
    """Returns a table of truth values; raises for what is none."""
    rows = [
        [cell == "X" for cell in row] if isinstance(row, str) else list(row)
        for row in connections
    ]
    if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise ConfigError(
            "`connections` must have a row per input map, all of one length. "
            f"Received rows of lengths {[len(row) for row in rows]}."
        )
    table = np.array(rows, bool)
    lonely = np.flatnonzero(~table.any(axis=0))
    if len(lonely):
        raise ConfigError(
            f"`connections` leaves output map {lonely[0]} without any input "
            "map. Connect it or leave it out."
        )
    return table
