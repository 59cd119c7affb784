"""`toolkit evaluate RUN_OR_FILE`."""

from __future__ import annotations

import json
from pathlib import Path

from recipes._cli.parsing import Parser
from recipes._run.directory import find
from toolkit._backend import silence
from toolkit.errors import DataError, ToolkitError


def run(arguments: list[str]) -> None:
    """Evaluates on the test split."""
    parser = Parser(
        "evaluate",
        "Metrics on a test split, of a run's Keras model or of an exported "
        "file in its own runtime.",
    )
    parser.add_argument(
        "model", help="run directory, .onnx, .tflite or SavedModel directory"
    )
    parser.add_argument(
        "--data", default="", help="source; by default the one trained on"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    path = Path(options.model)
    classify, metadata = load_classifier(path)
    data = test_data(metadata, options.data, path)
    with silence():  # delegates greet
        metrics = measure(classify, data, metadata)
    if options.json:
        print(json.dumps({"count": len(data.test), **metrics}))
        return
    print(f"{options.model} on {len(data.test)} test images of {data.source}")
    for name, value in metrics.items():
        print(f"  {name.replace('_', ' '):<20}{value:.4f}")


def load_classifier(path: Path):
    """Returns a function from inputs to outputs, and a model's metadata.

    Args:
        path: a run directory or an exported file.
    """
    is_saved_model = (path / "saved_model.pb").is_file()
    if path.is_dir() and not is_saved_model:
        return _keras(find(path))
    return _file(path)


def _file(path: Path):
    from export import formats, runtime

    formats.of(path)
    try:
        with silence():
            model = runtime.load(path)
    except runtime.ModelError as error:
        raise ToolkitError(str(error)) from error
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ToolkitError(
            f'"{path}" has {len(model.inputs)} inputs and '
            f"{len(model.outputs)} outputs; a classifier has one of each."
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

    return classify, model.metadata


def _keras(path: Path):
    from recipes._cli.models import load_model
    from recipes._run.exporting import load_metadata

    model = load_model(path)
    return lambda images: model.predict_on_batch(images), load_metadata(path)


def test_data(metadata: dict, source: str, path: Path):
    """Loads the data that a model was trained on, or another source."""
    from toolkit.data import load_images

    rules = metadata.get("preprocessing")
    source = source or metadata.get("data")
    if (
        not rules
        or not source
        or metadata.get("task") != "image_classification"
    ):
        raise ToolkitError(
            f'"{path}" does not say what it classifies (it was not exported '
            "from a run of an image classifier), so it cannot be evaluated. "
            "`toolkit verify` compares it with a Keras model."
        )
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


def measure(classify, data, metadata: dict, batch_size: int = 256) -> dict:
    """Returns the metrics of a classifier on the test split."""
    import numpy as np

    from toolkit.evaluation import classification_metrics, to_probabilities

    test = data.test
    labels = test.labels
    names = metadata["labels"]
    if metadata["activation"] == "sigmoid" and len(data.class_names) != 2:
        labels = (labels == data.class_names.index(names[1])).astype(np.int32)
    elif len(data.class_names) > len(names):
        raise DataError(
            f'"{data.source}" has {len(data.class_names)} classes, the model '
            f"{len(names)}."
        )
    scale = np.float32(metadata["preprocessing"]["scale"])
    offset = np.float32(metadata["preprocessing"]["offset"])
    rows = [
        np.asarray(
            classify(
                test.images[i : i + batch_size].astype(np.float32) * scale
                + offset
            )
        )
        for i in range(0, len(test), batch_size)
    ]
    probabilities = to_probabilities(
        np.concatenate(rows),
        metadata["activation"],
        metadata.get("rubbish_penalty"),
    )
    return classification_metrics(labels, probabilities)
