"""evaluation.json: what a run says of its model, for page and card."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from recipes._run.run import Run
from toolkit.io import atomic_write


def write_evaluation(
    run: Run,
    *,
    task: str,
    description: str,
    headline: str,
    tiles: Mapping[str, str],
    metrics: Mapping[str, float],
    split: str,
    count: int,
    examples: str,
    data: Mapping[str, Any],
    loss: str = "loss, nats",
    **more: Any,
) -> None:
    """Sets `run.metrics` and writes evaluation.json.

    Args:
        run: a run with its trained model.
        task: as model hubs call it, such as `image-classification`.
        description: a sentence on what the model does.
        headline: the result in a few words.
        tiles: name and value of key figures.
        metrics: numbers by name; the first is the main one.
        split: what they were measured on.
        count: how many examples.
        examples: what the examples are, in the plural.
        data: `source`, and examples in `train`, `validation` and `test`.
        loss: what the loss is, and its unit, for an axis.
        more: what a section of the report needs.
    """
    run.metrics = dict(metrics)
    run.metadata["metrics"] = {
        f"{split}_{name}": round(value, 6) for name, value in metrics.items()
    }
    run.write_json("metadata.json", run.metadata)
    run.write_json(
        "evaluation.json",
        {
            "recipe": run.recipe,
            "task": task,
            "description": description,
            "headline": headline,
            "tiles": dict(tiles),
            "split": split,
            "count": count,
            "examples": examples,
            "metrics": run.metrics,
            "parameters": count_parameters(run.model),
            "train_seconds": round(run.train_seconds, 1),
            "data": dict(data),
            "loss": loss,
            **more,
        },
    )
    run.say(f"{split}: {headline}")


def count_parameters(model: keras.Model) -> int:
    """Returns how many numbers are learned; tables that are given are not."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def write_arrays(run: Run, name: str, **arrays: np.ndarray) -> None:
    """Writes an .npz into the run directory, atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    atomic_write(run.path / name, buffer.getvalue())
