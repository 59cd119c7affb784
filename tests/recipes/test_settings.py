"""Settings that every recipe has, and whether they act."""

import dataclasses

import numpy as np
import pytest

from recipes import catalog, char_rnn, sequence_classifier
from recipes._run.run import Run
from recipes._run.start import prepare
from toolkit.errors import ConfigError

TINY = 1e-12  # a gradient that moves nothing in Adam, whose epsilon is 1e-7


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, None, "3", True])
@pytest.mark.parametrize("name", catalog.CATALOG)
def test_seed_of_every_recipe_is_checked(name, seed):
    config = catalog.get(name).Config
    with pytest.raises(ConfigError, match=f"--seed.*Received: {seed!r}"):
        config(seed=seed)
    assert config(seed=2**32 - 1).seed == 2**32 - 1


def test_seed_of_a_recipe_without_checks_is_checked():
    with pytest.raises(ConfigError, match="--seed.*Received: -1"):
        prepare(-1)


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_strings_of_every_recipe_are_text(name):
    config = catalog.get(name).Config
    strings = [
        field.name
        for field in dataclasses.fields(config)
        if isinstance(field.default, str)
    ]
    for field in strings[:1]:
        flag = field.replace("_", "-")
        with pytest.raises(ConfigError, match=rf"--{flag} is no .*\\udcff"):
            config(**{field: "a\udcff"})


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "abc.txt"
    path.write_text("abc cab. " * 100)
    return path


def moved(module, config, runs):
    """Returns how far one compiled call of steps moves the weights."""
    prepare(config.seed)
    data = module.build_data(config)
    model = module.build_model(config, data)
    before = model.get_weights()
    with Run(module.RECIPE, config, runs=runs, dry_run=True) as run:
        module.train(config, data, model, run)
    return max(
        np.abs(a - b).max()
        for a, b in zip(before, run.model.get_weights(), strict=True)
    )


NO_CLIPPING = {"clip_norm": 0.0, "clip_value": 0.0}
BY_NORM = {"clip_norm": TINY, "clip_value": 0.0}
BY_VALUE = {"clip_norm": 0.0, "clip_value": TINY}
SLOW = pytest.mark.slow  # each setting once and each recipe are quick


@pytest.mark.parametrize(
    ("module", "clipping", "moves"),
    [
        (char_rnn, NO_CLIPPING, True),
        (char_rnn, BY_NORM, False),
        pytest.param(char_rnn, BY_VALUE, False, marks=SLOW),
        pytest.param(sequence_classifier, NO_CLIPPING, True, marks=SLOW),
        pytest.param(sequence_classifier, BY_NORM, False, marks=SLOW),
        (sequence_classifier, BY_VALUE, False),
    ],
)
def test_gradients_are_clipped_in_training(
    module, clipping, moves, text, tmp_path
):
    settings = (
        {"data": str(text), "embedding": 3, "window": 8, "batch_size": 4}
        if module is char_rnn
        else {"size": 8, "batch_size": 256}
    )
    config = module.Config(units=4, epochs=1, **settings, **clipping)
    assert (moved(module, config, tmp_path) > 1e-4) == moves
