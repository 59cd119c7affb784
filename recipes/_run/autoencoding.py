"""Evaluating an autoencoder of images on the test split, once."""

from __future__ import annotations

from typing import Any

import numpy as np

from recipes._run.classification import DIGITS
from recipes._run.evaluation import write_arrays, write_evaluation
from recipes._run.run import Run
from recipes._run.samples import write_samples
from toolkit.data import (
    ImageData,
    Images,
    evaluation_batches,
    reconstruction_batches,
    to_inputs,
)
from toolkit.evaluation import (
    anomaly_metrics,
    anomaly_threshold,
    principal_components,
    project,
    squared_errors,
)

FILE = "autoencoding.npz"
BATCH = 256  # images in one call
SHOWN = 10  # test images beside their reconstructions
UNUSUAL = 12  # most unusual test images
STEPS = 9  # decoded codes on the way from one image to another
GRID = 15  # decoded codes along each side of a plane
BORDER = 0.02  # share of the codes left out on each side of the plane
LIMITS = (
    f"{DIGITS} A picture is called unusual if its squared error is above the "
    "threshold, which 1 % of the validation images exceed: that may happen to "
    "good pictures, and some bad ones stay below."
)


def evaluate_autoencoder(
    run: Run, data: ImageData, *, noise: float = 0.0, seed: int = 0
) -> dict[str, float]:
    """Evaluates a run's autoencoder on the test split, beside PCA.

    Principal component analysis of the code's width is fitted on the training
    images. The threshold of anomaly comes from the validation images. Writes
    evaluation.json, autoencoding.npz and a few test pictures (samples/*.png),
    and sets `run.metrics`, `run.metadata`, `run.samples`.

    Args:
        run: a run with its trained model, which holds `encoder` and
            `decoder`.
        data: images with inputs in [0, 1].
        noise: share of the pixels that were set to 0 in training; above 0,
            test images are also brought back from such inputs.
        seed: of the noise.

    Returns:
        Metrics by name.
    """
    model = run.model
    encoder, decoder = (model.get_layer(n) for n in ("encoder", "decoder"))
    images, seen = _inputs(data, data.test), _inputs(data, data.validation)
    codes = _predict(encoder, images)
    width = codes.shape[1]

    # Beside the best linear code of the same width
    linear = principal_components(_inputs(data, data.train), width)
    outputs, linear_outputs = _predict(model, images), project(linear, images)
    errors = squared_errors(images, outputs)
    linear_errors = squared_errors(images, linear_outputs)
    metrics = {
        "squared_error": float(errors.mean()),
        "pca_squared_error": float(linear_errors.mean()),
        "share_of_pca": float(errors.mean() / linear_errors.mean()),
    }

    # From noisy inputs
    noisy = images
    if noise:
        noisy = _noisy(data, noise, seed)
        outputs, linear_outputs = _predict(model, noisy), project(linear, noisy)
        for name, found in (
            ("denoised", outputs),
            ("pca_denoised", linear_outputs),
            ("noisy", noisy),
        ):
            error = squared_errors(images, found).mean()
            metrics[f"{name}_squared_error"] = float(error)

    # Anomalies
    threshold = anomaly_threshold(squared_errors(seen, _predict(model, seen)))
    scores = {"usual": errors}
    for name, unusual in unusual_images(images).items():
        scores[name] = squared_errors(unusual, _predict(model, unusual))
        found = anomaly_metrics(errors, scores[name], threshold)
        metrics["false_alarms"] = found.pop("false_alarms")
        metrics |= {f"{name}_{key}": value for key, value in found.items()}

    # What the report shows
    write_samples(run, data)
    shown = _one_of_each(data.test.labels)[:SHOWN]
    worst = np.argsort(-errors, kind="stable")[:UNUSUAL]
    write_arrays(
        run,
        FILE,
        labels=data.test.labels,
        codes=codes,
        linear_errors=linear_errors,
        shown=shown,
        images=images[shown],
        inputs=noisy[shown],
        outputs=outputs[shown],
        linear_outputs=linear_outputs[shown],
        worst=worst,
        worst_images=images[worst],
        worst_outputs=_predict(model, images[worst]),
        **{f"errors/{name}": values for name, values in scores.items()},
        **_walk(decoder, codes, shown),
        **_plane(codes),
    )
    run.metadata = {
        "task": "image_reconstruction",
        "preprocessing": data.preprocessing,
        "anomaly_threshold": threshold,
        "data": data.source,
        "signatures": ["encoder", "decoder"],
    }
    _write(run, data, width, threshold, metrics)
    return metrics


def unusual_images(images: np.ndarray) -> dict[str, np.ndarray]:
    """Returns images that an autoencoder of the given ones has not learned.

    Args:
        images: `(N, height, width, channels)`.

    Returns:
        `upside_down`: each image turned by 180 degrees; `halves`: the upper
        half of each over the lower half of the one half the split further on.
        Some of both are usual all the same, such as a turned zero.
    """
    middle = images.shape[1] // 2
    others = np.roll(images, len(images) // 2, axis=0)
    return {
        "upside_down": images[:, ::-1, ::-1],
        "halves": np.concatenate(
            [images[:, :middle], others[:, middle:]], axis=1
        ),
    }


def _inputs(data: ImageData, images: Images) -> np.ndarray:
    return to_inputs(images.images, data.preprocessing)


def _predict(model: Any, inputs: np.ndarray) -> np.ndarray:
    return model.predict(inputs, batch_size=BATCH, verbose=0)


def _noisy(data: ImageData, noise: float, seed: int) -> np.ndarray:
    """Returns the test images as noisy inputs."""
    batches = reconstruction_batches(
        evaluation_batches(data.test, batch_size=BATCH, **data.scaling),
        noise=noise,
        seed=seed,
    )
    return np.concatenate([pair[0] for pair in batches.as_numpy_iterator()])


def _one_of_each(labels: np.ndarray) -> np.ndarray:
    """Returns places: the first of each class, then the second, and so on."""
    earlier = np.zeros(len(labels), int)
    for label in np.unique(labels):
        members = labels == label
        earlier[members] = np.arange(members.sum())
    return np.lexsort((labels, earlier))


def _plane(codes: np.ndarray) -> dict[str, np.ndarray]:
    """Returns codes as points of a plane, by principal components if wide.

    `points` `(N, 2)` and, of codes that are wider, `points_share` `(2,)`: how
    much of their variance the axes have. Nothing for codes of one number.
    """
    if codes.shape[1] < 2:
        return {}
    if codes.shape[1] == 2:
        return {"points": codes}
    components = principal_components(codes, 2)
    return {
        "points": components.transform(codes),
        "points_share": components.explained_variance_ratio_,
    }


def _walk(decoder: Any, codes: np.ndarray, shown: np.ndarray) -> dict:
    """Returns decoded images from a walk through the codes.

    Codes of two numbers: `walk` `(GRID, GRID, height, width, channels)` over
    the plane, and its `walk_x` and `walk_y`, quantiles of the codes. Others:
    `walk` `(pairs, STEPS, height, width, channels)` along the straight line
    between the codes of neighbours among the images shown, ends included.
    """
    if codes.shape[1] == 2:
        shares = np.linspace(BORDER, 1 - BORDER, GRID)
        x, y = np.quantile(codes, shares, axis=0).astype(np.float32).T
        grid = np.stack(np.meshgrid(x, y), axis=-1)
        walk = decoder.predict_on_batch(grid.reshape(-1, 2))
        walk = walk.reshape(GRID, GRID, *walk.shape[1:])
        return {"walk": walk, "walk_x": x, "walk_y": y}
    pairs = len(shown) // 2
    first, second = codes[shown[: 2 * pairs : 2]], codes[shown[1::2]]
    share = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    line = (1 - share) * first[:, None] + share * second[:, None]
    walk = decoder.predict_on_batch(line.reshape(-1, codes.shape[1]))
    return {"walk": walk.reshape(pairs, STEPS, *walk.shape[1:])}


def _write(
    run: Run, data: ImageData, width: int, threshold: float, metrics: dict
) -> None:
    """Writes evaluation.json."""
    error, linear = metrics["squared_error"], metrics["pca_squared_error"]
    tiles = {
        "squared error": f"{error:.3f}",
        f"PCA, width {width}": f"{linear:.3f}",
        "of PCA's error": f"{metrics['share_of_pca']:.0%}",
    }
    headline = (
        f"squared error per image {error:.3f}, PCA of width {width} "
        f"{linear:.3f}"
    )
    if "denoised_squared_error" in metrics:
        denoised = f"{metrics['denoised_squared_error']:.3f}"
        tiles["from noisy inputs"] = denoised
        headline += f"; from noisy inputs {denoised}"
    write_evaluation(
        run,
        task="image-feature-extraction",
        description=(
            f"Encodes images in codes of width {width} and decodes them. The "
            "squared error of what comes back says how unusual an image is."
        ),
        headline=headline,
        tiles=tiles,
        metrics=metrics,
        split="test",
        count=len(data.test),
        examples="images",
        loss="squared error per image",
        data={
            "source": data.source,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        class_names=list(data.class_names),
        anomaly_threshold=threshold,
        limits=LIMITS,
    )
