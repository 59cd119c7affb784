"""Evaluating an encoder on the patterns it was trained on."""

from __future__ import annotations

import numpy as np

from recipes._run.evaluation import write_arrays, write_evaluation
from recipes._run.run import Run
from toolkit.evaluation import code_metrics


def evaluate_codes(run: Run, patterns: np.ndarray) -> dict[str, float]:
    """Evaluates a run's encoder and keeps the learned codes.

    Writes evaluation.json and codes.npz, and prints a table of the codes.

    Args:
        run: a run with its trained model, which holds `encoder`.
        patterns: `(N, inputs)`.

    Returns:
        Metrics by name.
    """
    codes = run.model.get_layer("encoder").predict_on_batch(patterns)
    outputs = run.model.predict_on_batch(patterns)
    metrics = code_metrics(patterns, outputs, codes)
    count, hidden = codes.shape
    run.metadata = {
        "task": "encoding",
        "data": "one-hot patterns",
        "signatures": ["encoder", "decoder"],
    }
    run.samples = patterns
    write_arrays(
        run, "codes.npz", patterns=patterns, codes=codes, outputs=outputs
    )
    right, distinct = (
        int(metrics[name]) for name in ("patterns_right", "distinct_codes")
    )
    for line in show_codes(patterns, codes):
        run.say(line)
    write_evaluation(
        run,
        task="encoding",
        description=(
            f"Encodes {count} one-hot patterns in {hidden} numbers and decodes "
            "them."
        ),
        headline=(
            f"{right} of {count} patterns right, {distinct} distinct codes"
        ),
        tiles={
            "patterns right": f"{right} of {count}",
            "distinct codes": f"{distinct} of {count}",
            "squared error": f"{metrics['squared_error']:.4f}",
        },
        metrics=metrics,
        split="training",
        count=count,
        examples="patterns",
        loss="squared error / 2",
        data={
            "source": "one-hot patterns",
            "train": count,
            "validation": 0,
            "test": 0,
        },
    )
    return metrics


def show_codes(patterns: np.ndarray, codes: np.ndarray) -> list[str]:
    """Returns a table: pattern, hidden values, hidden values rounded."""
    width = max(patterns.shape[1], len("input"))
    middle = 5 * codes.shape[1] - 1
    lines = [f"{'input':<{width}}  {'hidden values':<{middle}}  rounded"]
    for pattern, code in zip(patterns, codes, strict=True):
        bits = "".join(str(int(b)) for b in pattern)
        values = " ".join(f"{v:.2f}" for v in code)
        rounded = "".join(str(int(v > 0.5)) for v in code)
        lines.append(f"{bits:<{width}}  {values:<{middle}}  {rounded}")
    return lines
