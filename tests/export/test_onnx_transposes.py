"""A matrix that a graph reads as rows and as columns is held once."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.onnx_transposes import LEAST, share_transposes
from export.to_onnx import inspect

WORDS, SIZE = 300, 64


def matrix(words=WORDS, size=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(words, size)).astype(np.float32)


def model(embedding, output):
    """Scores of words against words: a row of one matrix times the other."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["embedding", "words"], ["rows"]),
            helper.make_node("MatMul", ["rows", "output"], ["scores"]),
        ],
        "graph",
        [helper.make_tensor_value_info("words", TensorProto.INT64, ("n",))],
        [
            helper.make_tensor_value_info(
                "scores", TensorProto.FLOAT, ("n", output.shape[1])
            )
        ],
        [
            numpy_helper.from_array(embedding, "embedding"),
            numpy_helper.from_array(np.ascontiguousarray(output), "output"),
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )


def scores(built):
    onnx.checker.check_model(built, full_check=True)
    session = onnxruntime.InferenceSession(built.SerializeToString())
    return session.run(None, {"words": np.array([3, 0, 299])})[0]


def test_a_transpose_is_made_from_the_other_matrix():
    embedding = matrix()
    built = model(embedding, embedding.T)
    before, size = scores(built), built.ByteSize()
    share_transposes(built.graph)
    assert [item.name for item in built.graph.initializer] == ["embedding"]
    assert [node.op_type for node in built.graph.node] == [
        "Transpose",
        "Gather",
        "MatMul",
    ]
    np.testing.assert_array_equal(scores(built), before)
    assert built.ByteSize() < size - embedding.nbytes + 200


def test_a_square_matrix_that_is_its_own_transpose_stays():
    square = matrix(WORDS, WORDS)
    square += square.T
    built = model(square, matrix(WORDS, 70, 1))
    share_transposes(built.graph)
    assert len(built.graph.initializer) == 2


@pytest.mark.parametrize(
    ("embedding", "output"),
    [
        (matrix(), matrix(seed=1).T),
        (matrix(), np.float32(matrix().T + np.eye(SIZE, WORDS) * 1e-6)),
        (matrix(300, 8), matrix(300, 8).T),
    ],
    ids=["another", "nearly", "small"],
)
def test_other_matrices_stay(embedding, output):
    assert embedding.nbytes >= LEAST or embedding.shape[1] == 8
    built = model(embedding, output)
    before = built.SerializeToString()
    share_transposes(built.graph)
    assert built.SerializeToString() == before


def test_tied_weights_leave_once(tmp_path):
    import keras

    from export import export
    from toolkit.models import language_model

    keras.utils.set_random_seed(0)
    built = language_model(WORDS, "lstm", SIZE, embedding=SIZE, tied=True)
    done = export(built, tmp_path, formats=["onnx"])
    path = done.paths["onnx"]
    shapes = [list(c.dims) for c in onnx.load(path).graph.initializer]
    assert [SIZE, WORDS] not in shapes
    assert shapes.count([WORDS, SIZE]) == 1
    assert inspect(path)["LSTM"] == 1
