"""`toolkit robustness RUN...`."""

from __future__ import annotations

import json
from pathlib import Path

from recipes._cli.parsing import Parser
from toolkit.errors import ConfigError


def run(arguments: list[str]) -> None:
    """Measures runs or files on distorted images, side by side."""
    parser = Parser(
        "robustness",
        "Accuracy of runs or exported files on test images that are distorted "
        "more and more, side by side.",
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="run directories or exported files; NAME=PATH names one",
    )
    parser.add_argument(
        "--distortions", default="", help="some of them, with commas"
    )
    parser.add_argument(
        "--strengths",
        default="",
        help="with commas, for a single distortion; else its usual ones",
    )
    parser.add_argument(
        "--limit", type=int, default=1000, help="most test images"
    )
    parser.add_argument("--data", default="", help="another source of images")
    parser.add_argument(
        "--figure", default="", help="draw to this .svg or .png"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    figure = Path(options.figure) if options.figure else None
    if figure and figure.suffix not in (".svg", ".png"):
        raise ConfigError(
            f'--figure must end in .svg or .png. Received: "{figure}"'
        )
    if options.limit < 1:
        raise ConfigError(f"--limit must be at least 1: {options.limit}")
    found = _measure(options)
    from recipes._run.convolutional import show_robustness

    if options.json:
        print(json.dumps(found, indent=2))
    else:
        images = next(iter(found.values()))["images"]
        print(f"accuracy on {images} distorted test images, %")
        print("\n".join(show_robustness(found)))
    if figure:
        _draw(found, figure)


def _measure(options) -> dict[str, dict]:
    from toolkit._backend import load_tensorflow, silence

    load_tensorflow()
    from recipes._cli.evaluate_command import load_classifier, test_data
    from recipes._run.convolutional import measure_robustness

    grids = _grids(options.distortions, options.strengths)
    found: dict[str, dict] = {}
    for text in options.models:
        label, equals, place = text.partition("=")
        path = Path(place if equals else text)
        classify, metadata = load_classifier(path)
        data = test_data(metadata, options.data, path)
        with silence():  # delegates greet
            found[label] = measure_robustness(
                classify, data, metadata, grids, options.limit
            )
    return found


def _grids(names: str, strengths: str) -> dict | None:
    from toolkit.data.distortions import DISTORTIONS, check_strength
    from toolkit.errors import unknown

    chosen = [n.strip() for n in names.split(",") if n.strip()]
    for name in chosen:
        if name not in DISTORTIONS:
            raise ConfigError(unknown("distortion", name, DISTORTIONS))
    if not strengths:
        return {n: DISTORTIONS[n].grid for n in chosen} or None
    if len(chosen) != 1:
        raise ConfigError(
            "--strengths needs exactly one distortion. Received: "
            f'--distortions "{names}"'
        )
    try:
        values = [float(s) for s in strengths.split(",")]
    except ValueError as error:
        raise ConfigError(
            f'--strengths must be numbers with commas. Received: "{strengths}"'
        ) from error
    for value in values:
        check_strength(chosen[0], value)
    return {chosen[0]: values}


def _draw(found: dict[str, dict], path: Path) -> None:
    from toolkit import plots
    from toolkit.io import atomic_path

    figure = plots.robustness_curves(
        {label: one["curves"] for label, one in found.items()},
        {k: unit for one in found.values() for k, unit in one["units"].items()},
    )
    with atomic_path(path) as temporary:
        date = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
        figure.savefig(temporary, dpi=120, **date)
    print(path)
