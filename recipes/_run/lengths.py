"""lengths.json: accuracy against how much of a sequence was read."""

from __future__ import annotations

import numpy as np

from recipes._run.run import Run
from toolkit.data import ImageData, cut_sequences, steps_in, to_inputs

FILE = "lengths.json"
LENGTHS = 6  # from the shortest to the whole
BATCH = 256  # images in one call


def measure_lengths(run: Run, data: ImageData, shortest: float) -> None:
    """Measures a run's model on test sequences that end early.

    Writes lengths.json and says what is in it.

    Args:
        run: a run with its trained model.
        data: images whose test split is used.
        shortest: the least share of a sequence, in (0, 1].
    """
    test = data.test
    sequences = to_inputs(test.images, data.preprocessing)
    time = sequences.shape[1]
    lengths = np.unique(
        [steps_in(s, time) for s in np.linspace(shortest, 1, LENGTHS)]
    )
    accuracies = [
        np.mean(
            run.model.predict(
                cut_sequences(sequences, steps), batch_size=BATCH, verbose=0
            ).argmax(axis=1)
            == test.labels
        )
        for steps in lengths
    ]
    run.write_json(
        FILE,
        {
            "images": len(test),
            "steps": lengths.tolist(),
            "accuracy": [float(a) for a in accuracies],
        },
    )
    run.say(f"accuracy on {len(test)} test images, read in part:")
    for steps, accuracy in zip(lengths, accuracies, strict=True):
        run.say(f"  {steps:>3} of {time} rows  {accuracy:7.2%}")
