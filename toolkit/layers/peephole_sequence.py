"""The peephole LSTM over a whole sequence, with a gradient of its own."""

from __future__ import annotations

import tensorflow as tf


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
    is one of its own: it keeps the pre-activations, works out all gates at
    once, and has one matrix product a step; those with respect to the weights
    are one product for all steps. In inference it is TensorFlow's, since a
    SavedModel cannot hold the other.

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
    if mask is not None:
        mask = tf.cast(mask, projected.dtype)
    if not training:
        hs, last, _ = _forward(
            projected, recurrent_kernel, peephole_kernel, hidden, cell, mask,
            dropout, keep=False,
        )  # fmt: skip
        return hs, last

    @tf.custom_gradient
    def run(projected, recurrent_kernel, peephole_kernel, hidden, cell):
        hs, last, (zs, cs) = _forward(
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
                (zs, hs, cs),
                (d_hs, d_cell),
            )

        return (hs, last), gradient

    return run(projected, recurrent_kernel, peephole_kernel, hidden, cell)


def _forward(projected, recurrent, peephole, hidden, cell, mask, dropout, keep):
    """Runs the loop.

    Returns:
        h of every step, time first; the last c; if they are to be kept, the
        pre-activations and c of every step.
    """
    steps = tf.shape(projected)[0]
    units = recurrent.shape[0]
    to_gates = tf.reshape(peephole[:2], (1, 2 * units))
    to_output = peephole[2:]

    def body(t, h, c, hs, kept):
        seen = h if dropout is None else h * dropout
        z = projected[t] + tf.matmul(seen, recurrent)
        gates = tf.sigmoid(
            z[:, : 2 * units] + tf.concat([c, c], axis=1) * to_gates
        )
        new_c = gates[:, units:] * c + gates[:, :units] * tf.tanh(
            z[:, 2 * units : 3 * units]
        )
        o = tf.sigmoid(z[:, 3 * units :] + new_c * to_output)
        new_h = o * tf.tanh(new_c)
        if mask is not None:
            m = mask[t]
            new_h = m * new_h + (1 - m) * h
            new_c = m * new_c + (1 - m) * c
        kept = tuple(
            array.write(t, value)
            for array, value in zip(kept, (z, new_c), strict=False)
        )
        return t + 1, new_h, new_c, hs.write(t, new_h), kept

    kept = (_array(steps, projected[0]), _array(steps, cell)) if keep else ()
    _, _, last, hs, kept = tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (0, hidden, cell, _array(steps, hidden), kept),
        maximum_iterations=steps,
    )
    return hs.stack(), last, tuple(array.stack() for array in kept)


def _backward(given, kept, upstream):
    recurrent, peephole, hidden, cell, mask, dropout = given
    zs, hs, cs = kept
    d_hs, d_cell = upstream
    units = recurrent.shape[0]
    steps = tf.shape(zs)[0]
    before_h = tf.concat([hidden[None], hs[:-1]], axis=0)
    before_c = tf.concat([cell[None], cs[:-1]], axis=0)
    p_i, p_f, p_o = (peephole[k] for k in range(3))

    # Everything that does not depend on the step behind, for all at once.
    z_i, z_f, z_g, z_o = tf.split(zs, 4, axis=2)
    i = tf.sigmoid(z_i + before_c * p_i)
    f = tf.sigmoid(z_f + before_c * p_f)
    g = tf.tanh(z_g)
    new_c = cs if mask is None else f * before_c + i * g
    o = tf.sigmoid(z_o + new_c * p_o)
    curved = tf.tanh(new_c)
    to_o = curved * o * (1 - o)
    to_c = o * (1 - curved * curved) + to_o * p_o
    to_i = g * i * (1 - i)
    to_f = before_c * f * (1 - f)
    to_g = i * (1 - g * g)
    to_before = f + to_i * p_i + to_f * p_f
    to_gates = tf.concat([to_i, to_f, to_g], axis=2)
    if mask is not None:
        to_o, to_c = to_o * mask, to_c * mask
        to_gates = to_gates * mask
        to_before = to_before * mask + (1 - mask)

    transposed = tf.transpose(recurrent)

    def body(t, d_h, d_c, d_zs):
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
            before = before + (1 - mask[t]) * d_h
        return t - 1, before, d_c_now * to_before[t], d_zs.write(t, d_z)

    _, d_hidden, d_before_c, d_zs = tf.while_loop(
        lambda t, *_: t >= 0,
        body,
        (steps - 1, tf.zeros_like(hidden), d_cell, _array(steps, zs[0])),
        maximum_iterations=steps,
    )
    d_zs = d_zs.stack()
    if dropout is not None:
        before_h = before_h * dropout
    d_i, d_f, _, d_o = tf.split(d_zs, 4, axis=2)
    return (
        d_zs,
        tf.matmul(
            tf.reshape(before_h, (-1, units)),
            tf.reshape(d_zs, (-1, 4 * units)),
            transpose_a=True,
        ),
        tf.stack(
            [
                tf.reduce_sum(a * b, axis=(0, 1))
                for a, b in ((d_i, before_c), (d_f, before_c), (d_o, new_c))
            ]
        ),
        d_hidden,
        d_before_c,
    )


def _array(steps, like):
    return tf.TensorArray(
        like.dtype, steps, element_shape=like.shape, clear_after_read=False
    )
