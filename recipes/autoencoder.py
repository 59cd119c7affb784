"""Autoencoders: images through a narrow code and back.

Task: an image in, the same image out, through a few numbers; the error says
how unusual an image is.
Papers: Hinton, Salakhutdinov: Reducing the dimensionality of data with neural
networks, Science 313 (2006); Vincent, Larochelle, Bengio, Manzagol: Extracting
and composing robust features with denoising autoencoders (2008).
Run: `toolkit train autoencoder --export saved_model,onnx,litert`
     `toolkit train autoencoder --preset map`
     `toolkit train autoencoder --preset mnist`
Measured on 2 cores, squared error per test image, seeds 0, 1, 2: embedded
digits 0.70 (0.70, 0.71, 0.70) in 5 s, PCA to 8 numbers 1.60; map 1.88 (1.87,
2.01, 1.76), PCA 3.45; tied 0.66 (0.66, 0.67, 0.65); denoising 0.97 (0.98,
0.97, 0.96), from noisy inputs 1.15, PCA 2.45; convolutional 0.70 (0.69, 0.71,
0.72); MNIST to 30 numbers 2.52 (2.51, 2.52, 2.52) in 5 min, PCA 13.87.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from recipes._run.config import check, check_shift, fixed, sizes
from recipes._run.run import Run
from recipes._run.types import ImageData, Model
from toolkit.errors import ConfigError

RECIPE = "autoencoder"
FILTERS = "32,64"


@dataclass(frozen=True)
class Config:
    """An autoencoder of images, held against PCA of the same width.

    Args:
        data: `embedded` (scikit-learn's digits), `tfds:NAME`, or a folder of
            class folders or of IDX files.
        resize: for images of mixed sizes, `bilinear` together with `size`.
        size: height and width of an input; 0 keeps the images' own.
        architecture: `dense`; `tied`, whose decoder has the encoder's
            weights transposed; or `convolutional`.
        hidden: units of the encoder's dense layers with commas, such as
            1000,500,250; the decoder has them in reverse. May be empty.
        filters: maps of each convolution, which halves the image; of the
            convolutional architecture, before the dense layers.
        code: numbers in a code; 2 for a map.
        activation: of all layers but code and output.
        noise: share of each training image's pixels that are set to 0 while
            the target stays whole, in [0, 1); validation images too.
        shift: largest random shift of a training image, in whole pixels;
            parts of a pixel would blur the targets.
        epochs: passes over the training images, at most.
        patience: epochs without a better one, by the error on the validation
            images, after which training stops; 0 never stops it.
        batch_size: images per step.
        learning_rate: at the start; falls to 0 along a cosine.
        seed: of the weights, the order, the shifts and the noise.
    """

    data: str = "embedded"
    resize: Literal["auto", "pad", "bilinear"] = "auto"
    size: int = 0
    architecture: Literal["dense", "tied", "convolutional"] = "dense"
    hidden: str = "256,128,64"
    filters: str = FILTERS
    code: int = 8
    activation: Literal["elu", "relu", "gelu", "tanh", "sigmoid"] = "elu"
    noise: float = 0.0
    shift: int = 0
    epochs: int = 100
    patience: int = 0
    batch_size: int = 32
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self):
        check(
            self,
            at_least={
                **dict.fromkeys(("code", "epochs", "batch_size"), 1),
                **dict.fromkeys(("size", "noise", "shift", "patience"), 0),
            },
            above={"learning_rate": 0},
            below={"noise": 1},
        )
        sizes(self, "hidden", empty=True)
        sizes(self, "filters")
        if self.architecture != "convolutional":
            fixed(self, f"{self.architecture} architecture", filters=FILTERS)


MNIST = {
    "data": "tfds:mnist",
    "hidden": "1000,500,250",
    "code": 30,
    "epochs": 60,
    "batch_size": 256,
    "learning_rate": 1e-3,
    "shift": 1,
}
PRESETS = {
    "default": {},
    "map": {"code": 2},
    "tied": {"architecture": "tied"},
    "denoising": {"noise": 0.25},
    "convolutional": {
        "architecture": "convolutional",
        "hidden": "64",
        "epochs": 60,
    },
    "mnist": MNIST,
    "mnist_map": {**MNIST, "code": 2, "shift": 0},
}


def build_data(config: Config) -> ImageData:
    """Loads the images; their inputs are in [0, 1]."""
    from toolkit.data import load_images, masked_pixels

    size = (config.size, config.size) if config.size else None
    data = load_images(config.data, size=size, resize=config.resize)
    if len(data.train) < config.code < math.prod(data.image_shape):
        raise ConfigError(
            "--code must be at most the number of training images "
            f"({len(data.train)}), or there is no PCA of the same width. "
            f"Received: {config.code}"
        )
    check_shift(config.shift, data.image_shape)
    masked_pixels("--noise", config.noise, data.image_shape)
    return data


def build_model(config: Config, data: ImageData) -> Model:
    """Builds encoder and decoder, two models inside the model."""
    from toolkit.models import autoencoder, convolutional_autoencoder

    shared = {
        "hidden": sizes(config, "hidden", empty=True),
        "code": config.code,
        "activation": config.activation,
        "name": RECIPE,
    }
    if config.architecture == "convolutional":
        return convolutional_autoencoder(
            data.image_shape, filters=sizes(config, "filters"), **shared
        )
    tied = config.architecture == "tied"
    return autoencoder(data.image_shape, tied=tied, **shared)


def train(config: Config, data: ImageData, model: Model, run: Run) -> None:
    """Minimizes the squared error with Adam along a cosine."""
    import keras

    from recipes._run import fit
    from toolkit.data import (
        augmentation,
        evaluation_batches,
        reconstruction_batches,
        steps_per_epoch,
        training_batches,
    )
    from toolkit.training import SumSquaredError, steps_per_execution

    # Steps
    steps = steps_per_epoch(len(data.train), config.batch_size)
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                config.learning_rate, steps * config.epochs
            )
        ),
        loss=SumSquaredError(),
        jit_compile=False,
        steps_per_execution=steps_per_execution(steps),
    )

    # Inputs with noise, targets without
    noise = {"noise": config.noise, "seed": config.seed}

    def training(start: int):
        batches = training_batches(
            data.train,
            batch_size=config.batch_size,
            seed=config.seed,
            steps=steps * config.epochs - start,
            start=start,
            augment=augmentation(shift=config.shift, whole_pixels=True),
            **data.scaling,
        )
        return reconstruction_batches(batches, start=start, **noise)

    validation = evaluation_batches(
        data.validation, batch_size=256, **data.scaling
    )

    # Fit
    fit(
        run,
        model,
        training,
        reconstruction_batches(validation, **noise),
        epochs=config.epochs,
        steps_per_epoch=steps,
        batch_size=config.batch_size,
        patience=config.patience,
    )


def evaluate(config: Config, data: ImageData, run: Run) -> dict[str, float]:
    """Evaluates on the test split, beside PCA; looks for unusual images."""
    from recipes._run import evaluate_autoencoder

    return evaluate_autoencoder(run, data, noise=config.noise, seed=config.seed)


def main(config: Config | None = None, run: Run | None = None) -> Run:
    """Trains and evaluates.

    Args:
        config: the settings; all defaults if None.
        run: where the results go; a new directory under `runs` if None.

    Returns:
        The run: `.model`, `.history`, `.metrics`, `.export([...])`.
    """
    from recipes._run.start import prepare

    config = config or Config()
    run = run or Run(RECIPE, config)
    with run:
        prepare(config.seed)
        data = build_data(config)
        model = build_model(config, data)
        train(config, data, model, run)
        evaluate(config, data, run)
    return run
