"""Language models with every kind of output."""

import keras
import numpy as np
import pytest

import export
from toolkit.errors import ConfigError
from toolkit.layers import FullSoftmax, HierarchicalSoftmax, SampledSoftmax
from toolkit.models import language_model, next_token_losses
from toolkit.training import with_carried_state

pytestmark = pytest.mark.usefixtures("traced_reference")

WORDS = 12
COUNTS = np.arange(WORDS, 0, -1)
TEXT = (np.arange(60 * 21) % WORDS).reshape(60, 21)
TOKENS, TARGETS = TEXT[:, :-1], TEXT[:, 1:]
KINDS = {
    "tied": {"tied": True},
    "tied, projected": {"tied": True, "units": 16},
    "sampled": {"objective": "sampled_softmax"},
    "sampled, tied": {"objective": "sampled_softmax", "tied": True},
    "hierarchical": {"objective": "hierarchical_softmax"},
}
SLOW = pytest.mark.slow
LAYERS = {
    "tied": FullSoftmax,
    "sampled": SampledSoftmax,
    "hierarchical": HierarchicalSoftmax,
}


# Slow: one tied kind and one that is not are quick; the sampled, tied one is
# what the recipe trains.
QUICK = ("tied, projected", "hierarchical")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, marks=() if kind in QUICK else SLOW)
        for kind in KINDS
    ],
)
def trained(request):
    """A model and the one it was trained as."""
    keras.utils.set_random_seed(0)
    options = {"units": 8, "embedding": 8, "counts": COUNTS, "sampled": 6}
    model = language_model(
        WORDS, "gru", **{**options, **KINDS[request.param]}, seed=1
    )
    training = next_token_losses(model)
    training.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    training.fit([TOKENS, TARGETS], epochs=16, verbose=0)
    kind = LAYERS[request.param.split(",")[0]]
    assert type(model.get_layer("logits")) is kind
    return model, training


def test_it_knows_what_comes_next(trained):
    model, training = trained
    logits = model.predict(TOKENS, verbose=0)
    right = logits.argmax(-1) == TARGETS
    assert right[:, 3:].mean() > 0.9
    losses = training.predict([TOKENS, TARGETS], verbose=0)
    shares = keras.ops.log_softmax(logits)
    expected = -np.take_along_axis(
        np.asarray(shares), TARGETS[..., None], axis=-1
    )[..., 0]
    np.testing.assert_allclose(losses, expected, rtol=1e-3, atol=1e-5)
    assert training.evaluate([TOKENS, TARGETS], verbose=0) == pytest.approx(
        expected.mean(), rel=1e-4
    )


def test_it_goes_on_from_window_to_window(trained):
    model, training = trained
    twin = with_carried_state(training, 60)
    assert twin.count_params() == training.count_params()
    parts = [
        np.asarray(twin([TOKENS[:, part], TARGETS[:, part]]))
        for part in (slice(7), slice(7, 20))
    ]
    np.testing.assert_allclose(
        np.concatenate(parts, 1), training([TOKENS, TARGETS]), atol=1e-5
    )
    twin.compile("adam", jit_compile=False)
    twin.fit([TOKENS, TARGETS], batch_size=60, verbose=0)


# Slow but for one output: five exports in four formats. Tied sampled outputs
# are exported by the recipe's tests.
@pytest.mark.parametrize(
    "trained",
    [
        kind if kind == "hierarchical" else pytest.param(kind, marks=SLOW)
        for kind in KINDS
    ],
    indirect=True,
)
def test_it_leaves_in_all_formats_and_step_by_step(trained, tmp_path):
    model, _ = trained
    done = export.export(
        model,
        tmp_path,
        name="words",
        samples=TOKENS[:3],
        streaming=True,
    )
    assert {"saved_model", "onnx", "onnx:streaming", "litert"} == set(
        done.formats
    )
    for item in done.formats.values():
        assert "While" not in item.operators or item.format == "saved_model"
        assert "Loop" not in item.operators


def test_tied_models_have_one_table():
    plain = language_model(100, "gru", 8, embedding=8)
    tied = language_model(100, "gru", 8, embedding=8, tied=True)
    assert plain.count_params() - tied.count_params() == 8 * 100
    wide = language_model(100, "gru", 12, embedding=8, tied=True)
    assert wide.get_layer("projection").count_params() == 12 * 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objective": "sampled"}, "Did you mean .sampled_softmax"),
        (
            {"objective": "hierarchical_softmax", "tied": True},
            "one for every node",
        ),
        ({"objective": "sampled_softmax", "sampled": 0}, "`sampled` must be"),
        (
            {"objective": "hierarchical_softmax", "counts": [1, 2]},
            r"`counts` must be \(12,\)",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        language_model(WORDS, **arguments)


def test_model_without_losses_is_refused():
    with pytest.raises(ConfigError, match="ends with Dense.*SparseCategorical"):
        next_token_losses(language_model(WORDS))


def test_dropout_is_drawn_anew_at_each_step():
    keras.utils.set_random_seed(0)
    model = language_model(WORDS, "lstm", 6, 2, 20, dropout=0.5)
    for number in (1, 2):
        layer = model.get_layer(f"dropout_{number}")
        assert model.get_layer(f"recurrent_{number}").dropout == 0
        dropped = keras.Model(model.input, layer.output)
        found = np.asarray(dropped(np.zeros((1, 9), int), training=True)) == 0
        assert 0.3 < found.mean() < 0.7
        assert len(np.unique(found[0], axis=0)) > 5
