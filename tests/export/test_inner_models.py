"""Models inside a model leave beside it."""

import keras
import numpy as np
import pytest

import export
from export import metadata, runtime
from export.errors import ParityError, UnsupportedModelError
from toolkit.models import autoencoder

RULES = {
    "kind": "image", "mode": "L", "size": [6, 4], "native_size": [6, 4],
    "resize": "none", "scale": 1 / 255, "offset": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def tied(tmp_path_factory):
    """An autoencoder exported with its inner models."""
    model = autoencoder(
        (6, 4, 1), [9], 2, "elu", tied=True, bias_initializer="random_normal"
    )
    samples = np.random.default_rng(3).random((5, 6, 4, 1), np.float32)
    folder = tmp_path_factory.mktemp("tied")
    done = export.export(
        model,
        folder,
        signatures=["encoder", "decoder"],
        samples=samples,
        metadata={
            "preprocessing": RULES,
            "labels": ["a"],
            "license": "MIT",
        },
    )
    return model, done, samples


def test_inner_models_leave_as_signatures_or_files_of_their_own(tied):
    model, done, samples = tied
    assert list(done.formats) == [
        "saved_model", "onnx", "onnx:encoder", "onnx:decoder", "litert",
    ]  # fmt: skip
    assert done.paths["onnx:encoder"].name == "autoencoder_encoder.onnx"
    code = model.get_layer("encoder")(samples).numpy()
    drawn = model.get_layer("decoder")(code).numpy()
    for key, path in done.paths.items():
        held = done.formats[key].signatures
        assert set(runtime.load(path).signatures) == set(held)
        if "encoder" in held:
            encode = runtime.load(path, signature="encoder")
            found = encode.run({"image": samples})["code"]
            np.testing.assert_allclose(found, code, atol=1e-5)
        if "decoder" in held:
            decode = runtime.load(path, signature="decoder")
            found = decode.run({"code": code})["reconstruction"]
            np.testing.assert_allclose(found, drawn, atol=1e-5)
    with np.load(done.directory / "check_vectors.npz") as vectors:
        parts = {name.split("/")[0] for name in vectors.files}
    assert parts == {"serving_default", "encoder", "decoder"}


def test_file_of_an_inner_model_says_what_holds_for_it(tied):
    _, done, _ = tied
    encoder = metadata.read(done.paths["onnx:encoder"])
    assert encoder["signature"] == "encoder"
    assert encoder["preprocessing"] == RULES
    assert encoder["license"] == "MIT" and "labels" not in encoder
    decoder = metadata.read(done.paths["onnx:decoder"])
    assert list(decoder["inputs"]) == ["code"]
    assert "preprocessing" not in decoder
    whole = metadata.read(done.paths["litert"])
    assert set(whole["signatures"]) == {
        "serving_default", "encoder", "decoder",
    }  # fmt: skip


def test_verify_compares_every_signature_that_a_file_holds(tied, tmp_path):
    model, done, samples = tied
    for key, path in done.paths.items():
        alone = key == "onnx:decoder"
        plain = export.verify(path, model).parity.cases
        given = {"code": np.ones((3, 2))} if alone else samples
        tried = export.verify(path, model, samples=given).parity.cases
        assert tried > plain
    with pytest.raises(UnsupportedModelError, match='for "code" must have'):
        export.verify(done.paths["onnx:decoder"], model, samples=samples)
    other = autoencoder((6, 4, 1), [9], 2, "elu", tied=True)
    other.get_layer("encoder").set_weights(
        model.get_layer("encoder").get_weights()
    )  # the same kernels, other biases in the decoder
    assert "equals" in str(export.verify(done.paths["onnx:encoder"], other))
    with pytest.raises(ParityError, match="reconstruction"):
        export.verify(done.paths["onnx:decoder"], other)
    with pytest.raises(ParityError, match="reconstruction"):
        export.verify(done.paths["litert"], other)


def test_unknown_signature_is_refused(tied, tmp_path):
    model, done, _ = tied
    with pytest.raises(UnsupportedModelError, match='Did you mean "encoder"'):
        export.export(model, tmp_path, ["onnx"], signatures=["encodr"])
    for path in done.paths.values():
        with pytest.raises(runtime.ModelError, match='no signature "encodr"'):
            runtime.load(path, signature="encodr")
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(UnsupportedModelError, match="none of its layers"):
        export.export(plain, tmp_path, ["onnx"], signatures=["encoder"])
