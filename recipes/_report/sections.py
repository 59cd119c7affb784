"""The sections of the page: each takes a run and returns values or None."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from export.formats import FORMATS
from export.report import size
from export.runtime import DEFAULT_SIGNATURE as DEFAULT
from recipes._report.figures import png, svg
from recipes._report.files import RunFiles
from toolkit import plots
from toolkit.evaluation import classification


def headline(run: RunFiles) -> dict[str, Any]:
    """Title, result and key figures."""
    tiles: list[tuple[str, str]] = []
    text = "not evaluated yet"
    if run.evaluation:
        found = run.evaluation
        text = found["headline"]
        tiles += [
            *found["tiles"].items(),
            ("parameters", f"{found['parameters']:,}"),
            ("training time", duration(found["train_seconds"])),
        ]
    if run.export:
        formats = {f["format"] for f in run.export["formats"].values()}
        tiles.append(("verified formats", str(len(formats))))
    examples = (run.evaluation or {}).get("examples", "examples")
    return {
        "title": run.title,
        "text": text,
        "tiles": tiles,
        "examples": examples,
    }


def curves(run: RunFiles) -> dict[str, Any] | None:
    """Loss and accuracy per epoch, beside those of a validation split.

    None for a run with a trace: that is drawn, and finer.
    """
    rows = run.metrics
    if not rows or run.trace:
        return None
    data = (run.evaluation or {}).get("data", {})
    validated = data.get("validation") != 0
    losses = [row.get("val_loss", row["loss"]) for row in rows]
    best = int(rows[int(np.argmin(losses))]["epoch"]) if validated else None
    epochs = [int(row["epoch"]) for row in rows]
    figures = []
    loss = (run.evaluation or {}).get("loss", "loss, nats")
    for key, label in (("loss", loss), ("accuracy", "accuracy")):
        if key not in rows[0]:
            continue
        validation = (
            [row[f"val_{key}"] for row in rows]
            if f"val_{key}" in rows[0]
            else None
        )
        figure = plots.curves(
            epochs, [row[key] for row in rows], validation, label, best
        )
        figures.append(svg(figure, f"{label} per epoch"))
    strengths = ("shift", "rotation", "scale", "shear")
    return {
        "figures": figures,
        "speed": speed(run),
        "epochs": f"{epochs[-1]:,}",
        "validated": validated,
        "distorted": any(run.config.get(name) for name in strengths),
    }


def confusion(run: RunFiles) -> dict[str, Any] | None:
    """The confusion matrix and a table per class."""
    if "confusion_matrix" not in (run.evaluation or {}):
        return None
    counts = np.asarray(run.evaluation["confusion_matrix"])
    names = run.evaluation["class_names"]
    values = classification.per_class(counts)
    return {
        "figure": svg(
            plots.confusion_matrix(counts, names),
            "confusion matrix, true class by row, predicted by column",
        ),
        "rows": [
            (
                name,
                f"{values['precision'][i]:.3f}",
                f"{values['recall'][i]:.3f}",
                f"{values['f1'][i]:.3f}",
                int(values["support"][i]),
            )
            for i, name in enumerate(names)
        ],
    }


def mistakes(run: RunFiles) -> dict[str, Any] | None:
    """The worst mistakes as pictures."""
    if not run.predictions or "class_names" not in (run.evaluation or {}):
        return None
    found = run.predictions
    names = run.evaluation["class_names"]
    table = classification.two_columns(found["probabilities"])
    cards = []
    for index, image in zip(
        found["mistake_indices"], found["mistake_images"], strict=True
    ):
        row = table[index]
        label, guess = int(found["labels"][index]), int(row.argmax())
        cards.append(
            {
                "image": png(image),
                "true": names[label],
                "guess": names[guess],
                "guess_share": f"{row[guess]:.1%}",
                "true_share": f"{row[label]:.1%}",
            }
        )
    wrong = int((table.argmax(axis=1) != found["labels"]).sum())
    return {"cards": cards, "wrong": wrong, "count": len(found["labels"])}


def robustness(run: RunFiles) -> dict[str, Any] | None:
    """Accuracy against the strength of each distortion."""
    if not run.robustness:
        return None
    curves, units = run.robustness["curves"], run.robustness["units"]
    figure = plots.robustness_curves({run.title: curves}, units)
    rows = []
    for name, points in curves.items():
        worst = min(points, key=lambda p: p["accuracy"])
        rows.append(
            (
                name.replace("_", " "),
                units[name],
                f"{worst['strength']:g}",
                f"{worst['accuracy']:.1%}",
            )
        )
    return {
        "figure": svg(figure, "accuracy against the strength of distortions"),
        "rows": rows,
        "images": f"{run.robustness['images']:,}",
    }


def inside(run: RunFiles) -> dict[str, Any] | None:
    """Kernels, and what the net makes of one test image."""
    if not run.inside:
        return None
    found = run.inside
    parameters = json.loads(str(found["parameters"]))
    stages = [
        (name.removeprefix("maps/"), maps)
        for name, maps in found.items()
        if name.startswith("maps/")
    ]
    kernels = [
        (name.removeprefix("kernels/"), kernel)
        for name, kernel in found.items()
        if name.startswith("kernels/")
    ]
    # The table of a later layer is drawn; C5's 1,920 kernels are too many.
    tables = [k for k in kernels if k[1].shape[2] > 1 and k[1].size < 10_000]
    return {
        "maps": svg(
            plots.feature_maps(
                [(name.upper(), maps) for name, maps in stages],
                found["image"],
            ),
            "feature maps of a test image, a row per layer",
        ),
        "rows": [
            (
                name.upper(),
                " x ".join(map(str, maps.shape)),
                f"{parameters[name]:,}",
            )
            for name, maps in stages
        ],
        "first": svg(
            plots.kernels(kernels[0][1]),
            f"kernels of {kernels[0][0].upper()}",
        ),
        "first_name": kernels[0][0].upper(),
        "tables": [
            (
                name.upper(),
                svg(plots.kernel_table(kernel), f"kernels of {name}"),
            )
            for name, kernel in tables
        ],
    }


def exports(run: RunFiles) -> dict[str, Any] | None:
    """The exported files and the proof."""
    if not run.export:
        return None
    rows = []
    for item in run.export["formats"].values():
        worst = item["parity"]["worst"]
        kinds = item["operators"]
        rows.append(
            {
                "format": FORMATS[item["format"]].title,
                "signatures": ", ".join(item["signatures"]),
                "whole": DEFAULT in item["signatures"],
                "path": f"export/{item['path']}",
                "size": size(item["bytes"]),
                "operators": ", ".join(f"{k} {v}" for k, v in kinds.items()),
                "operator_count": sum(kinds.values()),
                "runtime": ", ".join(
                    f"{k} {v}" for k, v in item["requirements"].items() if v
                ),
                "difference": f"{worst['absolute']:.1e}",
                "share": f"{worst['share_of_tolerance']:.1%}",
                "cases": item["parity"]["cases"],
                "seconds": f"{sum(item['seconds'].values()):.1f}",
            }
        )
    parity = next(iter(run.export["formats"].values()))["parity"]
    return {
        "rows": rows,
        "several": any(row["signatures"] != DEFAULT for row in rows),
        "streams": [r["path"] for r in rows if "streaming" in r["signatures"]],
        "notes": run.export.get("notes", []),
        "rule": parity.get("rule", "by the rule of an older version"),
    }


def settings(run: RunFiles) -> dict[str, Any]:
    """The configuration and how to run it again."""
    environment = run.environment or {}
    return {
        "config": run.config.items(),
        "command": environment.get("command"),
        "environment": [
            (key, environment.get(key))
            for key in (
                "started", "python", "platform", "processor", "cpu_count",
                "git",
            )
            if environment.get(key)
        ],
        "versions": [
            (k, v) for k, v in environment.get("versions", {}).items() if v
        ],
        "data": (run.evaluation or {}).get("data"),
    }  # fmt: skip


def speed(run: RunFiles) -> str | None:
    """Returns the median of the examples per second, if it was noted."""
    speeds = [row["examples_per_second"] for row in run.timing or ()]
    return f"{np.median(speeds):,.0f}" if speeds else None


def duration(seconds: float) -> str:
    """Returns a time in seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
