"""`toolkit predict FILE IMAGE...`, words, texts; imports no TensorFlow."""

from __future__ import annotations

from pathlib import Path

from export import runtime
from recipes._cli.exported import in_runtime
from recipes._cli.parsing import Parser
from toolkit.errors import ConfigError, ToolkitError


def run(arguments: list[str]) -> None:
    """Classifies pictures, says how unusual they are, or looks up words."""
    parser = Parser(
        "predict",
        "Classify pictures with an exported file, or with the files of a run; "
        "of an autoencoder, say how unusual they are; of word vectors, answer "
        "questions about words; of an encoder-decoder, translate. Takes no "
        "TensorFlow for .onnx and .tflite.",
    )
    parser.add_argument(
        "model", help=".onnx, .tflite, SavedModel directory or run directory"
    )
    parser.add_argument("images", nargs="*", help="picture files")
    parser.add_argument(
        "--neighbours",
        nargs="+",
        action="extend",
        metavar="WORD",
        help="the words nearest each of these, by word vectors",
    )
    parser.add_argument(
        "--analogy",
        nargs=3,
        metavar="WORD",
        help="what is to the third word as the second is to the first",
    )
    parser.add_argument(
        "--vector",
        nargs="+",
        action="extend",
        metavar="WORD",
        help="the vectors of words",
    )
    parser.add_argument(
        "--text",
        nargs="+",
        action="extend",
        metavar="TEXT",
        help="sources to translate",
    )
    parser.add_argument(
        "--top",
        type=int,
        help="answers to show; by default 3 classes, 10 words",
    )
    parser.add_argument(
        "--fit",
        action="store_true",
        help="resize and convert pictures of another size or mode",
    )
    parser.add_argument(
        "--invert",
        action="store_true",
        help="swap dark and light: dark ink on light paper",
    )
    parser.add_argument(
        "--allow-nan",
        action="store_true",
        help="print answers that hold NaN",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.text:
        translate(options)
        return
    try:
        asked = runtime.question(
            options.images,
            neighbours=options.neighbours,
            analogy=options.analogy,
            vector=options.vector,
            text=options.text,
        )
        top = runtime.answers_shown(options.top, asked and asked[0])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    path = artifact(options.model)
    with in_runtime():
        model = runtime.load(path)
        if asked:
            answers = runtime.answer_words(model, *asked, top)
        else:
            settings = options.fit, options.invert, options.allow_nan
            answers = runtime.answer(model, options.images, top, *settings)
    if asked:
        runtime.show_words(answers, options.json)
    else:
        runtime.show(options.images, answers, options.json)


def translate(options) -> None:
    """Prints the targets that a file writes.

    Args:
        options: `model`, `text`, `json`, and all others empty.

    Raises:
        ConfigError: other questions beside.
        ToolkitError: a file that does not translate.
        DataError: a text that it cannot read.
    """
    others = (
        "images", "neighbours", "analogy", "vector", "fit", "invert",
        "allow_nan",
    )  # fmt: skip
    given = [name for name in others if getattr(options, name)]
    given += ["top"] * (options.top is not None)
    if given:
        raise ConfigError(
            "--text stands alone. Received: --text and "
            f"{', '.join(given)}. Leave one of them out."
        )
    with in_runtime():
        model = runtime.load(artifact(options.model))
        answers = runtime.answer_texts(model, options.text)
    runtime.show_texts(answers, options.json)


def artifact(path: str) -> Path:
    """Returns a file to run: of a run directory, the first one exported."""
    path = Path(path)
    if not (path / "config.yaml").is_file():
        return path
    found = [
        *sorted((path / "export").glob("*.onnx")),
        *sorted((path / "export").glob("*.tflite")),
    ]
    if not found:
        raise ToolkitError(
            f'The run "{path}" has no exported .onnx or .tflite file. Make '
            f"one: toolkit export {path} --to onnx"
        )
    return found[0]
