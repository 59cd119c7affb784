"""Evaluating a classifier of images on the test split, once."""

from __future__ import annotations

from recipes._run.evaluation import write_arrays, write_evaluation
from recipes._run.run import Run
from recipes._run.samples import write_samples
from toolkit.data import ImageData, evaluation_batches
from toolkit.evaluation import classification

MISTAKES = 24
DIGITS = (
    "Trained on pictures of one kind: light strokes on a dark ground for the "
    "digits. Other sizes and modes are refused unless `--fit` is given; dark "
    "ink on light paper needs `--invert`."
)


def evaluate_classifier(
    run: Run,
    data: ImageData,
    *,
    activation: str = "softmax",
    rubbish_penalty: float | None = None,
    loss: str = "loss, nats",
    faces: dict | None = None,
    limits: str = DIGITS,
    batch_size: int = 256,
) -> dict[str, float]:
    """Evaluates a run's model on the test split and keeps what was seen.

    Writes evaluation.json, predictions.npz and a few test pictures
    (samples/*.png), and sets `run.metrics`, `run.metadata`, `run.samples`.

    Args:
        run: a run with its trained model.
        data: images whose test split is used.
        activation: of several outputs, `softmax` or `shares`, see
            `toolkit.evaluation.to_probabilities`; a single output is a
            sigmoid.
        rubbish_penalty: for a model that answers with penalties: that of the
            class of rubbish.
        loss: what it was trained on, and the unit, for an axis; in nats, it
            is a key figure too.
        faces: for head pictures: the arguments of `load_faces` beside the
            source.
        limits: what the model card says of them.
        batch_size: images in one call.

    Returns:
        Metrics by name.
    """
    test = data.test
    batches = evaluation_batches(test, batch_size=batch_size, **data.scaling)
    outputs = run.model.predict(batches, verbose=0)
    if rubbish_penalty is not None:
        activation = "penalties"
    elif outputs.shape[1] == 1:
        activation = "sigmoid"
    run.metadata = {
        "task": "image_classification",
        "labels": list(data.class_names),
        "preprocessing": data.preprocessing,
        "activation": activation,
        "rubbish_penalty": rubbish_penalty,
        "data": data.source,
        "faces": faces,
    }
    probabilities = classification.to_probabilities(
        outputs, activation, rubbish_penalty
    )
    metrics = classification.classification_metrics(
        test.labels, probabilities, rubbish=activation == "penalties"
    )
    worst = classification.worst_mistakes(test.labels, probabilities, MISTAKES)
    names = data.class_names
    tiles = {
        "test accuracy": f"{metrics['accuracy']:.2%}",
        "test error": f"{metrics['error']:.2%}",
    }
    if "nats" in loss:  # of squared errors, it is not what was minimized
        tiles["test loss, nats"] = f"{metrics['loss']:.4f}"
    write_evaluation(
        run,
        task="image-classification",
        description=(
            f"Classifies images into {len(names)} classes: {', '.join(names)}."
        ),
        headline=(
            f"{metrics['accuracy']:.2%} of {len(test):,} unseen images right"
        ),
        tiles=tiles,
        metrics=metrics,
        split="test",
        count=len(test),
        examples="images",
        loss=loss,
        limits=limits,
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
    write_samples(run, data)
    return metrics
