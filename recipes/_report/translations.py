"""What an encoder-decoder writes, and where it looks for it."""

from __future__ import annotations

import numpy as np

from recipes._report.figures import noting_glyphs, svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from toolkit import plots


def section(run: RunFiles) -> Section | None:
    """Some translations of the test split, and heat maps of attention."""
    found = run.evaluation or {}
    if "translations" not in found:
        return None
    parts = [
        Part(
            head=("source", "written", "expected", "right"),
            rows=[
                (source, written, expected, "yes" if same else "no")
                for source, written, expected in found["translations"]
                for same in (written == expected,)
            ],
            words=True,
            text=f"BLEU: {found['bleu_signature']}.",
        )
    ]
    with noting_glyphs() as missing:
        figures = [
            svg(
                plots.attention_map(
                    np.array(item["weights"]), item["source"], item["target"]
                ),
                f"attention: {' '.join(item['target'])} out of "
                f"{' '.join(item['source'])}",
            )
            for item in found.get("attention", ())
        ]
    if figures:
        scale = svg(plots.attention_scale(), "colours of the weights, 0 to 1")
        parts += [
            Part(title="Where it looks", figures=[scale], sized=True),
            Part(
                figures=figures,
                text="Weights of attention, a row for each token written, on "
                "one scale and with cells of one size."
                + " The font lacks some characters: boxes."
                * bool(missing),
                sized=True,
            ),
        ]
    text = "Pairs from all over the test split."
    if left_out := found.get("left_out"):
        text += (
            f" {left_out:,} pairs with more than {run.config['max_length']} "
            "tokens were left out of training."
        )
    return Section(
        id="translations",
        title="What it writes",
        text=text,
        parts=parts,
    )
