"""Word vectors in every format: one table, and answers inside the file."""

import numpy as np
import onnx
import pytest

import export
from export import metadata, runtime
from export.errors import ParityError
from toolkit.models import nearest_words, word_queries

KEYS = ["saved_model", "onnx", "onnx:neighbours", "onnx:analogy", "litert"]


def test_every_question_leaves_in_every_format(word_files):
    done = word_files.done
    assert list(done.formats) == KEYS
    assert [done.paths[key].name for key in KEYS] == [
        "saved_model", "word2vec.onnx", "word2vec_neighbours.onnx",
        "word2vec_analogy.onnx", "word2vec.tflite",
    ]  # fmt: skip
    every = {"serving_default", "neighbours", "analogy"}
    for key in KEYS:
        loaded = runtime.load(done.paths[key])
        one = {key.partition(":")[2] or "serving_default"}
        assert set(loaded.signatures) == (one if "onnx" in key else every)
        assert done.formats[key].parity["passed"]


def test_graphs_are_plain_and_small(word_files):
    operators = {k: f.operators for k, f in word_files.done.formats.items()}
    assert operators["onnx"] == {"Gather": 2, "Mul": 1}
    for key, words in (("onnx:neighbours", 1), ("onnx:analogy", 3)):
        assert operators[key]["Gather"] == words
        assert operators[key]["Gemm"] == 1 and operators[key]["TopK"] == 2
        assert not {"Loop", "Scan", "If", "Transpose"} & set(operators[key])
    assert operators["litert"]["FULLY_CONNECTED"] == 2
    assert operators["litert"]["TOPK_V2"] == 4
    assert "WHILE" not in operators["litert"]


@pytest.mark.parametrize("key", ["onnx", "onnx:neighbours", "onnx:analogy"])
def test_an_onnx_file_holds_the_table_once(word_files, key):
    graph = onnx.load(word_files.done.paths[key]).graph
    size = word_files.vectors.vectors.size
    sizes = [int(np.prod(item.dims)) for item in graph.initializer]
    assert sizes.count(size) == 1
    assert sum(sizes) < 1.2 * size


def test_a_litert_file_holds_the_table_once(word_files):
    from ai_edge_litert import schema_py_generated as schema

    content = word_files.done.paths["litert"].read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    sizes = [len(b.data) for b in model.buffers if b.data is not None]
    assert sizes.count(word_files.vectors.vectors.nbytes) == 1
    assert len(model.subgraphs) == 3


def test_a_saved_model_holds_the_table_once(word_files):
    folder = word_files.done.paths["saved_model"] / "variables"
    held = sum(file.stat().st_size for file in folder.iterdir())
    size = word_files.vectors.vectors.nbytes
    assert size < held < 1.5 * size


def test_every_file_names_its_words(word_files):
    words = list(word_files.vectors.vocabulary)
    assert "größe" in words
    for key, path in word_files.done.paths.items():
        about = metadata.read(path)
        assert about["task"] == "word_vectors", key
        assert about["vocabulary"] == words
        assert about["data"] == "made up"
    whole = metadata.read(word_files.done.paths["litert"])
    assert whole["signatures"]["analogy"]["outputs"] == {
        "neighbours": {"shape": ["batch", 5], "dtype": "int32"},
        "similarities": {"shape": ["batch", 5], "dtype": "float32"},
    }


@pytest.mark.parametrize("key", KEYS)
def test_verify_compares_all_that_a_file_holds(word_files, key):
    done, path = word_files.done, word_files.done.paths[key]
    found = export.verify(path, word_files.model)
    signatures = len(done.formats[key].signatures)
    analogies = sum("analogy" in s for s in done.formats[key].signatures)
    # With one word asked twice: only the analogy has several words.
    assert found.parity.cases == 8 * signatures + analogies


def test_verify_sees_another_table(word_files):
    other = word_queries(word_files.vectors.vectors[::-1], 5)
    for key in KEYS:
        with pytest.raises(ParityError, match="does not equal"):
            export.verify(word_files.done.paths[key], other)


def test_explanation_has_no_doubts(word_files):
    told = export.explain(word_files.model, signatures=["neighbours"])
    kinds = {str(r) for item in told.layers for r in item.routes.values()}
    assert kinds == {"builtin"} and not told.whole


def test_words_out_of_range_are_errors_and_minus_one_is_the_last(word_files):
    count = len(word_files.vectors)
    last = word_files.model(np.array([-1]))
    for key in ("onnx", "litert"):
        loaded = runtime.load(word_files.done.paths[key])
        found = loaded.run({"words": [-1]})["vectors"]
        np.testing.assert_array_equal(found, last)
        for number in (count, -count - 1):
            with pytest.raises(runtime.InputError, match="cannot run"):
                loaded.run({"words": [number]})


def test_words_of_nearly_the_same_direction_are_exported(tmp_path):
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(1, 50))
    points = np.repeat(centre, 400, axis=0)
    points += 1e-7 * rng.normal(size=points.shape)  # ranked by rounding alone
    model = nearest_words(points, k=10)
    done = export.export(model, tmp_path)
    assert sum(f.parity["undecided"] for f in done.formats.values()) > 0
    found = [export.verify(path, model) for path in done.paths.values()]
    assert sum(one.parity.undecided for one in found) > 0
