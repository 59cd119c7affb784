"""What hidden units look for: their weights as pictures."""

from __future__ import annotations

from recipes._report.figures import svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from toolkit import plots


def section(run: RunFiles) -> Section | None:
    """Weights before and after training, and those into the outputs."""
    if not run.hidden_units:
        return None
    found = run.hidden_units
    outputs = found["outputs"]
    units = len(outputs) - 1
    names = (run.evaluation or {}).get("class_names", ())
    if outputs.shape[1] != len(names):  # a single output tells two classes
        names = names[-1:]
    return Section(
        id="hidden_units",
        title="What the hidden units look for",
        text=f"The weights from each pixel to the {units} hidden units: red "
        "ones add where the picture is light, blue ones subtract.",
        parts=[
            Part(
                figures=[
                    svg(
                        plots.kernels(found[key], columns=5),
                        f"weights into hidden units, {key} training",
                    )
                    for key in ("before", "after")
                ],
                text="Left: before training. Right: the epoch with the "
                "smallest error on the validation pictures. A figure has one "
                "scale for all its units.",
            ),
            Part(
                title="From the hidden units to the outputs",
                head=[
                    "output",
                    *(f"unit {i + 1}" for i in range(units)),
                    "bias",
                ],
                rows=[
                    (name, *(f"{w:+.2f}" for w in outputs[:, i]))
                    for i, name in enumerate(names)
                ],
            ),
        ],
    )
