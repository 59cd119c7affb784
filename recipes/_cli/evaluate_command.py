"""`toolkit evaluate RUN_OR_FILE`."""

from __future__ import annotations

import json
from pathlib import Path

from export.runtime import LANGUAGE_MODEL, TRANSLATION
from recipes._cli import bleu, perplexity, word_vectors
from recipes._cli.exported import open_model
from recipes._cli.parsing import Parser
from toolkit._backend import silence
from toolkit.errors import ConfigError, DataError, ToolkitError

CLASSIFICATION = "image_classification"
RECONSTRUCTION = "image_reconstruction"
TEXTS = {LANGUAGE_MODEL: perplexity, TRANSLATION: bleu}


def run(arguments: list[str]) -> None:
    """Evaluates on a test split, or on texts, pairs and questions."""
    parser = Parser(
        "evaluate",
        "Metrics on a test split, of a run's Keras model or of an exported "
        "file in its own runtime; analogies and similarities of word vectors; "
        "the perplexity of any text, by a language model; BLEU of an "
        "encoder-decoder.",
    )
    parser.add_argument(
        "model",
        help="run directory, .onnx, .tflite or SavedModel directory; or a "
        "file of word vectors in word2vec's format",
    )
    parser.add_argument(
        "--data",
        default="",
        help="source; by default the one trained on. A language model always "
        "takes one: a text file, or a folder of them; an encoder-decoder a "
        "file of source<TAB>target lines, columns as in training",
    )
    parser.add_argument(
        "--html",
        default="",
        metavar="PAGE",
        help="write a page that shows how surprising each token of the text "
        "is to a language model",
    )
    word_vectors.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    path = Path(options.model)
    if word_vectors.is_meant(path, options):
        _refuse_page(options)
        word_vectors.evaluate(path, options)
        return
    model, metadata = open_model(path)
    if metadata.get("task") != LANGUAGE_MODEL:
        _refuse_page(options)
    if module := TEXTS.get(metadata.get("task")):
        module.evaluate(path, model, metadata, options)
        return
    call = _classifier(path, model, metadata)
    data = test_data(
        metadata, options.data, path, (CLASSIFICATION, RECONSTRUCTION)
    )
    with silence():  # delegates greet
        metrics = measure(call, data, metadata)
    if options.json:
        print(json.dumps({"count": len(data.test), **metrics}))
        return
    print(f"{options.model} on {len(data.test)} test images of {data.source}")
    for name, value in metrics.items():
        print(f"  {name.replace('_', ' '):<20}{value:.4f}")


def _refuse_page(options) -> None:
    """Raises if a page is wanted of what is no language model.

    Raises:
        ConfigError: it is.
    """
    if options.html:
        raise ConfigError(
            "--html shows how surprising a text is to a language model, and "
            f'"{options.model}" is none. Leave it out. Received: --html '
            f'"{options.html}".'
        )


def load_classifier(path: Path):
    """Returns a function from inputs to outputs, and a model's metadata.

    It may be an autoencoder too; `test_data` tells.

    Args:
        path: a run directory or an exported file.

    Raises:
        ToolkitError: missing, damaged, one for texts, or a file with several
            inputs or outputs.
    """
    model, metadata = open_model(path)
    refuse_texts(metadata, path)
    return _classifier(path, model, metadata), metadata


def _classifier(path: Path, model, metadata: dict):
    """Returns the function of `load_classifier`."""
    if model is None:
        from recipes._cli.models import load_model

        return load_model(path).predict_on_batch
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ToolkitError(
            f'"{path}" has {len(model.inputs)} inputs and '
            f"{len(model.outputs)} outputs; one of each can be evaluated."
        )
    (name,) = model.inputs
    fixed = model.inputs[name][0][0]
    size = fixed if isinstance(fixed, int) and fixed > 0 else None

    def classify(images):
        import numpy as np

        if size is None:
            return next(iter(model.run({name: images}).values()))
        missing = -len(images) % size
        padded = np.concatenate([images, np.repeat(images[:1], missing, 0)])
        parts = [
            next(iter(model.run({name: padded[i : i + size]}).values()))
            for i in range(0, len(padded), size)
        ]
        return np.concatenate(parts)[: len(images)]

    return classify


def refuse_texts(metadata: dict, path: Path) -> None:
    """Raises for a model of texts, which has no images to be measured on.

    Args:
        metadata: what the model says of itself.
        path: the model, for messages.

    Raises:
        ToolkitError: it is one.
    """
    kind, hint = {
        LANGUAGE_MODEL: (
            "is a language model",
            f"`toolkit evaluate {path} --data FILE` tells the perplexity of "
            f"any text, `toolkit generate {path}` lets it write.",
        ),
        TRANSLATION: (
            "translates texts",
            f"`toolkit evaluate {path}` tells its BLEU, with --data PAIRS.tsv "
            f"on pairs of yours; `toolkit predict {path} --text TEXT` lets it "
            "translate.",
        ),
    }.get(metadata.get("task"), ("", ""))
    if kind:
        raise ToolkitError(
            f'"{path}" {kind}; benchmark and robustness take models of '
            f"images. {hint}"
        )


def test_data(
    metadata: dict,
    source: str,
    path: Path,
    tasks: tuple[str, ...] = (CLASSIFICATION,),
):
    """Loads the data that a model was trained on, or another source.

    Args:
        metadata: what the model says of itself.
        source: of the data; the one trained on if empty.
        path: the model, for messages.
        tasks: what the model may be for.

    Raises:
        ToolkitError: the model is for something else, or does not say.
        DataError: the data does not fit the model.
    """
    from toolkit.data import load_faces, load_images

    rules = metadata.get("preprocessing")
    source = source or metadata.get("data")
    if not rules or not source or metadata.get("task") not in tasks:
        allowed = " or ".join(task.replace("_", " ") for task in tasks)
        raise ToolkitError(
            f'"{path}" does not say that it is for {allowed} (it was not '
            "exported from a run that is), so this cannot be measured on it. "
            "`toolkit verify` compares it with a Keras model."
        )
    if metadata.get("faces"):
        data = load_faces(source, **metadata["faces"])
    else:
        data = load_images(
            source,
            size=tuple(rules["size"]),
            resize="auto" if rules["resize"] == "none" else rules["resize"],
        )
    if data.preprocessing["mode"] != rules["mode"]:
        raise DataError(
            f'The images of "{source}" have mode {data.preprocessing["mode"]}, '
            f"the model learned from mode {rules['mode']}."
        )
    return data


def measure(call, data, metadata: dict, batch_size: int = 256) -> dict:
    """Returns the metrics of a model on the test split.

    Args:
        call: takes a batch of inputs, returns the outputs.
        data: images whose test split is used.
        metadata: what the model says of itself.
        batch_size: images in one call.
    """
    from toolkit.data import to_inputs

    images = data.test.images
    batches = (
        to_inputs(images[i : i + batch_size], metadata["preprocessing"])
        for i in range(0, len(images), batch_size)
    )
    if metadata["task"] == RECONSTRUCTION:
        return _reconstruction(call, batches, metadata["anomaly_threshold"])
    return _classification(call, batches, data, metadata)


def _reconstruction(call, batches, threshold: float) -> dict:
    import numpy as np

    from toolkit.evaluation import squared_errors

    errors = np.concatenate([squared_errors(x, call(x)) for x in batches])
    return {
        "squared_error": float(errors.mean()),
        "unusual": float((errors > threshold).mean()),
    }


def _classification(call, batches, data, metadata: dict) -> dict:
    import numpy as np

    from toolkit.evaluation import classification_metrics, to_probabilities

    labels = data.test.labels
    names = metadata["labels"]
    if len(names) == 2 and len(data.class_names) != 2:  # one against all
        labels = (labels == data.class_names.index(names[1])).astype(np.int32)
    elif len(data.class_names) > len(names):
        raise DataError(
            f'"{data.source}" has {len(data.class_names)} classes, the model '
            f"{len(names)}."
        )
    outputs = np.concatenate([np.asarray(call(x)) for x in batches])
    probabilities = to_probabilities(
        outputs, metadata["activation"], metadata.get("rubbish_penalty")
    )
    return classification_metrics(
        labels, probabilities, rubbish=metadata["activation"] == "penalties"
    )
