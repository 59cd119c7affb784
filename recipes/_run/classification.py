"""Evaluating a classifier of images on the test split, once."""

from __future__ import annotations

import numpy as np
from PIL import Image

from recipes._run.evaluation import write_arrays, write_evaluation
from recipes._run.run import Run
from toolkit.data import ImageData, evaluation_batches
from toolkit.evaluation import classification
from toolkit.io import atomic_path

MISTAKES = 24
SAMPLES = 10


def evaluate_classifier(
    run: Run,
    data: ImageData,
    *,
    rubbish_penalty: float | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """Evaluates a run's model on the test split and keeps what was seen.

    Writes evaluation.json, predictions.npz and a few test pictures
    (samples/*.png), and sets `run.metrics`, `run.metadata`, `run.samples`.

    Args:
        run: a run with its trained model.
        data: images whose test split is used.
        rubbish_penalty: for a model that answers with penalties: that of the
            class of rubbish.
        batch_size: images in one call.

    Returns:
        Metrics by name.
    """
    test = data.test
    batches = evaluation_batches(test, batch_size=batch_size, **data.scaling)
    outputs = run.model.predict(batches, verbose=0)
    if rubbish_penalty is not None:
        activation = "penalties"
    else:
        activation = "sigmoid" if outputs.shape[1] == 1 else "softmax"
    run.metadata = {
        "task": "image_classification",
        "labels": list(data.class_names),
        "preprocessing": data.preprocessing,
        "activation": activation,
        "rubbish_penalty": rubbish_penalty,
        "data": data.source,
    }
    probabilities = classification.to_probabilities(
        outputs, activation, rubbish_penalty
    )
    metrics = classification.classification_metrics(test.labels, probabilities)
    worst = classification.worst_mistakes(test.labels, probabilities, MISTAKES)
    names = data.class_names
    write_evaluation(
        run,
        task="image-classification",
        description=(
            f"Classifies images into {len(names)} classes: {', '.join(names)}."
        ),
        headline=(
            f"{metrics['accuracy']:.2%} of {len(test):,} unseen images right"
        ),
        tiles={
            "test accuracy": f"{metrics['accuracy']:.2%}",
            "test error": f"{metrics['error']:.2%}",
            "test loss, nats": f"{metrics['loss']:.4f}",
        },
        metrics=metrics,
        split="test",
        count=len(test),
        examples="images",
        data={
            "source": data.source,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(test),
        },
        class_names=list(names),
        confusion_matrix=classification.confusion_matrix(
            test.labels, probabilities
        ).tolist(),
    )
    write_arrays(
        run,
        "predictions.npz",
        labels=test.labels,
        probabilities=probabilities,
        mistake_indices=worst,
        mistake_images=test.images[worst],
    )
    _write_samples(run, data)
    return metrics


def _write_samples(run: Run, data: ImageData) -> None:
    """Keeps one test picture per class, as files and as model inputs."""
    test = data.test
    labels = test.labels
    first = [
        int(np.flatnonzero(labels == label)[0])
        for label in np.unique(labels)[:SAMPLES]
    ]
    images = test.images[first]
    scale = np.float32(data.preprocessing["scale"])
    offset = np.float32(data.preprocessing["offset"])
    run.samples = images.astype(np.float32) * scale + offset
    with atomic_path(run.path / "samples", directory=True) as folder:
        np.save(folder / "inputs.npy", run.samples)
        for index, image in zip(first, images, strict=True):
            name = str(data.class_names[labels[index]])
            safe = "".join(c if c.isalnum() else "_" for c in name)
            picture = image[..., 0] if image.shape[-1] == 1 else image
            Image.fromarray(picture).save(folder / f"{safe}.png")
