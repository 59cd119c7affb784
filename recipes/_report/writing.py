"""What a language model writes."""

from __future__ import annotations

from recipes._report.files import RunFiles
from recipes._report.section import Part, Section


def section(run: RunFiles) -> Section | None:
    """Texts at several temperatures, and how the first ones looked."""
    if "texts" not in (run.evaluation or {}):
        return None
    found = run.evaluation
    parts = [
        Part(
            texts=[
                (
                    f"temperature {item['temperature']:g}",
                    item["prompt"] + item["text"],
                )
                for item in found["texts"]
            ],
            text="Below 1 the likely gets likelier; all were drawn with one "
            "seed.",
        )
    ]
    early = run.texts or []
    if len(early) > 1:
        parts.append(
            Part(
                title="How it learned to write",
                texts=[
                    (f"after epoch {number}", early[number - 1])
                    for number in _some(len(early))
                ],
            )
        )
    return Section(
        id="writing",
        title="What it writes",
        text=f"The text it learned from has the sha256 {found['sha256']}.",
        parts=parts,
    )


def _some(count: int) -> list[int]:
    """Returns the first, the last and up to two epochs between them."""
    return sorted({1, 1 + count // 4, 1 + count // 2, count})
