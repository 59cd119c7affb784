"""Forward and backward of `PeepholeLSTM`, beside Keras' and PyTorch's LSTM.

`python -m benchmarks.recurrent_training`: one step of training (forward, loss,
gradients of all weights) in one compiled call each, contenders in turn in an
order of its own every time, medians and ratios. Keras' LSTM and PyTorch's have
no peepholes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time

import numpy as np

from toolkit._backend import load_tensorflow

SIZES = ((32, 35, 256, 256), (16, 128, 128, 128), (64, 64, 64, 512))


def of_keras(layer, x):
    import tensorflow as tf

    layer.build(x.shape)
    inputs = tf.constant(x)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(inputs, training=True)))
        return tape.gradient(loss, layer.trainable_variables)

    return lambda: step()[0].numpy()


def of_pytorch(x, units):
    import torch

    layer = torch.nn.LSTM(x.shape[2], units, batch_first=True)
    inputs = torch.from_numpy(x)

    def step():
        layer.zero_grad()
        layer(inputs)[0].square().mean().backward()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    tf = load_tensorflow()
    import keras

    from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell

    try:
        import torch
    except ImportError:
        torch = None
        print("PyTorch: not installed, left out")
    ours = "PeepholeLSTM"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, "
        f"TensorFlow {tf.__version__}, {repeats} repeats"
    )
    rng = np.random.default_rng(0)
    for batch, steps, features, units in SIZES:
        x = rng.normal(size=(batch, steps, features)).astype("float32")
        full = {"return_sequences": True}
        contenders = {
            ours: of_keras(PeepholeLSTM(units, **full), x),
            "Keras LSTM": of_keras(keras.layers.LSTM(units, **full), x),
            "RNN(PeepholeLSTMCell)": of_keras(
                keras.layers.RNN(PeepholeLSTMCell(units), **full), x
            ),
        }
        if torch:
            contenders[f"PyTorch {torch.__version__}"] = of_pytorch(x, units)
        print(
            f"batch {batch}, time {steps}, features {features}, units {units}"
        )
        for name, found, ratio in timed(contenders, repeats, ours):
            print(
                f"  {name:<22}{1e3 * statistics.median(found):>8.1f} ms "
                f"({1e3 * min(found):.1f} to {1e3 * max(found):.1f}); "
                f"{ours} takes {ratio:.2f} of it"
            )


def timed(contenders, repeats, ours, warm_up=3):
    """Calls all in turn; returns name, seconds, and ours over its median."""
    rng = np.random.default_rng(0)
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats + warm_up):
        for index in rng.permutation(len(names)):
            started = time.perf_counter()
            contenders[names[index]]()
            if repeat >= warm_up:
                seconds[names[index]].append(time.perf_counter() - started)
    return [
        (
            name,
            found,
            statistics.median(
                a / b for a, b in zip(seconds[ours], found, strict=True)
            ),
        )
        for name, found in seconds.items()
    ]


if __name__ == "__main__":
    main()
