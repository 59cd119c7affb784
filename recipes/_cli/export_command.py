"""`toolkit export RUN_OR_MODEL --to ...`."""

from __future__ import annotations

from pathlib import Path

from export import formats as table
from recipes._cli.parsing import (
    NAN_HELP,
    SAMPLES_HELP,
    SIZES_HELP,
    Parser,
    parse_sizes,
)
from toolkit.errors import ConfigError


def run(arguments: list[str]) -> None:
    """Exports, with proof."""
    parser = Parser(
        "export",
        "Export a run or a .keras file; every file is run in its runtime and "
        "compared with the Keras model before it gets its name.",
    )
    parser.add_argument("model", help="a run directory or a .keras file")
    parser.add_argument(
        "--to",
        default=",".join(table.FORMATS),
        help="formats, with commas",
    )
    parser.add_argument(
        "--output",
        default="",
        help="directory; by default RUN/export, or MODEL_export beside a file",
    )
    parser.add_argument(
        "--opset", type=int, default=0, help="of ONNX; 0 means the newest"
    )
    parser.add_argument(
        "--batch", type=int, default=0, help="fix the batch size; 0: open"
    )
    parser.add_argument(
        "--time", type=int, default=0, help="fix the length; 0: open"
    )
    parser.add_argument("--samples", default="", help=SAMPLES_HELP)
    parser.add_argument("--sizes", default="", help=SIZES_HELP)
    parser.add_argument("--allow-nan", action="store_true", help=NAN_HELP)
    parser.add_argument(
        "--signatures",
        default="",
        help="models inside the model that leave beside it, with commas, such "
        "as encoder,decoder; by default those of the recipe",
    )
    parser.add_argument(
        "--streaming",
        action="store_true",
        help="recurrent models: export a signature that takes chunks of a "
        "sequence, too",
    )
    parser.add_argument(
        "--states",
        choices=("explicit", "internal"),
        default="explicit",
        help="of a streaming signature: inputs and outputs, or kept by the "
        "file (LiteRT alone)",
    )
    parser.add_argument(
        "--chunk",
        type=int,
        default=0,
        help="steps of a chunk; 0: open, 1 is fastest step by step",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="only say how each layer would leave",
    )
    options = parser.parse_args(arguments)
    formats = [item.name for item in table.parse(options.to)]
    for name in ("opset", "batch", "time", "chunk"):
        if options[name] < 0:
            raise ConfigError(f"--{name} must not be below 0: {options[name]}")
    parse_sizes(options.sizes)
    _export(options, formats)


def _export(options, formats: list[str]) -> None:
    from recipes._cli.models import load_model, read_samples
    from recipes._run.exporting import (
        fitting_samples,
        load_metadata,
        load_samples,
    )
    from toolkit._backend import load_tensorflow
    from toolkit.io import Lock

    model = load_model(options.model)
    load_tensorflow()
    import export

    names = [s.strip() for s in options.signatures.split(",") if s.strip()]
    if options.explain:
        print(export.explain(model, signatures=names or None))
        return
    path = Path(options.model)
    is_run = path.is_dir()
    folder = path / "export" if is_run else path.with_suffix("")
    if not is_run:
        folder = folder.with_name(folder.name + "_export")
    settings = {
        "opset": options.opset or None,
        "fixed": {
            axis: options[axis] for axis in ("batch", "time") if options[axis]
        },
        "sizes": parse_sizes(options.sizes),
        "states": options.states,
        "chunk": options.chunk or None,
        "allow_nan": options.allow_nan,
    }
    samples = read_samples(options.samples) if options.samples else None
    if options.streaming:
        settings["streaming"] = True
    if not is_run:
        settings["signatures"] = names or None
        settings["samples"] = samples
        print(
            export.export(model, options.output or folder, formats, **settings)
        )
        return
    from recipes._run.config import RECIPE, read

    metadata = load_metadata(path)
    settings["signatures"] = metadata.pop("signatures", None)
    settings.setdefault("streaming", metadata.pop("streaming", False))
    if names:
        settings["signatures"] = names
    with Lock(path):
        report = export.export(
            model,
            options.output or folder,
            formats,
            name=read(path / "config.yaml")[RECIPE],
            metadata=metadata,
            samples=fitting_samples(load_samples(path), settings["fixed"])
            if samples is None
            else samples,
            **settings,
        )
        print(report)
