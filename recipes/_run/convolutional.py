"""What a run keeps of a convolutional classifier: robustness, its inside."""

from __future__ import annotations

import json

import numpy as np

from recipes._run.evaluation import write_arrays
from recipes._run.run import Run
from toolkit.data import DISTORTIONS, ImageData, to_inputs
from toolkit.evaluation import (
    convolution_kernels,
    feature_maps,
    robustness,
    to_probabilities,
)
from toolkit.evaluation.classification import two_columns

MOST_IMAGES = 1000
FILE = "robustness.json"


def measure_robustness(
    run_model, data: ImageData, metadata: dict, grids=None, limit=MOST_IMAGES
) -> dict:
    """Returns accuracy against the strength of each distortion.

    Args:
        run_model: takes inputs, returns outputs.
        data: images; the first `limit` of the test split are distorted.
        metadata: what the model's files say of themselves.
        grids: strengths by distortion; all on their own grids by default.
        limit: most images.
    """

    def classify(images):
        inputs = to_inputs(images * 255, metadata["preprocessing"])
        outputs = np.asarray(run_model(inputs))
        table = to_probabilities(
            outputs, metadata["activation"], metadata.get("rubbish_penalty")
        )
        return two_columns(table).argmax(axis=1)

    test = data.test
    curves = robustness(
        classify, test.images[:limit], test.labels[:limit], grids
    )
    return {
        "source": data.source,
        "images": min(limit, len(test)),
        "units": {name: DISTORTIONS[name].unit for name in curves},
        "curves": curves,
    }


def show_robustness(found: dict[str, dict]) -> list[str]:
    """Returns a table per distortion: strengths above, accuracies below.

    Args:
        found: what `measure_robustness` returned, by the model's name.
    """
    lines = []
    heads = {
        name: f"{name} ({unit})"
        for one in found.values()
        for name, unit in one["units"].items()
    }
    wide = 1 + max(map(len, [*heads.values(), *(f"  {k}" for k in found)]))
    for name, head in heads.items():
        rows = {k: v["curves"].get(name, []) for k, v in found.items()}
        strengths = next(row for row in rows.values() if row)
        lines.append(
            f"{head:<{wide}}"
            + "".join(f"{p['strength']:>7g}" for p in strengths)
        )
        for label, row in rows.items():
            text = f"  {label}" if len(rows) > 1 else "  accuracy, %"
            lines.append(
                f"{text:<{wide}}"
                + "".join(f"{100 * p['accuracy']:>7.1f}" for p in row)
            )
    return lines


def look_inside(run: Run, data: ImageData, stages: tuple[str, ...]) -> None:
    """Keeps kernels and a test image's feature maps, and the robustness.

    Writes inside.npz and robustness.json, and says the robustness.

    Args:
        run: a run that is evaluated.
        data: images whose test split is used.
        stages: layers whose maps are kept; see `feature_maps`.
    """
    image = run.samples[0]
    found = feature_maps(run.model, image, stages)
    arrays = {f"maps/{stage.name}": stage.maps for stage in found}
    arrays |= {
        f"kernels/{name}": kernel
        for name, kernel in convolution_kernels(run.model).items()
    }
    write_arrays(
        run,
        "inside.npz",
        image=image,
        parameters=np.array(
            json.dumps({stage.name: stage.parameters for stage in found})
        ),
        **arrays,
    )
    if run.dry_run:
        return
    measured = measure_robustness(
        run.model.predict_on_batch, data, run.metadata
    )
    run.write_json(FILE, measured)
    run.say(f"accuracy on {measured['images']} distorted test images:")
    for line in show_robustness({run.recipe: measured}):
        run.say(line)
