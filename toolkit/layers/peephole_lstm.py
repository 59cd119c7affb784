"""The LSTM whose gates see the cell: peephole connections."""

from __future__ import annotations

from numbers import Real

import keras
import tensorflow as tf
from keras import ops

from toolkit.errors import ConfigError
from toolkit.layers.peephole_sequence import peephole_lstm_sequence
from toolkit.whole_numbers import check_whole

GATES = ("input", "forget", "output")  # rows of the peephole kernel


def peephole_lstm_step(projected, cell, peephole_kernel, activations):
    """Makes one step of a peephole LSTM.

    ```
    i  = recurrent_activation(z_i + p_i * c)      z = x W + h R + b
    f  = recurrent_activation(z_f + p_f * c)
    c' = f * c + i * activation(z_c)
    o  = recurrent_activation(z_o + p_o * c')
    h' = o * activation(c')
    ```

    Args:
        projected: z, `(batch, 4 * units)`, in the order i, f, c, o.
        cell: c, `(batch, units)`.
        peephole_kernel: p, `(3, units)`, rows i, f, o.
        activations: `activation` and `recurrent_activation`.

    Returns:
        The new h and c.
    """
    activation, recurrent_activation = activations
    z_i, z_f, z_c, z_o = ops.split(projected, 4, axis=1)
    p_i, p_f, p_o = (peephole_kernel[row] for row in range(3))
    i = recurrent_activation(z_i + p_i * cell)
    f = recurrent_activation(z_f + p_f * cell)
    new_cell = f * cell + i * activation(z_c)
    o = recurrent_activation(z_o + p_o * new_cell)
    return o * activation(new_cell), new_cell


@keras.saving.register_keras_serializable("toolkit")
class PeepholeLSTMCell(keras.layers.LSTMCell):
    """A step of an LSTM with peephole connections.

    ```
    i(t) = sigmoid(W_i x(t) + R_i h(t-1) + p_i * c(t-1) + b_i)
    f(t) = sigmoid(W_f x(t) + R_f h(t-1) + p_f * c(t-1) + b_f)
    c(t) = f(t) * c(t-1) + i(t) * tanh(W_c x(t) + R_c h(t-1) + b_c)
    o(t) = sigmoid(W_o x(t) + R_o h(t-1) + p_o * c(t) + b_o)
    h(t) = o(t) * tanh(c(t))
    ```

    The input and forget gates see the cell before the step, the output gate
    sees it after. With peepholes of 0 it is `keras.layers.LSTMCell`.

    Args:
        units: width of h and c, at least 1.
        activation: of the cell's input and output.
        recurrent_activation: of the gates.
        use_bias: whether there are biases.
        kernel_initializer: of W `(features, 4 * units)`, gates i, f, c, o.
        recurrent_initializer: of R `(units, 4 * units)`.
        peephole_initializer: of p `(3, units)`, rows i, f, o.
        bias_initializer: of b `(4 * units,)`.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        kernel_regularizer: of W.
        recurrent_regularizer: of R.
        peephole_regularizer: of p.
        bias_regularizer: of b.
        kernel_constraint: of W.
        recurrent_constraint: of R.
        peephole_constraint: of p.
        bias_constraint: of b.
        dropout: share of the inputs dropped in training, in [0, 1); one draw
            for all steps of a sequence.
        recurrent_dropout: share of h(t-1) dropped in training, in [0, 1); one
            draw for all steps of a sequence and all gates.
        seed: of the dropout.

    Call arguments:
        inputs: x of one step, `(batch, features)`.
        states: h and c, `(batch, units)` each.
        training: whether dropout acts.

    Returns:
        h, and the new states `[h, c]`.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import PeepholeLSTMCell
    >>> cell = PeepholeLSTMCell(4)
    >>> h, (_, c) = cell(np.ones((2, 3)), cell.get_initial_state(2))
    >>> h.shape, c.shape
    (TensorShape([2, 4]), TensorShape([2, 4]))

    Source: F. Gers, N. Schraudolph, J. Schmidhuber: Learning precise timing
    with LSTM recurrent networks, Journal of Machine Learning Research 3
    (2002), equations 1 to 5 with peepholes (section 3).
    """

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias: bool = True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        peephole_initializer="random_uniform",
        bias_initializer="zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        peephole_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        peephole_constraint=None,
        bias_constraint=None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options,
    ):
        units = check_whole("units", units, 1)
        for name, value in (
            ("dropout", dropout),
            ("recurrent_dropout", recurrent_dropout),
        ):
            if not (isinstance(value, Real) and 0.0 <= value < 1.0):
                raise ConfigError(
                    f"`{name}` must be a number in [0, 1). Received: "
                    f"{name}={value!r}."
                )
        super().__init__(
            int(units),
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            seed=seed,
            **options,
        )
        # Keras' cell would draw a mask for each gate.
        self.recurrent_dropout = recurrent_dropout
        self.peephole_initializer = keras.initializers.get(peephole_initializer)
        self.peephole_regularizer = keras.regularizers.get(peephole_regularizer)
        self.peephole_constraint = keras.constraints.get(peephole_constraint)

    def build(self, input_shape):
        """Makes the weights."""
        super().build(input_shape)
        self.peephole_kernel = self.add_weight(
            shape=(len(GATES), self.units),
            name="peephole_kernel",
            initializer=self.peephole_initializer,
            regularizer=self.peephole_regularizer,
            constraint=self.peephole_constraint,
        )

    def call(self, inputs, states, training=False):
        """Makes one step."""
        hidden, cell = states
        seen = hidden
        if training and self.dropout:
            inputs = inputs * self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout:
            seen = hidden * self.get_recurrent_dropout_mask(hidden)
        z = ops.matmul(inputs, self.kernel)
        z = z + ops.matmul(seen, self.recurrent_kernel)
        if self.use_bias:
            z = z + self.bias
        hidden, cell = peephole_lstm_step(
            z,
            cell,
            ops.convert_to_tensor(self.peephole_kernel, dtype=z.dtype),
            (self.activation, self.recurrent_activation),
        )
        return hidden, [hidden, cell]

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "peephole_initializer": keras.initializers.serialize(
                self.peephole_initializer
            ),
            "peephole_regularizer": keras.regularizers.serialize(
                self.peephole_regularizer
            ),
            "peephole_constraint": keras.constraints.serialize(
                self.peephole_constraint
            ),
        }


def _of_cell(name: str) -> property:
    """Returns a property of the layer that its cell has."""
    return property(
        lambda layer: getattr(layer.cell, name), doc=f"The cell's `{name}`."
    )


@keras.saving.register_keras_serializable("toolkit")
class PeepholeLSTM(keras.layers.RNN):
    """An LSTM with peephole connections, over whole sequences.

    The equations are those of `PeepholeLSTMCell`. `RNN(PeepholeLSTMCell(...))`
    gives the same numbers; wide layers train faster here, with a gradient
    of its own: the input is projected for all steps at once, and so are the
    gradients with respect to the weights. Other activations than tanh and
    sigmoid, and `unroll`, take the cell step by step.

    Args:
        units: width of h and c, at least 1.
        return_sequences: whether to return h of every step, or of the last.
        return_state: whether to return the last h and c too.
        go_backwards: whether to read the sequence from its end; what is
            returned stands in the order of reading.
        stateful: whether a batch begins with the state the one before ended
            with.
        unroll: whether to lay the steps out in the graph.
        activity_regularizer: of the outputs.
        activation: this and all arguments not named here are those of
            `PeepholeLSTMCell`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: h and c, `(batch, units)` each; zeros by default.
        mask: bool `(batch, time)`; a step where it is false leaves the state
            alone, and its output is that of the step before (zeros if there
            is none).
        training: whether dropout acts.

    Returns:
        h `(batch, time, units)` or `(batch, units)`; with `return_state` a
        list of that and h and c.

    Raises:
        ConfigError: an argument outside its range, a mask or an initial state
            of another shape.

    Example:
    >>> import numpy as np
    >>> from toolkit.layers import PeepholeLSTM
    >>> layer = PeepholeLSTM(4, return_sequences=True)
    >>> layer(np.ones((2, 5, 3))).shape
    TensorShape([2, 5, 4])

    Source: F. Gers, N. Schraudolph, J. Schmidhuber: Learning precise timing
    with LSTM recurrent networks, Journal of Machine Learning Research 3
    (2002).
    """

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias: bool = True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        peephole_initializer="random_uniform",
        bias_initializer="zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        peephole_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        peephole_constraint=None,
        bias_constraint=None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **options,
    ):
        shared = {
            key: options[key]
            for key in ("dtype", "trainable")
            if key in options
        }
        cell = PeepholeLSTMCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            peephole_initializer=peephole_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            peephole_regularizer=peephole_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            peephole_constraint=peephole_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            name="peephole_lstm_cell",
            **shared,
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **options,
        )
        self.input_spec = keras.layers.InputSpec(ndim=3)

    units = _of_cell("units")
    activation = _of_cell("activation")
    recurrent_activation = _of_cell("recurrent_activation")
    use_bias = _of_cell("use_bias")
    kernel_initializer = _of_cell("kernel_initializer")
    recurrent_initializer = _of_cell("recurrent_initializer")
    peephole_initializer = _of_cell("peephole_initializer")
    bias_initializer = _of_cell("bias_initializer")
    unit_forget_bias = _of_cell("unit_forget_bias")
    kernel_regularizer = _of_cell("kernel_regularizer")
    recurrent_regularizer = _of_cell("recurrent_regularizer")
    peephole_regularizer = _of_cell("peephole_regularizer")
    bias_regularizer = _of_cell("bias_regularizer")
    kernel_constraint = _of_cell("kernel_constraint")
    recurrent_constraint = _of_cell("recurrent_constraint")
    peephole_constraint = _of_cell("peephole_constraint")
    bias_constraint = _of_cell("bias_constraint")
    dropout = _of_cell("dropout")
    recurrent_dropout = _of_cell("recurrent_dropout")

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Runs the sequence."""
        self._check(sequences, initial_state, mask)
        return super().call(
            sequences, initial_state=initial_state, mask=mask, training=training
        )

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Returns the last output, all outputs and the last states."""
        if not self._whole():
            return super().inner_loop(
                sequences, initial_state, mask=mask, training=training
            )
        cell, dtype = self.cell, sequences.dtype
        hidden, carry = initial_state
        if training and cell.dropout:
            drawn = cell.get_dropout_mask(sequences[:, 0, :])
            sequences = sequences * drawn[:, None]
        dropped = None
        if training and cell.recurrent_dropout:
            dropped = cell.get_recurrent_dropout_mask(hidden)
        inputs = tf.transpose(sequences, (1, 0, 2))
        counts = None
        if mask is not None:
            mask = keras.tree.flatten(mask)[0]
            counts = tf.transpose(tf.cast(mask, tf.bool))[:, :, None]
        if self.go_backwards:
            inputs = tf.reverse(inputs, [0])
            counts = None if counts is None else tf.reverse(counts, [0])
        outputs, carry = peephole_lstm_sequence(
            self._project(inputs),
            _read(cell.recurrent_kernel, dtype),
            _read(cell.peephole_kernel, dtype),
            hidden,
            carry,
            counts,
            dropped,
            training,
        )
        states = [outputs[-1], carry]
        if counts is not None:
            # As Keras has it: before the first step that counts, the outputs
            # are 0, whatever the initial state.
            begun = tf.cumsum(tf.cast(counts, tf.int32)) > 0
            outputs = tf.where(begun, outputs, tf.zeros_like(outputs))
        last = outputs[-1]
        outputs = tf.transpose(outputs, (1, 0, 2))
        outputs.set_shape((*sequences.shape[:2], self.units))
        return last, outputs, states

    def get_config(self):
        """Returns the arguments."""
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        return config

    @classmethod
    def from_config(cls, config):
        """Returns the layer that `get_config` describes."""
        return cls(**config)

    def _project(self, inputs):
        """Returns `x W + b` of every step, as one plain matrix product.

        As a batched one its gradient would be a matrix for every step.
        """
        cell, dtype = self.cell, inputs.dtype
        kernel = _read(cell.kernel, dtype)
        projected = tf.matmul(tf.reshape(inputs, (-1, kernel.shape[0])), kernel)
        if cell.use_bias:
            projected = tf.nn.bias_add(projected, _read(cell.bias, dtype))
        steps, batch = tf.unstack(tf.shape(inputs)[:2])
        projected = tf.reshape(projected, (steps, batch, kernel.shape[1]))
        return tf.ensure_shape(projected, (*inputs.shape[:2], None))

    def _whole(self) -> bool:
        """Returns whether the whole sequence can be computed at once."""
        return (
            type(self.cell) is PeepholeLSTMCell
            and self.cell.activation is keras.activations.tanh
            and self.cell.recurrent_activation is keras.activations.sigmoid
            and not (self.unroll or self.zero_output_for_mask)
        )

    def _check(self, sequences, initial_state, mask) -> None:
        """Raises for a mask or a state that does not fit the sequences."""
        if mask is not None:
            shape = tuple(keras.tree.flatten(mask)[0].shape)
            if not _fits(shape, tuple(sequences.shape[:2])):
                raise ConfigError(
                    "`mask` must be (batch, time), "
                    f"{tuple(sequences.shape[:2])} here. Received: "
                    f"shape={shape}."
                )
        if initial_state is not None:
            states = keras.tree.flatten(initial_state)
            wanted = (sequences.shape[0], self.units)
            shapes = [tuple(state.shape) for state in states]
            if len(shapes) != 2 or not all(_fits(s, wanted) for s in shapes):
                raise ConfigError(
                    "`initial_state` must be h and c, each (batch, units), "
                    f"{wanted} here. Received: shapes={shapes}."
                )


def _read(variable, dtype):
    """Returns a variable's value as a tensor, no variable any more."""
    return tf.identity(tf.cast(ops.convert_to_tensor(variable), dtype))


def _fits(shape, wanted) -> bool:
    return len(shape) == len(wanted) and all(
        a is None or b is None or a == b
        for a, b in zip(shape, wanted, strict=True)
    )
