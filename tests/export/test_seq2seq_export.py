"""Encoder-decoders and their search in every format."""

import numpy as np
import pytest

import export
from export import metadata, runtime
from export.cases import with_answers
from export.errors import ParityError
from export.program import trace
from export.signatures import Signature, resolve
from toolkit.models import decoding_model, seq2seq

pytestmark = pytest.mark.usefixtures("traced_reference")
SOURCES = np.array([[3, 4, 5, 6, 7], [8, 3, 0, 0, 0], [5, 6, 7, 0, 0]], "int32")
FORMATS = ["saved_model", "onnx", "litert"]


def small(cell="gru", end=0.0, **options):
    """A model with weights that make it decided."""
    rng = np.random.default_rng(0)
    model = seq2seq(9, 12, cell, 6, embedding=5, **options)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    bias = model.decoder.get_layer("logits").bias
    bias.assign(bias + end * np.eye(12, dtype="float32")[2])
    return model


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A model exported with its inner models."""
    model = small("lstm", attention="additive", bidirectional=False)
    folder = tmp_path_factory.mktemp("parts")
    return model, export.export(
        model, folder, signatures=["encoder", "decoder"]
    )


def test_encoder_and_decoder_leave_beside_the_whole(parts):
    model, done = parts
    assert list(done.formats) == [
        "saved_model", "onnx", "onnx:encoder", "onnx:decoder", "litert",
    ]  # fmt: skip
    target = np.array([[1, 4, 5]] * 3, "int32")
    wanted = np.asarray(model({"source": SOURCES, "target": target}))
    for keys in (["saved_model"] * 2, ["onnx:encoder", "onnx:decoder"],
                 ["litert"] * 2):  # fmt: skip
        encoder, decoder = (
            runtime.load(done.paths[key], signature=name)
            for key, name in zip(keys, ("encoder", "decoder"), strict=True)
        )
        states = encoder.run({"source": SOURCES})
        memory = {"memory": states.pop("memory"), "source": SOURCES}
        assert sorted(states) == ["cell_1", "hidden_1"]
        for place in range(3):
            given = {"target": target[:, place : place + 1], **memory}
            found = decoder.run({**given, **states})
            states = {key: found[f"{key}_next"] for key in states}
            np.testing.assert_allclose(
                found["logits"][:, 0], wanted[:, place], atol=1e-5
            )
        assert found["attention"].shape == (3, 1, 5)


def test_recurrences_are_fused(parts):
    formats = parts[1].formats
    for key, count in (("onnx", 2), ("onnx:encoder", 1), ("onnx:decoder", 1)):
        assert formats[key].operators["LSTM"] == count
        assert "Loop" not in formats[key].operators


def test_source_and_target_have_axes_of_their_own(parts):
    about = metadata.read(parts[1].paths["onnx:decoder"])
    shapes = {k: v["shape"] for k, v in about["inputs"].items()}
    assert shapes["target"] == ["batch", "time"]
    assert shapes["memory"] == ["batch", "source_time", 6]
    assert shapes["source"] == ["batch", "source_time"]
    attention = about["outputs"]["attention"]["shape"]
    assert attention == ["batch", "time", "source_time"]
    program = trace(parts[0], resolve(parts[0]), {})
    cases = with_answers(program)[1]["serving_default"].cases
    lengths = {
        tuple(case.inputs[key].shape[1] for key in ("source", "target"))
        for case in cases
    }
    assert {(9, 2), (2, 131), (131, 1), (1, 16)} <= lengths


def test_axes_are_those_of_the_model_around_an_inner_one():
    search = decoding_model(small(), 6)
    found = resolve(search, ["encoder", "decoder"])
    assert found["serving_default"].axes == {}
    assert found["encoder"].axes["source"] == ("batch", "source_time")
    shapes = {t.name: t.shape for t in found["decoder"].tensors({})}
    assert shapes["source"][1] == "source_time" != shapes["target"][1]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A beam search in every format."""
    model = decoding_model(small(end=2.0, bidirectional=False), 5, 3)
    folder = tmp_path_factory.mktemp("searched")
    return model, export.export(model, folder, FORMATS)


def test_beam_search_leaves_in_every_format(searched):
    model, done = searched
    wanted = {key: np.asarray(v) for key, v in model(SOURCES).items()}
    assert len(set(wanted["lengths"].tolist())) > 1
    for key in FORMATS:
        loaded = runtime.load(done.paths[key])
        for rows in (slice(None), slice(1)):  # batch and time are open
            source = SOURCES[rows]
            source = source[:, source.any(axis=0)]
            found = loaded.run({"source": source})
            for name in ("tokens", "lengths"):
                assert found[name].dtype == np.int32
                np.testing.assert_array_equal(found[name], wanted[name][rows])
            np.testing.assert_allclose(
                found["scores"], wanted["scores"][rows], atol=1e-5
            )


def test_search_is_one_loop_with_fused_recurrences(searched):
    formats = searched[1].formats
    assert formats["onnx"].operators["Loop"] == 1
    assert formats["onnx"].operators["GRU"] == 2  # one reads, one writes


def test_greedy_search_leaves_and_another_is_seen(tmp_path):
    model = decoding_model(small("elman", end=1.0, attention=None), 6)
    done = export.export(model, tmp_path, ["onnx"])
    assert done.formats["onnx"].operators["RNN"] == 3
    found = runtime.load(done.paths["onnx"]).run({"source": SOURCES})
    np.testing.assert_array_equal(found["tokens"], model(SOURCES)["tokens"])
    other = decoding_model(small("elman", end=1.5, attention=None), 6)
    with pytest.raises(ParityError, match="does not equal"):
        export.verify(done.paths["onnx"], other)


def test_a_search_tells_what_is_as_good():
    model = decoding_model(small(), 6)
    signature = resolve(model)["serving_default"]
    assert signature.equally_good == model.get_layer("search").equally_good
    assert (
        resolve(model.get_layer("search").model)["serving_default"].equally_good
        is None
    )
    assert Signature({}).equally_good is None
