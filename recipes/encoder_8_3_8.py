"""The 8-3-8 encoder: eight patterns through three hidden units.

Task: the identity on one-hot patterns; the hidden units have to find a code.
Source: T. Mitchell: Machine learning (1997), section 4.6.4 and figures 4.7
to 4.9; D. Rumelhart, J. McClelland: Parallel distributed processing (1986).
Run: `toolkit train encoder_8_3_8`
     `toolkit train encoder_8_3_8 --preset fast`
     `toolkit train encoder_8_3_8 --preset published`
Measured on 2 cores, seeds 0 to 9: all 8 patterns right in 10 of 10, 8 distinct
codes in 9 of 10, 8 s; published 10, 6, 7 s; fast 10, 8, 1.5 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from recipes._run.config import check, fixed
from recipes._run.run import Run
from recipes._run.types import Model
from toolkit.errors import ConfigError

RECIPE = "encoder_8_3_8"
ROWS = 10  # of metrics.csv
MOMENTUM = 0.9


@dataclass(frozen=True)
class Config:
    """The encoder problem: N one-hot patterns through a few sigmoid units.

    Args:
        inputs: how many patterns, and how long each is.
        hidden: units of the hidden layer, fewer than the inputs.
        epochs: passes over all patterns.
        batch_size: patterns per step, a divisor of the inputs; 1 is
            stochastic gradient descent.
        optimizer: `sgd`, as published, or `adam`.
        learning_rate: constant.
        momentum: of stochastic gradient descent, in [0, 1).
        initial_range: weights begin uniform within plus or minus this.
        pattern: whose hidden code is watched, from 1.
        unit: hidden unit whose weights are watched, from 1.
        seed: of the weights and the order.
    """

    inputs: int = 8
    hidden: int = 3
    epochs: int = 5000
    batch_size: int = 1
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 0.3
    momentum: float = MOMENTUM
    initial_range: float = 0.5
    pattern: int = 2
    unit: int = 1
    seed: int = 0

    def __post_init__(self):
        check(
            self,
            at_least={
                "inputs": 2, "hidden": 1, "epochs": 1, "batch_size": 1,
                "momentum": 0, "pattern": 1, "unit": 1,
            },
            above={"learning_rate": 0, "initial_range": 0},
            below={"momentum": 1},
        )  # fmt: skip
        if self.hidden >= self.inputs:
            raise ConfigError(
                f"--hidden must be below --inputs ({self.inputs}), or there "
                f"is nothing to encode. Received: {self.hidden}"
            )
        if self.inputs % self.batch_size:
            raise ConfigError(
                f"--batch-size must be a divisor of --inputs ({self.inputs}), "
                "or each epoch leaves patterns out. Received: "
                f"{self.batch_size}"
            )
        if self.optimizer == "adam" and self.momentum:
            fixed(self, "optimizer adam", momentum=MOMENTUM)
        for name, most in (("pattern", "inputs"), ("unit", "hidden")):
            if getattr(self, name) > getattr(self, most):
                raise ConfigError(
                    f"--{name} must be at most --{most} "
                    f"({getattr(self, most)}). Received: {getattr(self, name)}"
                )


PRESETS = {
    "default": {},
    "published": {"momentum": 0.0, "initial_range": 0.1},
    "fast": {
        "epochs": 1000,
        "batch_size": 8,
        "optimizer": "adam",
        "learning_rate": 0.05,
        "momentum": 0.0,
        "initial_range": 0.1,
    },
}


def build_data(config: Config) -> Any:
    """Returns the patterns, `(inputs, inputs)`."""
    import numpy as np

    return np.eye(config.inputs, dtype="float32")


def build_model(config: Config, data: Any) -> Model:
    """Builds the net: encoder and decoder are a layer of sigmoids each."""
    import keras

    from toolkit.models import autoencoder

    small = keras.initializers.RandomUniform(
        -config.initial_range, config.initial_range
    )
    return autoencoder(
        (config.inputs,),
        hidden=(),
        code=config.hidden,
        code_activation="sigmoid",
        kernel_initializer=small,
        bias_initializer=small,
        name=RECIPE,
    )


def train(config: Config, data: Any, model: Model, run: Run) -> None:
    """Backpropagation; a compiled call is an epoch, noted in the trace."""
    import keras

    from recipes._run import fit, write_arrays
    from toolkit.data import training_pairs
    from toolkit.evaluation import watch_codes
    from toolkit.training import SumSquaredError, Trace

    steps = len(data) // config.batch_size
    model.compile(
        optimizer=keras.optimizers.SGD(config.learning_rate, config.momentum)
        if config.optimizer == "sgd"
        else keras.optimizers.Adam(config.learning_rate),
        loss=SumSquaredError(0.5),
        jit_compile=False,
        steps_per_execution=steps,
    )
    trace = Trace(watch_codes(data, config.pattern - 1, config.unit - 1))
    fit(
        run,
        model,
        lambda start: training_pairs(
            data,
            data,
            batch_size=config.batch_size,
            seed=config.seed,
            steps=steps * config.epochs - start,
            start=start,
        ),
        training_pairs(data, data, batch_size=len(data), seed=0, steps=1),
        epochs=config.epochs,
        steps_per_epoch=steps,
        batch_size=config.batch_size,
        report_every=next(
            n for n in range(-(-config.epochs // ROWS), config.epochs + 1)
            if config.epochs % n == 0
        ),
        callbacks=[trace],
    )  # fmt: skip
    write_arrays(run, "trace.npz", **trace.arrays())


def evaluate(config: Config, data: Any, run: Run) -> dict[str, float]:
    """Holds every output to its target; prints the learned codes."""
    from recipes._run import evaluate_codes

    return evaluate_codes(run, data)


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
