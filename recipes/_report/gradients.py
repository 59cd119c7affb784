"""How large the gradients were: step back by step back, layer by layer."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from recipes._report.figures import svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from toolkit import plots

HEAD = ("layer", "when", "last step", "first step", "factor per step")


def section(run: RunFiles) -> Section | None:
    """Norms per step of each recurrent layer, and per layer by epoch."""
    if not run.gradient_norms:
        return None
    steps, layers = (
        {
            name.removeprefix(prefix): values
            for name, values in run.gradient_norms.items()
            if name.startswith(prefix)
        }
        for prefix in ("steps/", "layers/")
    )
    drawn: list[Markup] = []
    rows: list[tuple[str, ...]] = []
    for name, values in steps.items():
        moments = _moments(len(values))
        norms = np.stack([values[i] for i in moments.values()], axis=1)
        drawn.append(_back_in_time(name, norms, list(moments)))
        rows += [
            (name, when, *ends(norms[:, i])) for i, when in enumerate(moments)
        ]
    return Section(
        id="gradients",
        title="Gradients",
        text="Norms of the loss' gradient on one batch of training examples, "
        "without dropout: with respect to all weights of a layer, and of a "
        "recurrent layer to the state that each step hands on. From step to "
        "step back it shrinks or grows by a factor; over many steps it "
        "vanishes or explodes.",
        parts=[
            Part(
                figures=[*drawn, _by_layer(layers)],
                head=HEAD,
                rows=rows,
                narrow=True,
                text="Means over the batch. Where every step has an answer, "
                "the loss is that of the last one."
                if rows
                else "",
            ),
        ],
    )


def _back_in_time(name: str, norms: np.ndarray, moments: list[str]) -> Markup:
    figure = plots.lines(
        np.arange(len(norms)),
        norms,
        moments,
        f"norm of the gradient, {name}",
        "steps back from the last one read",
        log=True,
    )
    return svg(figure, f"norm of the gradient by step back, {name}")


def _by_layer(layers: dict[str, np.ndarray]) -> Markup:
    values = np.stack(list(layers.values()), axis=1)
    figure = plots.lines(
        np.arange(len(values)),
        values,
        list(layers),
        "norm of the gradient",
        "epochs of training",
        log=True,
    )
    return svg(figure, "norm of the gradient of each layer, by epoch")


def _moments(count: int) -> dict[str, int]:
    """Returns the notes that are shown, by what they are called."""
    found = {"before training": 0}
    if count > 1:
        found["after epoch 1"] = 1
    if count > 2:
        found[f"after epoch {count - 1}"] = count - 1
    return found


def ends(norms: np.ndarray) -> tuple[str, ...]:
    """Returns the norm at the last and the first step, and the factor.

    Args:
        norms: last step first, `(time,)`.
    """
    last, first = float(norms[0]), float(norms[-1])
    factor = "-"
    if len(norms) > 1 and last > 0:
        factor = f"{(first / last) ** (1 / (len(norms) - 1)):.2f}"
    return f"{last:.1e}", f"{first:.1e}", factor
