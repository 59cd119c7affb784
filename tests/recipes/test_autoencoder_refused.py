"""Settings and images that an autoencoder cannot take."""

import re

import numpy as np
import pytest
from PIL import Image

from recipes._cli.main import main
from recipes.autoencoder import PRESETS, Config, build_data
from toolkit.errors import ConfigError


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": 1.0}, "--noise must be below 1. Received: 1.0"),
        ({"noise": -0.1}, "--noise must be at least 0. Received: -0.1"),
        ({"code": 0}, "--code must be at least 1"),
        ({"hidden": "256,x"}, '--hidden must be whole .* Received: "256,x"'),
        ({"hidden": "256,0"}, "--hidden must be whole numbers of at least 1"),
        ({"hidden": "1.5"}, "--hidden must be whole numbers of at least 1"),
        ({"hidden": "256,"}, "--hidden must be whole numbers of at least 1"),
        ({"filters": ""}, "--filters must be whole numbers of at least 1"),
        ({"filters": "8"}, "--filters has no effect in the dense architecture"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0"),
        ({"patience": -1}, "--patience must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": 0.005}, r"leave 1. Received: --noise=0.005, which sets 0"),
        ({"noise": 0.999}, r"64 pixels .* --noise=0.999, which sets 64\."),
        ({"shift": 8}, r"--shift must be below .* \(8 pixels\).*Received: 8"),
    ],
)
def test_settings_that_do_not_fit_the_images_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        build_data(Config(**settings))
    for name, value in (("noise", 0.01), ("noise", 0.98), ("shift", 7)):
        build_data(Config(**{name: value}))


def test_every_preset_is_a_configuration():
    for settings in PRESETS.values():
        Config(**settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--code", "64"], "narrower than the input of 64 numbers"),
        (
            ["--preset", "convolutional", "--filters", "4,4,4,4"],
            "multiples of 16",
        ),
    ],
)
def test_nets_that_cannot_be_are_refused(arguments, message, tmp_path, capfd):
    runs = ["--runs", tmp_path]
    assert toolkit("train", "autoencoder", *arguments, *runs) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ") and message in error
    assert "Traceback" not in error


def test_images_of_mixed_sizes_are_refused_with_a_way_out(
    tmp_path, capfd, without_page
):
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    for name in ("dark", "light"):
        (folder / name).mkdir(parents=True)
        for i in range(30):
            side = 8 if i % 2 else 10
            pixels = rng.integers(0, 256, (side, side), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    settings = [
        "train", "autoencoder", "--data", folder, "--code", 2, "--hidden", 8,
        "--epochs", 1, "--runs", tmp_path / "runs",
    ]  # fmt: skip

    def way_out():
        error = capfd.readouterr().err
        return re.search(r"all be resized: (.*)\.$", error, re.M)[1]

    assert toolkit(*settings) == 1
    flags = way_out()
    assert toolkit(*settings, "--resize", "bilinear") == 1
    assert way_out() == "--size N, which --resize bilinear needs"
    settings += flags.replace("N", "8").split()
    assert toolkit(*settings) == 0
    assert toolkit(*settings, "--code", 50) == 2
    error = capfd.readouterr().err
    assert "--code must be at most the number of training images (4" in error
