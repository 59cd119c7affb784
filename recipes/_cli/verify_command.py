"""`toolkit verify FILE --against MODEL.keras`."""

from __future__ import annotations

from recipes._cli.parsing import (
    NAN_HELP,
    SAMPLES_HELP,
    SIZES_HELP,
    Parser,
    parse_sizes,
)
from toolkit.errors import ConfigError


def run(arguments: list[str]) -> None:
    """Compares a file with a Keras model."""
    parser = Parser(
        "verify",
        "Run an exported file in its runtime and hold it against the Keras "
        "model, on random inputs and on your own. The file may have been made "
        "elsewhere.",
    )
    parser.add_argument(
        "path", metavar="FILE", help=".onnx, .tflite or SavedModel directory"
    )
    parser.add_argument(
        "--against",
        required=True,
        metavar="MODEL",
        help="a .keras file or a run directory",
    )
    parser.add_argument(
        "--samples",
        default="",
        help=SAMPLES_HELP,
    )
    parser.add_argument(
        "--atol",
        type=float,
        default=None,
        help="absolute tolerance, in place of the rule",
    )
    parser.add_argument(
        "--rtol",
        type=float,
        default=None,
        help="relative tolerance, in place of the rule",
    )
    parser.add_argument("--sizes", default="", help=SIZES_HELP)
    parser.add_argument(
        "--strength",
        action="store_true",
        help="also measure the share of wrong files that the comparison "
        "refuses: the file with one constant changed, for each constant",
    )
    parser.add_argument("--allow-nan", action="store_true", help=NAN_HELP)
    options = parser.parse_args(arguments)
    sizes = parse_sizes(options.sizes)
    for name in ("atol", "rtol"):
        if options[name] is not None and options[name] < 0:
            raise ConfigError(f"--{name} must not be below 0: {options[name]}")

    from export import formats as table
    from recipes._cli.models import load_model, read_samples

    table.of(options.path)
    samples = read_samples(options.samples) if options.samples else None
    model = load_model(options.against)
    import export

    print(
        export.verify(
            options.path,
            model,
            samples=samples,
            sizes=sizes,
            strength=options.strength,
            allow_nan=options.allow_nan,
            atol=options.atol,
            rtol=options.rtol,
        )
    )
