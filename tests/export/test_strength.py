"""How many wrong files a comparison refuses."""

import keras
import numpy as np
import pytest

import export
from export.errors import ArtifactError
from export.strength import Strength, changes
from tests.export.recipe_models import RECIPE_MODELS
from tests.export.user_models import USER_MODELS, randomize

# Changes that change no answer, or none within the model's own inputs, which
# docs/proof.md explains one by one.
LEAST = {"word2vec": 0.88}


def test_constants_are_zeroed_moved_turned_and_exchanged():
    weights = np.array([[1.0, 2.0], [3.0, 5.0]], "float32")
    made = dict(changes(weights))
    assert not made["zeroed"].any()
    np.testing.assert_allclose(made["moved"], weights + weights.std())
    np.testing.assert_array_equal(made["sign turned"], -weights)
    np.testing.assert_array_equal(made["two rows exchanged"], weights[::-1])
    zeros = dict(changes(np.zeros(3, "float32")))
    np.testing.assert_allclose(zeros["moved"], 0.1)
    assert dict(changes(np.array([True])))["turned"].tolist() == [False]
    assert dict(changes(np.array([7], "int64")))["moved"].tolist() == [8]


@pytest.mark.parametrize("kind", ["onnx", "litert"])
def test_every_wrong_constant_of_a_small_net_is_refused(kind, tmp_path):
    model, _ = USER_MODELS["functional"]()
    path = export.export(randomize(model), tmp_path, [kind]).paths[kind]
    found = export.verify(path, model, strength=True)
    assert found.strength.share == 1.0 and found.strength.mutants >= 16
    assert found.strength.equal >= 2  # weights and biases before the softmax
    assert "files with one constant changed are refused (100.0%)" in str(found)


def test_survivors_are_named(tmp_path):
    """Of a table a file holds rows that the model's inputs never read."""
    ids = keras.Input((4,), dtype="int32", name="ids")
    y = keras.ops.take(keras.ops.ones((5, 3)), keras.ops.clip(ids, 0, 1), 0)
    model = keras.Model(ids, y + keras.ops.cast(ids[:, :, None], "float32"))
    path = export.export(model, tmp_path, ["onnx"]).paths["onnx"]
    loose = export.verify(path, model, strength=True, atol=10.0)
    assert loose.strength.share < 1.0
    assert all(": " in name for name in loose.strength.survivors)
    assert "; passed: " in str(loose)


def test_strength_is_not_that_of_a_saved_model(tmp_path):
    model, _ = USER_MODELS["sequential"]()
    done = export.export(randomize(model), tmp_path, ["saved_model"])
    with pytest.raises(ArtifactError, match="measured on .onnx and .tflite"):
        export.verify(done.paths["saved_model"], model, strength=True)


def test_the_share_counts_wrong_files_only():
    found = Strength(10, 9, ("w: zeroed",), equal=4)
    assert found.share == 0.9
    assert found.describe()["survivors"] == ["w: zeroed"]


@pytest.mark.slow  # several hundred files of each recipe's model are run
@pytest.mark.parametrize("name", RECIPE_MODELS)
def test_the_comparison_of_a_recipe_is_strong(name, tmp_path):
    model, options = RECIPE_MODELS[name]()
    done = export.export(model, tmp_path, ["onnx", "litert"], **options)
    by_format: dict[str, list[Strength]] = {}
    for key, path in done.paths.items():
        found = export.verify(path, model, strength=True).strength
        print(name, key, found)
        by_format.setdefault(key.split(":")[0], []).append(found)
    for kind, found in by_format.items():
        caught = sum(strength.caught for strength in found)
        share = caught / sum(strength.mutants for strength in found)
        assert share >= LEAST.get(name, 0.95), (kind, found)
