"""What an encoder's hidden units found, and how."""

from __future__ import annotations

import numpy as np

from recipes._report.figures import svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from toolkit import plots

POINTS = 500  # of a line; a page needs no more


def section(run: RunFiles) -> Section | None:
    """The three figures of the book, and the codes."""
    if not run.codes or not run.trace:
        return None
    found = run.trace
    epochs = np.arange(len(found["errors"]))
    shown = np.unique(np.linspace(0, epochs[-1], POINTS).astype(int))
    outputs, hidden = found["errors"].shape[1], found["code"].shape[1]
    pattern, unit = run.config["pattern"], run.config["unit"]
    one = "".join(str(int(b)) for b in run.codes["patterns"][pattern - 1])
    drawn = (
        (
            found["errors"],
            [f"output {i + 1}" for i in range(outputs)],
            "squared error, sum over patterns",
        ),
        (
            found["code"],
            [f"unit {i + 1}" for i in range(hidden)],
            f"hidden values for {one}",
        ),
        (
            found["weights"],
            [*(f"input {i + 1}" for i in range(outputs)), "bias"],
            f"weights into hidden unit {unit}",
        ),
    )
    rows = [
        (
            "".join(str(int(b)) for b in bits),
            *(f"{v:.2f}" for v in code),
            "".join(str(int(v > 0.5)) for v in code),
            "".join(str(int(v > 0.5)) for v in answer),
        )
        for bits, code, answer in zip(
            *(run.codes[k] for k in ("patterns", "codes", "outputs")),
            strict=True,
        )
    ]
    return Section(
        id="codes",
        title="What the hidden units found",
        text="Each input is coded by the values of the hidden units; rounded, "
        "they are a binary code that nobody told the net.",
        parts=[
            Part(
                head=[
                    "input",
                    *(f"unit {i + 1}" for i in range(hidden)),
                    "rounded",
                    "output, rounded",
                ],
                rows=rows,
            ),
            Part(
                title="How they found it",
                figures=[
                    svg(
                        plots.lines(epochs[shown], values[shown], names, label),
                        f"{label}, by epoch",
                    )
                    for values, names, label in drawn
                ],
            ),
        ],
    )
