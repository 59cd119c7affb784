"""Words per second of language models in training, and of plain Keras.

`python -m benchmarks.language_training`: the recipe's way (streams in
tf.data, carried state, several steps per compiled call) against the same
layers as a user would write them in plain Keras: stateful `keras.layers.LSTM`
and `fit` on arrays, with Keras' defaults. Same sizes, optimizer and words,
contenders in turn in an order of its own every time, medians and ratios.

The second size is that of the preset `wikitext2`: the toolkit trains it with
the peer's full softmax, and once more with a sampled softmax and tied vectors,
which Keras has not: that ratio compares two objectives, not two programs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.recurrent_training import timed
from toolkit._backend import load_tensorflow

OURS, PEER = "this toolkit, full softmax", "plain Keras, full softmax"
SAMPLED = "this toolkit, sampled and tied"


@dataclass(frozen=True)
class Size:
    """Of a model, and of the text that is measured on."""

    name: str
    vocabulary: int
    units: int
    layers: int
    streams: int
    window: int
    steps: int  # of one measurement

    @property
    def words(self) -> int:
        """Of one measurement."""
        return self.streams * self.window * self.steps


SIZES = (
    Size("zaremba_small", 10_000, 200, 2, 20, 20, 60),
    Size("wikitext2", 33_278, 512, 1, 32, 35, 12),
)


def optimizer():
    import keras

    return keras.optimizers.SGD(1.0, global_clipnorm=5.0)


def plain_keras(size: Size, text: np.ndarray):
    import keras

    layers = [
        keras.layers.LSTM(size.units, return_sequences=True, stateful=True)
        for _ in range(size.layers)
    ]
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(size.streams, size.window), dtype="int32"),
            keras.layers.Embedding(size.vocabulary, size.units),
            *layers,
            keras.layers.Dense(size.vocabulary),
        ]
    )
    model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(True))
    rows = text[:-1].reshape(size.streams, size.steps, size.window)
    targets = text[1:].reshape(size.streams, size.steps, size.window)
    x, y = (
        part.swapaxes(0, 1).reshape(-1, size.window) for part in (rows, targets)
    )

    def epoch():
        for layer in layers:
            layer.reset_state()
        model.fit(x, y, batch_size=size.streams, shuffle=False, verbose=0)

    return epoch


def this_toolkit(size: Size, text: np.ndarray, **options):
    import keras

    from toolkit.data import stream_batches
    from toolkit.models import language_model, next_token_losses
    from toolkit.models.language_model import has_losses
    from toolkit.training import (
        CarriedState,
        steps_per_execution,
        with_carried_state,
    )

    model = language_model(
        size.vocabulary,
        "lstm",
        size.units,
        size.layers,
        size.units,
        **options,
    )
    pairs = has_losses(model)
    twin = with_carried_state(
        next_token_losses(model) if pairs else model, size.streams
    )
    twin.compile(
        optimizer(),
        None if pairs else keras.losses.SparseCategoricalCrossentropy(True),
        jit_compile=False,
        steps_per_execution=steps_per_execution(size.steps),
    )
    batches = stream_batches(
        text, streams=size.streams, window=size.window, steps=size.steps
    )
    if pairs:
        batches = batches.map(lambda x, y: ((x, y),))
    carried = CarriedState()
    return lambda: twin.fit(
        batches, callbacks=[carried], shuffle=False, verbose=0
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument(
        "--steps", type=int, default=0, help="of a measurement; 0 as stated"
    )
    arguments = parser.parse_args()
    repeats = arguments.repeats
    tf = load_tensorflow()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, "
        f"TensorFlow {tf.__version__}, {repeats} repeats"
    )
    rng = np.random.default_rng(0)
    for size in SIZES:
        size = replace(size, steps=arguments.steps or size.steps)
        text = rng.zipf(1.2, size.words + 1) % size.vocabulary
        contenders = {
            OURS: this_toolkit(size, text),
            PEER: plain_keras(size, text),
        }
        if size.name == "wikitext2":
            contenders[SAMPLED] = this_toolkit(
                size,
                text,
                tied=True,
                objective="sampled_softmax",
                counts=np.bincount(text, minlength=size.vocabulary) + 1,
            )
        print(
            f"{size.name}: {size.vocabulary:,} words, {size.layers} x "
            f"{size.units} units, {size.streams} streams of {size.window}"
        )
        for name, found, ratio in timed(contenders, repeats, PEER, warm_up=1):
            speeds = [size.words / seconds for seconds in found]
            print(
                f"  {name:<32}{statistics.median(speeds):>9,.0f} words/s "
                f"({min(speeds):,.0f} to {max(speeds):,.0f}), {ratio:.2f} "
                f"times {PEER}"
            )


if __name__ == "__main__":
    main()
