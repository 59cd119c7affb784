"""`toolkit generate RUN_OR_FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from export import runtime
from recipes._cli.exported import in_runtime, open_model
from recipes._cli.parsing import Parser
from recipes._run.writing import (
    check_vocabulary,
    encode_prompt,
    vocabulary_of,
)
from toolkit._backend import load_tensorflow
from toolkit.errors import ToolkitError
from toolkit.text import check_sampling


def run(arguments: list[str]) -> None:
    """Lets a language model write."""
    parser = Parser(
        "generate",
        "Let a language model write text, going on from a prompt: that of a "
        "run, or an exported file, which takes no TensorFlow.",
    )
    parser.add_argument(
        "model", help="run directory, or a .onnx or .tflite file with streaming"
    )
    parser.add_argument(
        "--prompt", default="", help="what the text begins with"
    )
    parser.add_argument(
        "--length", type=int, default=500, help="characters or words to write"
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        help="above 0; below 1 the likely gets likelier",
    )
    parser.add_argument(
        "--top-k",
        type=int,
        default=0,
        help="draw from so many likeliest tokens; 0: all, 1: greedy",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the same one writes the same"
    )
    options = parser.parse_args(arguments)
    # Before seconds go by for TensorFlow
    check_sampling(
        options.temperature, options.top_k, options.length, options.seed
    )
    writer = _writer(Path(options.model), options.prompt)
    with in_runtime():
        written = writer.write(
            options.prompt,
            options.length,
            temperature=options.temperature,
            top_k=options.top_k,
            seed=options.seed,
        )
        sys.stdout.write(options.prompt)
        for piece in written:
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")


def _writer(path: Path, prompt: str):
    """Returns what has a method `write`: a stream, or a `KerasWriter`."""
    model, metadata = open_model(path)
    if metadata.get("task") == runtime.TRANSLATION:
        raise ToolkitError(
            f'"{path}" translates, it does not go on with a text: toolkit '
            f"predict {path} --text TEXT"
        )
    if model is not None:
        with in_runtime():
            return runtime.stream(model)
    if not metadata.get("vocabulary"):
        raise ToolkitError(
            f'The run "{path}" holds no trained language model. Train one: '
            "toolkit train char_rnn, or language_model"
        )
    vocabulary = vocabulary_of(path, metadata)
    encode_prompt(vocabulary, prompt)

    load_tensorflow()
    from recipes._cli.models import load_model
    from recipes._run.keras_writer import KerasWriter

    model = load_model(path)
    recipe = "language_model" if metadata.get("tokens") else "char_rnn"
    check_vocabulary(
        path,
        vocabulary,
        [output.shape for output in model.outputs],
        f"Copy the whole run again, or train anew: toolkit train {recipe}",
    )
    return KerasWriter(model, vocabulary)
