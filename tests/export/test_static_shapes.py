import numpy as np
import pytest
import tensorflow as tf

import export
from export.static_shapes import simplify_reshapes
from toolkit.models import lenet5


def concrete(function, *specs):
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def operators(function):
    graph = function.graph.as_graph_def()
    return {node.op for node in graph.node}


def test_flatten_with_an_open_batch_reads_no_shape():
    traced = concrete(
        lambda x: tf.reshape(x, [tf.shape(x)[0], 6]),
        tf.TensorSpec((None, 2, 3)),
    )
    simple = simplify_reshapes(traced)
    assert "Pack" in operators(traced) and "Pack" not in operators(simple)
    x = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    (result,) = tf.nest.flatten(simple(tf.constant(x)))
    np.testing.assert_array_equal(result, x.reshape(4, 6))


def test_two_open_sizes_stay_as_they_are():
    def call(x):
        shape = tf.shape(x)
        return tf.reshape(x, [shape[1], shape[0], 3])

    traced = concrete(call, tf.TensorSpec((None, None, 3)))
    assert simplify_reshapes(traced) is traced


def test_a_loop_beside_a_reshape_still_runs():
    def call(x):
        def body(i, y):
            return i + 1, tf.reshape(y + 1.0, [tf.shape(y)[0], 3])

        y = tf.while_loop(lambda i, y: i < 2, body, [0, x])[1]
        return tf.reshape(y, [tf.shape(y)[0], 3, 1])

    simple = simplify_reshapes(concrete(call, tf.TensorSpec((None, 3))))
    x = np.ones((5, 3), np.float32)
    (result,) = tf.nest.flatten(simple(tf.constant(x)))
    np.testing.assert_array_equal(result, (x + 2)[..., None])


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_lenet5_leaves_without_shape_operators(tmp_path, name):
    done = export.export(lenet5(), tmp_path, [name])
    found = set(done.formats[name].operators)
    assert not found & {
        "Shape", "Gather", "Cast", "Slice", "Concat", "SHAPE",
        "STRIDED_SLICE", "PACK",
    }  # fmt: skip
