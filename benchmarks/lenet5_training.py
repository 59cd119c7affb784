"""Images per second of LeNet-5 in training, beside its peers.

`python -m benchmarks.lenet5_training`: the recipe's way compared with the same
network in plain Keras with Keras' defaults (`fit` on arrays), in plain Keras at
its best settings and, where PyTorch is installed, in PyTorch. Same batch size,
contenders alternately, medians and ratios.

What the recipe gains over Keras' defaults are two arguments of Keras' own
`compile`: `steps_per_execution` and `jit_compile=False`. The best settings are
the fastest of all in `SETTINGS`, without anything of this toolkit but the
network; which ones they were is printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time

import numpy as np

from toolkit._backend import load_tensorflow

BATCH = 128
STEPS = 400  # about an epoch of MNIST
DEFAULTS, BEST, OURS = "Keras, defaults", "Keras, best settings", "this toolkit"
# steps_per_execution and what `fit` reads, all with jit_compile=False
SETTINGS = [
    (steps, pipeline)
    for steps in (1, 50, 400)
    for pipeline in ("arrays", "tf.data")
]
TRIALS = 3  # epochs of each, the first of which compiles


def plain_keras(x, y, activation, pooling):
    from toolkit.models import lenet5

    model = lenet5(activation=activation, pooling=pooling)
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return lambda: model.fit(x, y, batch_size=BATCH, verbose=0)


def keras_batches(x, y):
    """Returns shuffled batches, gathered ahead: tf.data as its guide has it."""
    import tensorflow as tf

    images, labels = tf.constant(x), tf.constant(y)
    return (
        tf.data.Dataset.range(len(x))
        .shuffle(len(x))
        .batch(BATCH, drop_remainder=True)
        .map(
            lambda chosen: (
                tf.gather(images, chosen),
                tf.gather(labels, chosen),
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
    )


def keras_with(x, y, activation, pooling, steps, pipeline):
    """Returns an epoch of plain Keras with one choice of settings."""
    from toolkit.models import lenet5

    model = lenet5(activation=activation, pooling=pooling)
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=steps,
    )
    if pipeline == "arrays":
        return lambda: model.fit(x, y, batch_size=BATCH, verbose=0)
    batches = keras_batches(x, y)
    return lambda: model.fit(batches, verbose=0)


def best_keras(x, y, activation, pooling):
    """Returns an epoch of plain Keras with the fastest settings."""
    fastest, chosen, best = np.inf, None, None
    for most, pipeline in SETTINGS:
        steps = min(most, len(x) // BATCH)
        epoch = keras_with(x, y, activation, pooling, steps, pipeline)
        seconds = []
        for _ in range(TRIALS):
            started = time.perf_counter()
            epoch()
            seconds.append(time.perf_counter() - started)
        if min(seconds[1:]) < fastest:
            fastest, chosen, best = min(seconds[1:]), (steps, pipeline), epoch
    print(
        f"{activation}, {BEST}: steps_per_execution={chosen[0]}, "
        f"jit_compile=False, {chosen[1]}"
    )
    return best


def this_toolkit(x, y, activation, pooling):
    from toolkit.data import Images, training_batches
    from toolkit.models import lenet5
    from toolkit.training import steps_per_execution

    steps = len(x) // BATCH
    model = lenet5(activation=activation, pooling=pooling)
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=steps_per_execution(steps),
    )
    images = Images((x * 255).astype(np.uint8), y.astype(np.int32))
    batches = training_batches(images, batch_size=BATCH, seed=0, steps=steps)
    return lambda: model.fit(
        batches, steps_per_epoch=steps, shuffle=False, verbose=0
    )


def pytorch(x, y, activation, pooling):
    import torch
    from torch import nn

    act = {"tanh": nn.Tanh, "relu": nn.ReLU}[activation]
    pool = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}[pooling]
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5), act(), pool(2),
        nn.Conv2d(6, 16, 5), act(), pool(2), nn.Flatten(),
        nn.Linear(400, 120), act(), nn.Linear(120, 84), act(),
        nn.Linear(84, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters())
    loss_of = nn.CrossEntropyLoss()
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    labels = torch.from_numpy(y.astype(np.int64))

    def epoch():
        order = torch.randperm(len(images))
        for start in range(0, len(images), BATCH):
            chosen = order[start : start + BATCH]
            optimizer.zero_grad()
            loss_of(net(images[chosen]), labels[chosen]).backward()
            optimizer.step()

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    repeats, steps = arguments.repeats, arguments.steps
    tf = load_tensorflow()
    rng = np.random.default_rng(0)
    count = BATCH * steps
    x = rng.random((count, 32, 32, 1), np.float32)
    y = rng.integers(0, 10, count)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, "
        f"TensorFlow {tf.__version__}, batch {BATCH}, {repeats} repeats"
    )
    builders = {DEFAULTS: plain_keras, BEST: best_keras, OURS: this_toolkit}
    try:
        import torch

        builders[f"PyTorch {torch.__version__}"] = pytorch
    except ImportError:
        print("PyTorch: not installed, left out")
    for form in (("tanh", "average"), ("relu", "max")):
        contenders = {name: b(x, y, *form) for name, b in builders.items()}
        speeds: dict[str, list[float]] = {name: [] for name in contenders}
        for repeat in range(repeats + 1):
            for name, run in contenders.items():
                started = time.perf_counter()
                run()
                if repeat:  # the first call compiles
                    speeds[name].append(count / (time.perf_counter() - started))
        print(f"LeNet-5, {form[0]}, {form[1]} pooling")
        for name, found in speeds.items():
            ratios = [
                ours / theirs
                for ours, theirs in zip(speeds[OURS], found, strict=True)
            ]
            print(
                f"  {name:<22}{statistics.median(found):>9,.0f} images/s "
                f"({min(found):,.0f} to {max(found):,.0f}); this toolkit is "
                f"{statistics.median(ratios):.2f} times as fast"
            )


if __name__ == "__main__":
    main()
