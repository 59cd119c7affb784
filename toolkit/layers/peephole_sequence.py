"""The peephole LSTM over a whole sequence, with a gradient of its own."""

from __future__ import annotations

import tensorflow as tf

CHUNK = 4  # steps in one round of the loop: 1 costs 5 to 10 % more


def peephole_lstm_sequence(
    projected,
    recurrent_kernel,
    peephole_kernel,
    hidden,
    cell,
    mask=None,
    dropout=None,
    training=False,
):
    """Runs the recurrence over time; time comes first.

    The loop holds nothing but the recurrence itself. In training the gradient
    is one of its own: the gates are kept, all factors worked out at once, one
    matrix product a step is left to wait for, and that of the recurrent kernel
    runs beside. In inference it is TensorFlow's, since a SavedModel cannot
    hold the other.

    Args:
        projected: `x W + b` of every step, `(time, batch, 4 * units)`, gates
            in the order i, f, c, o.
        recurrent_kernel: `(units, 4 * units)`.
        peephole_kernel: `(3, units)`, rows i, f, o.
        hidden: state h before the first step, `(batch, units)`.
        cell: state c before the first step, `(batch, units)`.
        mask: bool `(time, batch, 1)`; steps where it is false leave the state
            alone. None: every step counts.
        dropout: factors on h before it meets the recurrent kernel,
            `(batch, units)`; None for none.
        training: whether the gradient is the fast one.

    Returns:
        h of every step `(time, batch, units)`, and the last c.
    """
    if not training:
        hs, last, _ = _forward(
            projected, recurrent_kernel, peephole_kernel, hidden, cell, mask,
            dropout, keep=False,
        )  # fmt: skip
        return hs, last

    @tf.custom_gradient
    def run(projected, recurrent_kernel, peephole_kernel, hidden, cell):
        hs, last, kept = _forward(
            projected, recurrent_kernel, peephole_kernel, hidden, cell, mask,
            dropout, keep=True,
        )  # fmt: skip

        def gradient(d_hs, d_cell):
            return _backward(
                (
                    recurrent_kernel,
                    peephole_kernel,
                    hidden,
                    cell,
                    mask,
                    dropout,
                ),
                (hs, *kept),
                (d_hs, d_cell),
            )

        return (hs, last), gradient

    return run(projected, recurrent_kernel, peephole_kernel, hidden, cell)


def _forward(projected, recurrent, peephole, hidden, cell, mask, dropout, keep):
    """Runs the loop.

    Returns:
        h of every step, time first; the last c; if they are to be kept, of
        every step c, the gates i and f side by side, g, o, and tanh of the
        new c.
    """
    steps = tf.shape(projected)[0]
    units = recurrent.shape[0]
    to_gates = tf.reshape(peephole[:2], (1, 2 * units))
    to_output = peephole[2:]

    def step(t, h, c, arrays):
        seen = h if dropout is None else h * dropout
        z = projected[t] + tf.matmul(seen, recurrent)
        gates = tf.sigmoid(
            z[:, : 2 * units] + tf.concat([c, c], axis=1) * to_gates
        )
        g = tf.tanh(z[:, 2 * units : 3 * units])
        new_c = gates[:, units:] * c + gates[:, :units] * g
        o = tf.sigmoid(z[:, 3 * units :] + new_c * to_output)
        curved = tf.tanh(new_c)
        new_h = o * curved
        if mask is not None:
            # Padding may hold anything, so it is not multiplied by 0.
            new_h = tf.where(mask[t], new_h, h)
            new_c = tf.where(mask[t], new_c, c)
        values = (new_h, new_c, gates, g, o, curved)
        arrays = tuple(
            array.write(t, value)
            for array, value in zip(arrays, values, strict=False)
        )
        return new_h, new_c, arrays

    def chunk(t, size, h, c, arrays):
        for k in range(size):
            h, c, arrays = step(t + k, h, c, arrays)
        return h, c, arrays

    widths = (1, 1, 2, 1, 1, 1) if keep else (1,)
    arrays = tuple(_array(steps, hidden, width * units) for width in widths)
    # tf2onnx loses arrays that go from loop to loop, so inference has one.
    sizes = (CHUNK, 1) if keep else (1,)
    _, last, arrays = _in_chunks(steps, sizes, chunk, (hidden, cell, arrays))
    hs, *kept = (array.stack() for array in arrays)
    return hs, last, tuple(kept)


def _backward(given, kept, upstream):
    recurrent, peephole, hidden, cell, mask, dropout = given
    hs, cs, gates, g, o, curved = kept
    d_hs, d_cell = upstream
    units = recurrent.shape[0]
    steps = tf.shape(hs)[0]
    before_h = tf.concat([hidden[None], hs[:-1]], axis=0)
    before_c = tf.concat([cell[None], cs[:-1]], axis=0)
    if dropout is not None:
        before_h = before_h * dropout
    p_i, p_f, p_o = (peephole[k] for k in range(3))

    # Everything that does not depend on the step behind, for all at once.
    i, f = tf.split(gates, 2, axis=2)
    to_o = curved * o * (1 - o)
    to_c = o * (1 - curved * curved) + to_o * p_o
    to_i = g * i * (1 - i)
    to_f = before_c * f * (1 - f)
    to_g = i * (1 - g * g)
    to_before = f + to_i * p_i + to_f * p_f
    to_gates = tf.concat([to_i, to_f, to_g], axis=2)
    if mask is not None:
        passed = tf.cast(tf.logical_not(mask), d_hs.dtype)
        to_o, to_c, to_gates = (
            tf.where(mask, factor, tf.zeros_like(factor))
            for factor in (to_o, to_c, to_gates)
        )
        to_before = tf.where(mask, to_before, tf.ones_like(to_before))

    transposed = tf.transpose(recurrent)

    def step(t, d_h, d_c):
        d_h = d_h + d_hs[t]
        d_c_now = d_c + d_h * to_c[t]
        d_z = tf.concat(
            [
                tf.concat([d_c_now, d_c_now, d_c_now], axis=1) * to_gates[t],
                d_h * to_o[t],
            ],
            axis=1,
        )
        before = tf.matmul(d_z, transposed)
        if dropout is not None:
            before = before * dropout
        if mask is not None:
            before = before + passed[t] * d_h
        return before, d_c_now * to_before[t], d_z

    def chunk(t, size, d_h, d_c, d_recurrent, d_zs):
        # t counts from the end.
        found = []
        for k in range(size):
            at = steps - 1 - t - k
            d_h, d_c, d_z = step(at, d_h, d_c)
            d_zs = d_zs.write(at, d_z)
            found.append((at, d_z))
        # This product waits for nothing: a second core has it done while the
        # first goes on with the steps.
        d_recurrent = d_recurrent + tf.matmul(
            tf.concat([before_h[at] for at, _ in found], axis=0),
            tf.concat([d_z for _, d_z in found], axis=0),
            transpose_a=True,
        )
        return d_h, d_c, d_recurrent, d_zs

    d_hidden, d_before_c, d_recurrent, d_zs = _in_chunks(
        steps,
        (CHUNK, 1),
        chunk,
        (
            tf.zeros_like(hidden),
            d_cell,
            tf.zeros_like(recurrent),
            _array(steps, hidden, 4 * units),
        ),
    )
    d_zs = d_zs.stack()
    d_i, d_f, _, d_o = tf.split(d_zs, 4, axis=2)
    return (
        d_zs,
        d_recurrent,
        tf.stack(
            [
                tf.reduce_sum(a * b, axis=(0, 1))
                for a, b in ((d_i, before_c), (d_f, before_c), (d_o, cs))
            ]
        ),
        d_hidden,
        d_before_c,
    )


def _in_chunks(steps, sizes, chunk, state):
    """Runs `chunk(t, size, *state)` over all steps, many of them at once.

    Args:
        steps: how many there are.
        sizes: steps of a chunk; what one size leaves is done by the next.
        chunk: does `size` steps from t on.
        state: before the first step.
    """

    def body(size):
        return lambda t, *state: (t + size, *chunk(t, size, *state))

    state = (0, *state)
    for size in sizes:
        state = tf.while_loop(
            lambda t, *_, size=size: t <= steps - size,
            body(size),
            state,
            maximum_iterations=steps,
        )
    return state[1:]


def _array(steps, like, width):
    return tf.TensorArray(
        like.dtype,
        steps,
        element_shape=(like.shape[0], width),
        clear_after_read=False,
    )
