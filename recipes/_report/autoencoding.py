"""What an autoencoder makes of images, and of its codes."""

from __future__ import annotations

import numpy as np

from recipes._report.figures import png, svg
from recipes._report.files import RunFiles
from recipes._report.section import Part, Section
from toolkit import plots
from toolkit.evaluation import mean_by_class

GAP = 1  # pixels between an image and its reconstruction
CUT = 0.02  # share of the points beyond each end of an axis, as of the grid
MARGIN = 0.05  # of the axis, beyond that
UNUSUAL = {
    "upside_down": "upside down",
    "halves": "halves of two images",
}


def reconstructions(run: RunFiles) -> Section | None:
    """Test images and what comes back, beside PCA of the same width."""
    if not _there(run):
        return None
    found, metrics = run.autoencoding, run.evaluation["metrics"]
    width = found["codes"].shape[1]
    noisy = "denoised_squared_error" in metrics
    rows = [("test image", found["images"])]
    if noisy:
        rows.append(("noisy input", found["inputs"]))
    rows += [
        ("autoencoder", found["outputs"]),
        (f"PCA, width {width}", found["linear_outputs"]),
    ]
    names = ("squared_error", "pca_squared_error")
    table = [("test images", *(f"{metrics[n]:.3f}" for n in names))]
    if noisy:
        names = ("denoised_squared_error", "pca_denoised_squared_error")
        table.append(
            ("from noisy inputs", *(f"{metrics[n]:.3f}" for n in names))
        )
    note = (
        "Mean squared error per image: pixels in [0, 1], summed over the image."
    )
    if noisy:
        note += (
            " A noisy input itself is "
            f"{metrics['noisy_squared_error']:.3f} away from its image. "
            "Training, validation and the choice of the epoch use noisy "
            "inputs."
        )
    classes = run.evaluation["class_names"]
    by_class = [
        mean_by_class(values, found["labels"], len(classes))
        for values in (found["errors/usual"], found["linear_errors"])
    ]
    return Section(
        id="reconstructions",
        title="What comes back",
        text=f"Test images through codes of width {width} and back: by the "
        "autoencoder, and by principal component analysis, the best linear "
        "code of the same width, fitted on the same training images.",
        parts=[
            Part(
                figures=[
                    svg(
                        plots.picture_rows(rows),
                        f"{', '.join(title for title, _ in rows)}, by row",
                    )
                ],
            ),
            Part(
                title="Squared error",
                head=["", "autoencoder", "PCA"],
                rows=table,
                text=note,
            ),
            Part(
                title="By class",
                head=["class", "autoencoder", "PCA", "share", "images"],
                rows=[
                    (name, f"{a:.3f}", f"{b:.3f}", f"{a / b:.0%}", f"{n:,}")
                    for name, a, b, n in zip(
                        classes,
                        *by_class,
                        np.bincount(found["labels"], minlength=len(classes)),
                        strict=True,
                    )
                    if n
                ],
            ),
        ],
    )


def code_map(run: RunFiles) -> Section | None:
    """The codes of the test images in a plane, coloured by class."""
    if not _there(run) or "points" not in run.autoencoding:
        return None
    found = run.autoencoding
    width = found["codes"].shape[1]
    if width == 2:
        axes = ("first number", "second number")
        text = "The two numbers of every test image's code."
    else:
        shares = found["points_share"]
        axes = tuple(
            f"principal component {i + 1} of the codes ({share:.0%})"
            for i, share in enumerate(shares)
        )
        text = (
            f"The codes have {width} numbers; drawn are their first two "
            f"principal components, which hold {shares.sum():.0%} of their "
            "variance."
        )
    limits = _limits(found["points"])
    if limits is not None:
        inside = (found["points"] >= limits[0]) & (found["points"] <= limits[1])
        outside = int((~inside).any(axis=1).sum())
        text += (
            f" Each axis is cut at the {CUT:.0%} and {1 - CUT:.0%} quantiles "
            f"and a little beyond; {outside:,} of {len(inside):,} images lie "
            "outside."
        )
    figure = plots.class_map(
        found["points"],
        found["labels"],
        run.evaluation["class_names"],
        *axes,
        limits=limits,
    )
    return Section(
        id="code_map",
        title="Map of the codes",
        text=f"{text} The net was never told a class.",
        parts=[
            Part(
                figures=[
                    svg(figure, "codes of the test images, coloured by class")
                ]
            )
        ],
    )


def walk(run: RunFiles) -> Section | None:
    """Images decoded from codes on a way through their space."""
    if not _there(run):
        return None
    found = run.autoencoding
    if "walk_x" in found:
        figure = plots.picture_grid(
            found["walk"],
            found["walk_x"],
            found["walk_y"],
            "first number",
            "second number",
        )
        label = "images decoded from a grid over the plane of codes"
        text = (
            "The decoder's image for each point of a grid over the map above; "
            "between two rows, or two columns, lies the same share of the "
            "codes."
        )
    else:
        ends = found["images"][: 2 * len(found["walk"])]
        names = run.evaluation["class_names"]
        labels = found["labels"][found["shown"]]
        steps = np.concatenate(
            [ends[0::2, None], found["walk"], ends[1::2, None]], axis=1
        )
        rows = [
            (f"{names[labels[2 * i]]} to {names[labels[2 * i + 1]]}", row)
            for i, row in enumerate(steps)
        ]
        between = found["walk"].shape[1]
        shares = [f"{i / (between - 1):.0%}" for i in range(between)]
        figure = plots.picture_rows(rows, ["image", *shares, "image"])
        label = "images decoded between the codes of two test images, by row"
        text = (
            "From the code of one test image straight to that of another; the "
            "images themselves are at both ends."
        )
    return Section(
        id="walk",
        title="A walk through the codes",
        text=text,
        parts=[Part(figures=[svg(figure, label)])],
    )


def anomalies(run: RunFiles) -> Section | None:
    """The squared error as a score of anomaly."""
    if not _there(run):
        return None
    found, metrics = run.autoencoding, run.evaluation["metrics"]
    threshold = run.evaluation["anomaly_threshold"]
    names = run.evaluation["class_names"]
    scores = {"test images": found["errors/usual"]} | {
        title: found[f"errors/{name}"] for name, title in UNUSUAL.items()
    }
    cards = [
        (
            png(_beside(image, output)),
            f"{names[found['labels'][index]]}: "
            f"{found['errors/usual'][index]:.2f}",
        )
        for index, image, output in zip(
            *(found[k] for k in ("worst", "worst_images", "worst_outputs")),
            strict=True,
        )
    ]
    return Section(
        id="anomalies",
        title="Unusual images",
        text="What the net has not learned comes back badly. An image is "
        f"called unusual if its squared error is above {threshold:.3f}, which "
        "99 % of the validation images stay below; "
        f"{metrics['false_alarms']:.1%} of the test images are above it.",
        parts=[
            Part(
                figures=[
                    svg(
                        plots.score_histogram(
                            scores, threshold, "squared error of an image"
                        ),
                        "squared errors of usual and unusual images",
                    )
                ],
                head=["test images", "area under ROC", "called unusual"],
                rows=[
                    (
                        title,
                        f"{metrics[f'{name}_auroc']:.3f}",
                        f"{metrics[f'{name}_found']:.1%}",
                    )
                    for name, title in UNUSUAL.items()
                ],
                text="The area is the chance that such an image has a larger "
                "error than a test image as it is. Some are usual all the "
                "same: a zero upside down, or halves that fit.",
            ),
            Part(
                title="The most unusual test images",
                cards=cards,
                text="Left the image, right what came back; class and squared "
                "error.",
            ),
        ],
    )


def _limits(points: np.ndarray) -> np.ndarray | None:
    """Returns the ends of axes without outliers; None if there is no plane."""
    low, high = np.quantile(points, (CUT, 1 - CUT), axis=0)
    if not (low < high).all():
        return None
    margin = MARGIN * (high - low)
    return np.stack([low - margin, high + margin])


def _there(run: RunFiles) -> bool:
    return bool(run.autoencoding and run.evaluation)


def _beside(image: np.ndarray, output: np.ndarray) -> np.ndarray:
    gap = np.ones((image.shape[0], GAP, image.shape[2]), np.float32)
    both = np.concatenate([image, gap, output], axis=1)
    return np.rint(255 * np.clip(both, 0, 1)).astype(np.uint8)
