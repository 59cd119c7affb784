"""LeNet-5 on small images: digits by default.

Task: one image in, one of R classes out.
Paper: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
document recognition, Proceedings of the IEEE 86 (1998).
Run: `toolkit train lenet5 --export saved_model,onnx,litert`
     `toolkit train lenet5 --preset mnist`
Measured on 2 cores, seeds 0, 1, 2: embedded digits 98.9 % right (99.7, 98.6,
98.3) in 10 s; MNIST 0.54 % error (0.48, 0.56, 0.57) in 5 min; as published
0.98 % (1.00, 1.00, 0.94) in 2 min, 0.58 % (0.60, 0.58, 0.55) with distortions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recipes._run.config import check, check_shift, fixed
from recipes._run.run import Run
from recipes._run.types import ImageData, Model

RECIPE = "lenet5"
DISTORTED = (
    "shift", "rotation", "scale", "shear", "squeeze", "stroke_width", "noise",
)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """LeNet-5 as taught today, with a softmax, or as published in 1998.

    Args:
        variant: `softmax`, or `published`: sparse connections, trainable
            subsampling, scaled tanh, distances from bitmap codes; there
            activation, pooling, dropout and batch normalization are fixed.
        data: `embedded` (scikit-learn's digits), `tfds:NAME`, or a folder of
            class folders or of IDX files.
        resize: how images get to 32x32: `auto`, `pad` or `bilinear`.
        activation: of the convolutions and dense layers.
        pooling: `average` (as taught) or `max`.
        dropout: share of the dense units dropped in training, in [0, 1).
        batch_normalization: whether to normalize each layer but the last.
        epochs: passes over the training images.
        batch_size: images per step.
        learning_rate: at the start; falls to 0 along a cosine.
        weight_decay: of AdamW; 0 means Adam.
        j: penalty of the class of rubbish in the published loss.
        shift: largest random shift of a training image, in pixels.
        rotation: largest random rotation, in degrees.
        scale: largest random enlargement or reduction, as a fraction.
        shear: largest random slant, in degrees.
        squeeze: largest random widening or narrowing, as a fraction.
        stroke_width: largest random thickening or thinning, in pixels.
        noise: largest standard deviation of Gaussian noise, in [0, 1].
        seed: of the weights, the order and the augmentation.
    """

    variant: Literal["softmax", "published"] = "softmax"
    data: str = "embedded"
    resize: Literal["auto", "pad", "bilinear"] = "auto"
    activation: Literal["tanh", "relu", "elu", "gelu", "sigmoid"] = "tanh"
    pooling: Literal["average", "max"] = "average"
    dropout: float = 0.0
    batch_normalization: bool = False
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    j: float = 10.0
    shift: float = 2.0
    rotation: float = 10.0
    scale: float = 0.1
    shear: float = 8.0
    squeeze: float = 0.0
    stroke_width: float = 0.0
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self):
        check(
            self,
            at_least={
                **dict.fromkeys(("epochs", "batch_size"), 1),
                **dict.fromkeys(("dropout", "weight_decay", *DISTORTED), 0),
            },
            above={"learning_rate": 0, "j": 0},
            below={"dropout": 1, "scale": 1, "squeeze": 1},
        )
        if self.variant == "published":
            fixed(
                self,
                "published variant",
                activation="tanh",
                pooling="average",
                dropout=0,
                batch_normalization=False,
            )


MODERN = {"activation": "relu", "pooling": "max"}
PRESETS = {
    "lecture": {},
    "modern": MODERN,
    "published": {"variant": "published"},
    "mnist": {
        **MODERN,
        "data": "tfds:mnist",
        "dropout": 0.2,
        "epochs": 60,
        "batch_size": 128,
        "rotation": 12.0,
        "scale": 0.12,
    },
    "mnist_published": {
        "variant": "published",
        "data": "tfds:mnist",
        "epochs": 20,
        "batch_size": 128,
        **dict.fromkeys(DISTORTED, 0.0),
    },
    "mnist_published_distorted": {
        "variant": "published",
        "data": "tfds:mnist",
        "epochs": 40,
        "batch_size": 128,
    },
}


def build_data(config: Config) -> ImageData:
    """Loads the images, 32x32."""
    from toolkit.data import load_images

    data = load_images(config.data, size=(32, 32), resize=config.resize)
    check_shift(config.shift, data.image_shape)
    if config.variant == "published":
        return data.scaled(ground=-0.1, ink=1.175)
    return data


def build_model(config: Config, data: ImageData) -> Model:
    """Builds the net for the data's channels and classes."""
    from toolkit.models import lenet5, lenet5_published

    if config.variant == "published":
        return lenet5_published(classes=len(data.class_names))
    return lenet5(
        input_shape=data.image_shape,
        classes=len(data.class_names),
        activation=config.activation,
        pooling=config.pooling,
        dropout=config.dropout,
        batch_normalization=config.batch_normalization,
    )


def train(config: Config, data: ImageData, model: Model, run: Run) -> None:
    """Trains with Adam along a cosine, on distorted images."""
    import keras

    from recipes._run import fit
    from toolkit.data import (
        augmentation,
        evaluation_batches,
        steps_per_epoch,
        training_batches,
    )
    from toolkit.layers import MAPLoss, SmallestPenaltyAccuracy
    from toolkit.training import steps_per_execution

    # Steps
    steps = steps_per_epoch(len(data.train), config.batch_size)

    # Optimizer
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, steps * config.epochs
    )
    optimizer = keras.optimizers.Adam(
        schedule, weight_decay=config.weight_decay or None
    )
    if config.variant == "published":
        loss, accuracy = MAPLoss(config.j), SmallestPenaltyAccuracy()
    else:
        loss, accuracy = "sparse_categorical_crossentropy", "accuracy"
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=[accuracy],
        jit_compile=False,  # on a CPU compiled convolutions are slower
        steps_per_execution=steps_per_execution(steps),
    )

    # Fit
    fit(
        run,
        model,
        lambda start: training_batches(
            data.train,
            batch_size=config.batch_size,
            seed=config.seed,
            steps=steps * config.epochs - start,
            start=start,
            augment=augmentation(
                **{name: getattr(config, name) for name in DISTORTED}
            ),
            **data.scaling,
        ),
        evaluation_batches(data.validation, batch_size=256, **data.scaling),
        epochs=config.epochs,
        steps_per_epoch=steps,
        batch_size=config.batch_size,
    )


def evaluate(config: Config, data: ImageData, run: Run) -> dict[str, float]:
    """Evaluates on the test split, plain and distorted; looks inside."""
    from recipes._run import evaluate_classifier, look_inside

    rubbish = config.j if config.variant == "published" else None
    metrics = evaluate_classifier(run, data, rubbish_penalty=rubbish)
    look_inside(run, data, ("c1", "s2", "c3", "s4", "c5"))
    return metrics


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
