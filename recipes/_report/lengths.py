"""How much of a sequence has to be read."""

from __future__ import annotations

import numpy as np

from recipes._report.figures import svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from toolkit import plots


def section(run: RunFiles) -> Section | None:
    """Accuracy against the steps that were read."""
    if not run.lengths:
        return None
    found = run.lengths
    steps, accuracy = found["steps"], np.array(found["accuracy"])
    figure = plots.lines(
        steps,
        accuracy[:, None],
        ["accuracy"],
        "accuracy",
        "steps read",
    )
    return Section(
        id="lengths",
        title="Sequences that end early",
        text="Each training and validation sequence ended after a share of "
        f"its steps, drawn from {run.config['shortest']:.0%} to all. Here are "
        f"the {found['images']:,} test sequences, cut and padded; the net "
        "passes padding over.",
        parts=[
            Part(
                figures=[svg(figure, "accuracy against the steps read")],
                head=["steps read", "share", "accuracy"],
                rows=[
                    (str(n), f"{n / steps[-1]:.0%}", f"{a:.2%}")
                    for n, a in zip(steps, accuracy, strict=True)
                ],
                narrow=True,
            )
        ],
    )
