"""Autoencoders: how well images come back, what is shown, what is exported."""

import csv
import json
import re

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from export import metadata, runtime
from recipes._cli.main import main
from recipes._report import autoencoding
from tests.recipes.drawn import drawn
from tests.recipes.test_report import Page
from toolkit.data import load_images

EPOCHS = 30
NOISY = [
    "--preset", "denoising", "--code", 2, "--hidden", "64,32", "--epochs", 12,
]  # fmt: skip
FILES = ("saved_model", "autoencoder.onnx", "autoencoder.tflite")


def toolkit(*arguments):
    return main([str(a) for a in arguments])


def squared_errors(a, b):
    return np.square(np.float64(a) - b).reshape(len(a), -1).sum(axis=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The default recipe, for less than a third of its epochs."""
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "autoencoder", "--epochs", EPOCHS, "--runs", runs,
            "--export", "saved_model,onnx,litert",
        ) == 0
    )  # fmt: skip
    return runs / "autoencoder" / "1"


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A small denoising autoencoder with codes of two numbers."""
    runs = tmp_path_factory.mktemp("noisy")
    assert toolkit("train", "autoencoder", *NOISY, "--runs", runs) == 0
    return runs / "autoencoder" / "1"


@pytest.fixture(scope="module")
def splits():
    """Training and test images of the default data, in [0, 1]."""
    data = load_images("embedded")
    scale = np.float32(1 / 255)
    return [p.images.astype("float32") * scale for p in (data.train, data.test)]


def evaluation(run):
    return json.loads((run / "evaluation.json").read_text())


def arrays(run):
    with np.load(run / "autoencoding.npz") as found:
        return dict(found)


# What comes back


def test_error_is_far_below_that_of_pca_of_the_same_width(run, splits):
    training, test = splits
    model = keras.models.load_model(run / "model.keras", compile=False)
    found = evaluation(run)["metrics"]
    errors = squared_errors(test, model.predict(test, verbose=0))
    assert found["squared_error"] == pytest.approx(errors.mean(), rel=1e-5)
    pca = PCA(8, random_state=0).fit(training.reshape(len(training), -1))
    flat = test.reshape(len(test), -1)
    linear = squared_errors(flat, pca.inverse_transform(pca.transform(flat)))
    assert found["pca_squared_error"] == pytest.approx(linear.mean(), rel=1e-4)
    assert found["share_of_pca"] == pytest.approx(
        errors.mean() / linear.mean(), rel=1e-4
    )
    assert found["squared_error"] < 0.6 * found["pca_squared_error"]
    kept = arrays(run)
    np.testing.assert_allclose(kept["errors/usual"], errors, rtol=1e-4)
    np.testing.assert_allclose(kept["linear_errors"], linear, rtol=1e-3)


def test_error_falls_in_training(run):
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in rows]
    validation = [float(row["val_loss"]) for row in rows]
    assert len(rows) == EPOCHS
    assert losses[-1] < 0.2 * losses[0] and validation[-1] < 0.4 * validation[0]
    assert (np.diff(losses) < 0).mean() > 0.8


def test_codes_are_distinct_and_close_within_a_class(run, splits):
    kept = arrays(run)
    count = len(splits[1])
    codes, labels = kept["codes"], kept["labels"]
    assert codes.shape == (count, 8) and kept["points"].shape == (count, 2)
    images = len(np.unique(splits[1].reshape(count, -1), axis=0))
    assert len(np.unique(codes.round(3), axis=0)) == images
    assert (codes.std(axis=0) > 0.1).all()
    # No label was used, and a code still tells its class.
    neighbours = KNeighborsClassifier(1).fit(codes[::2], labels[::2])
    assert neighbours.score(codes[1::2], labels[1::2]) > 0.85


def test_pictures_are_test_images_and_their_reconstructions(run, splits):
    kept = arrays(run)
    shown = kept["shown"]
    np.testing.assert_array_equal(kept["labels"][shown], np.arange(10))
    np.testing.assert_array_equal(kept["images"], splits[1][shown])
    np.testing.assert_array_equal(kept["inputs"], kept["images"])
    for name, errors in (
        ("outputs", "errors/usual"),
        ("linear_outputs", "linear_errors"),
    ):
        found = squared_errors(kept["images"], kept[name])
        np.testing.assert_allclose(found, kept[errors][shown], rtol=1e-4)
    worst = kept["worst"]
    order = np.sort(kept["errors/usual"])[::-1]
    np.testing.assert_array_equal(kept["errors/usual"][worst], order[:12])
    np.testing.assert_array_equal(kept["worst_images"], splits[1][worst])


def test_walk_leads_from_one_image_to_another(run):
    kept = arrays(run)
    walk = kept["walk"]
    assert walk.shape == (5, 9, 8, 8, 1)
    np.testing.assert_allclose(walk[:, 0], kept["outputs"][0::2], atol=1e-5)
    np.testing.assert_allclose(walk[:, -1], kept["outputs"][1::2], atol=1e-5)
    # No jump on the way, and no step without a change.
    steps = np.square(np.diff(walk, axis=1)).sum(axis=(2, 3, 4))
    whole = np.square(walk[:, -1] - walk[:, 0]).sum(axis=(1, 2, 3))
    assert (steps > 0).all() and (steps < 0.5 * whole[:, None]).all()


def test_page_shows_the_figures_and_the_numbers(run):
    text = (run / "report.html").read_text()
    page, found = Page(text), evaluation(run)
    assert page.sections == [
        "exports", "curves", "reconstructions", "code_map", "walk",
        "anomalies", "settings",
    ]  # fmt: skip
    assert [a["aria-label"] for t, a in page.tags if t == "svg"] == [
        "squared error per image per epoch",
        "test image, autoencoder, PCA, width 8, by row",
        "codes of the test images, coloured by class",
        "images decoded between the codes of two test images, by row",
        "squared errors of usual and unusual images",
    ]
    metrics = found["metrics"]
    assert (
        f"test images {metrics['squared_error']:.3f} "
        f"{metrics['pca_squared_error']:.3f}"
    ) in page.text
    assert f"{metrics['upside_down_auroc']:.3f}" in page.text
    assert f"above {found['anomaly_threshold']:.3f}" in page.text
    kept = arrays(run)
    first = kept["worst"][0]
    pictures = [a["alt"] for t, a in page.tags if t == "img"]
    assert pictures[0] == (
        f"{kept['labels'][first]}: {kept['errors/usual'][first]:.2f}"
    )
    assert len(pictures) == 12
    card = (run / "README.md").read_text()
    assert "toolkit predict export/autoencoder.tflite samples/*.png" in card
    assert '.anomaly("picture.png")' in card
    assert "which 1 % of the validation images exceed" in card


def test_threshold_is_the_quantile_of_the_validation_errors(run):
    validation = load_images("embedded").validation.images / np.float32(255)
    model = keras.models.load_model(run / "model.keras", compile=False)
    errors = squared_errors(validation, model.predict(validation, verbose=0))
    found, kept = evaluation(run)["anomaly_threshold"], arrays(run)
    assert found == pytest.approx(np.quantile(errors, 0.99), rel=1e-4)
    assert found != pytest.approx(
        np.quantile(kept["errors/usual"], 0.99), rel=1e-3
    )


def test_points_of_wide_codes_are_their_principal_components(run):
    kept = arrays(run)
    components = PCA(2, random_state=0).fit(kept["codes"])
    expected = components.transform(kept["codes"])
    signs = np.sign((expected * kept["points"]).sum(axis=0))
    np.testing.assert_allclose(kept["points"], signs * expected, atol=1e-3)
    np.testing.assert_allclose(
        kept["points_share"], components.explained_variance_ratio_, rtol=1e-3
    )


@pytest.mark.parametrize("name", ["run", "noisy"])
def test_map_has_each_code_in_the_colour_of_its_class(
    name, request, monkeypatch
):
    path = request.getfixturevalue(name)
    kept = arrays(path)
    section, ((plot, given),) = drawn(
        monkeypatch, autoencoding, path, "code_map"
    )
    assert plot == "class_map"
    np.testing.assert_array_equal(given["points"], kept["points"])
    test = load_images("embedded").test
    np.testing.assert_array_equal(given["labels"], test.labels)
    assert given["class_names"] == list("0123456789")
    # Few lie outside, on each side; the text says how many.
    low, high = given["limits"]
    points = kept["points"]
    for beyond in (points < low, points > high):
        assert (beyond.mean(axis=0) <= 0.02).all()
    for edge, share in ((low, 0.02), (high, 0.98)):
        ends = np.quantile(points, share, axis=0)
        assert (np.abs(edge - ends) < 0.1 * np.ptp(points, axis=0)).all()
    outside = ((points < low) | (points > high)).any(axis=1).sum()
    assert f"; {outside} of {len(points)} images lie outside" in section.text


@pytest.mark.parametrize("name", ["run", "noisy"])
def test_tables_hold_the_errors_of_net_and_pca(name, request, monkeypatch):
    path = request.getfixturevalue(name)
    kept, metrics = arrays(path), evaluation(path)["metrics"]
    section, calls = drawn(monkeypatch, autoencoding, path, "reconstructions")
    _, errors, classes = section.parts
    assert classes.head[:3] == ["class", "autoencoder", "PCA"]
    for label, row in enumerate(classes.rows):
        members = kept["labels"] == label
        net = kept["errors/usual"][members].mean()
        linear = kept["linear_errors"][members].mean()
        assert row == (
            str(label), f"{net:.3f}", f"{linear:.3f}", f"{net / linear:.0%}",
            str(members.sum()),
        )  # fmt: skip
    assert len(classes.rows) == 10
    assert errors.head == ["", "autoencoder", "PCA"]
    assert errors.rows[0] == (
        "test images",
        f"{kept['errors/usual'].mean():.3f}",
        f"{kept['linear_errors'].mean():.3f}",
    )
    ((plot, given),) = calls
    names = ["images", "outputs", "linear_outputs"]
    if name == "noisy":
        names.insert(1, "inputs")
        assert errors.rows[1] == (
            "from noisy inputs",
            f"{metrics['denoised_squared_error']:.3f}",
            f"{metrics['pca_denoised_squared_error']:.3f}",
        )
    assert plot == "picture_rows"
    for (_, pictures), key in zip(given["rows"], names, strict=True):
        np.testing.assert_array_equal(pictures, kept[key])


@pytest.mark.parametrize("name", ["run", "noisy"])
def test_walk_of_the_page_is_the_one_that_was_kept(name, request, monkeypatch):
    path = request.getfixturevalue(name)
    kept = arrays(path)
    _, ((plot, given),) = drawn(monkeypatch, autoencoding, path, "walk")
    if name == "noisy":
        assert plot == "picture_grid"
        for key, argument in (
            ("walk", "pictures"), ("walk_x", "x"), ("walk_y", "y"),
        ):  # fmt: skip
            np.testing.assert_array_equal(given[argument], kept[key])
        return
    for pair, (title, pictures) in enumerate(given["rows"]):
        assert title == f"{2 * pair} to {2 * pair + 1}"
        np.testing.assert_array_equal(pictures[0], kept["images"][2 * pair])
        np.testing.assert_array_equal(pictures[1:-1], kept["walk"][pair])
        np.testing.assert_array_equal(
            pictures[-1], kept["images"][2 * pair + 1]
        )


def test_histogram_and_table_tell_unusual_images_from_usual_ones(
    run, monkeypatch
):
    kept, threshold = arrays(run), evaluation(run)["anomaly_threshold"]
    section, ((_, given),) = drawn(monkeypatch, autoencoding, run, "anomalies")
    assert given["threshold"] == threshold
    assert list(given["scores"]) == [
        "test images", "upside down", "halves of two images",
    ]  # fmt: skip
    for scores, key in zip(
        given["scores"].values(),
        ("usual", "upside_down", "halves"),
        strict=True,
    ):
        np.testing.assert_array_equal(scores, kept[f"errors/{key}"])
    assert [row[2] for row in section.parts[0].rows] == [
        f"{(kept[f'errors/{key}'] > threshold).mean():.1%}"
        for key in ("upside_down", "halves")
    ]


# Noise and two numbers


def test_noisy_inputs_come_back_better_than_they_went_in(noisy):
    found, kept = evaluation(noisy)["metrics"], arrays(noisy)
    assert found["denoised_squared_error"] < found["noisy_squared_error"]
    assert found["denoised_squared_error"] < found["pca_denoised_squared_error"]
    assert found["squared_error"] < found["denoised_squared_error"]
    lost = (kept["inputs"] == 0) & (kept["images"] > 0)
    assert (lost.sum(axis=(1, 2, 3)) > 2).all()
    kept_pixels = kept["inputs"] != 0
    np.testing.assert_array_equal(
        kept["inputs"][kept_pixels], kept["images"][kept_pixels]
    )


def test_plane_of_codes_is_decoded_point_by_point(noisy):
    kept = arrays(noisy)
    np.testing.assert_array_equal(kept["points"], kept["codes"])
    assert "points_share" not in kept
    walk, x, y = kept["walk"], kept["walk_x"], kept["walk_y"]
    assert walk.shape == (15, 15, 8, 8, 1)
    assert (np.diff(x) > 0).all() and (np.diff(y) > 0).all()
    inside = (kept["codes"] >= [x[0], y[0]]) & (kept["codes"] <= [x[-1], y[-1]])
    assert inside.mean() > 0.9
    model = keras.models.load_model(noisy / "model.keras", compile=False)
    decoder = model.get_layer("decoder")
    for i, j in ((0, 0), (3, 11), (14, 6)):
        expected = decoder(np.array([[x[j], y[i]]]))[0]
        np.testing.assert_allclose(walk[i, j], expected, atol=1e-5)
    text = (noisy / "report.html").read_text()
    for label in (
        "test image, noisy input, autoencoder, PCA, width 2, by row",
        "images decoded from a grid over the plane of codes",
    ):
        assert f'aria-label="{label}"' in text


# Slow: a training more; tests/data cuts a run in two and compares its noise.
@pytest.mark.slow
def test_interrupted_with_noise_it_ends_in_the_same_bits(
    noisy, tmp_path, monkeypatch, capfd, without_page
):
    from tests.recipes.test_resume import StopAfter, with_callback

    with monkeypatch.context() as patch:
        with_callback(patch, StopAfter(3, 1))
        status = toolkit("train", "autoencoder", *NOISY, "--runs", tmp_path)
    assert status == 130
    other = tmp_path / "autoencoder" / "1"
    assert toolkit("train", "autoencoder", "--resume", other) == 0
    assert "resuming after epoch 4" in capfd.readouterr().out
    for name in ("metrics.csv", "autoencoding.npz"):
        assert (noisy / name).read_bytes() == (other / name).read_bytes()


# Exported


def test_encoder_and_decoder_leave_beside_the_net(run):
    names = {p.name for p in (run / "export").iterdir()}
    assert {
        *FILES, "autoencoder_encoder.onnx", "autoencoder_decoder.onnx",
    } <= names  # fmt: skip
    kept = arrays(run)
    codes = kept["codes"][kept["shown"]]
    for signature, given, output, expected in (
        ("encoder", {"image": kept["images"]}, "code", codes),
        ("decoder", {"code": codes}, "reconstruction", kept["outputs"]),
    ):
        for file in ("saved_model", "autoencoder.tflite"):
            model = runtime.load(run / "export" / file, signature=signature)
            found = model.run(given)[output]
            np.testing.assert_allclose(found, expected, atol=1e-4)
        alone = runtime.load(run / "export" / f"autoencoder_{signature}.onnx")
        found = alone.run(given)[output]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("file", FILES)
def test_exported_file_says_how_unusual_a_picture_is(run, file):
    path = run / "export" / file
    told = metadata.read(path)
    threshold = evaluation(run)["anomaly_threshold"]
    assert told["task"] == "image_reconstruction"
    assert told["anomaly_threshold"] == threshold
    assert told["preprocessing"]["size"] == [8, 8]
    model, kept = runtime.load(path), arrays(run)
    names = [str(run / "samples" / f"{i}.png") for i in range(10)]
    found = model.anomaly(names)
    np.testing.assert_allclose(
        [f["score"] for f in found],
        kept["errors/usual"][kept["shown"]],
        rtol=1e-3,
    )
    assert [f["unusual"] for f in found] == [
        f["score"] > threshold for f in found
    ]
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    strange = model.anomaly(noise)
    assert strange["unusual"] and strange["threshold"] == threshold
    assert strange["score"] > 3 * max(f["score"] for f in found)
    seven = np.asarray(Image.open(names[7]))
    turned = model.anomaly(np.ascontiguousarray(seven[::-1, ::-1]))
    assert turned["unusual"] and turned["score"] > 2 * found[7]["score"]
    with pytest.raises(runtime.InputError, match="is no classifier"):
        model.predict(names[0])


def test_anomaly_scores_tell_unusual_images_from_usual_ones(run):
    found, kept = evaluation(run)["metrics"], arrays(run)
    usual, threshold = (
        kept["errors/usual"],
        evaluation(run)["anomaly_threshold"],
    )
    assert found["false_alarms"] == (usual > threshold).mean() < 0.06
    for name in ("upside_down", "halves"):
        unusual = kept[f"errors/{name}"]
        assert found[f"{name}_found"] == (unusual > threshold).mean()
        higher = (unusual[:, None] > usual).mean()
        assert found[f"{name}_auroc"] == pytest.approx(higher, abs=1e-3)
        assert higher > 0.85


def test_predict_prints_score_and_threshold(run, tmp_path, capfd):
    white = tmp_path / "white.png"
    Image.new("L", (8, 8), 255).save(white)
    for model in (run, run / "export" / "autoencoder.tflite"):
        capfd.readouterr()
        assert toolkit("predict", model, run / "samples" / "0.png", white) == 0
        usual, unusual = capfd.readouterr().out.splitlines()
        pattern = r"{}  {}: squared error \d+\.\d\d\d, threshold \d\.\d\d\d"
        assert re.fullmatch(pattern.format(".*0.png", "usual"), usual)
        assert re.fullmatch(pattern.format(".*white.png", "unusual"), unusual)
    assert toolkit("predict", run, white, "--json") == 0
    answer = json.loads(capfd.readouterr().out)[str(white)]
    assert answer["unusual"] and answer["score"] > answer["threshold"]


def test_evaluate_agrees_between_keras_and_the_files(run, capfd):
    expected = evaluation(run)["metrics"]
    for path in (run, *(run / "export" / file for file in FILES)):
        capfd.readouterr()
        assert toolkit("evaluate", path, "--json") == 0
        found = json.loads(capfd.readouterr().out)
        assert found["count"] == evaluation(run)["count"]
        assert found["squared_error"] == pytest.approx(
            expected["squared_error"], abs=1e-4
        )
        assert found["unusual"] == pytest.approx(expected["false_alarms"])
    for command in ("benchmark", "robustness"):
        assert toolkit(command, run) == 1
        error = capfd.readouterr().err
        assert "does not say that it is for image classification" in error


def test_run_is_exported_again_and_verified(run, tmp_path, capfd):
    out = tmp_path / "out"
    assert toolkit("export", run, "--to", "onnx", "--output", out) == 0
    assert sorted(p.name for p in out.glob("*.onnx")) == [
        "autoencoder.onnx", "autoencoder_decoder.onnx",
        "autoencoder_encoder.onnx",
    ]  # fmt: skip
    samples = ["--samples", run / "samples" / "inputs.npy"]
    for name in ("autoencoder", "autoencoder_encoder"):
        file = out / f"{name}.onnx"
        assert toolkit("verify", file, "--against", run, *samples) == 0
    assert capfd.readouterr().out.count("equals the Keras model") == 2


@pytest.mark.parametrize(
    "preset",
    # Slow: tied layers have a contract and a quick test of their files.
    [pytest.param("tied", marks=pytest.mark.slow), "convolutional"],
)
def test_other_architectures_run(preset, tmp_path, without_page):
    status = toolkit(
        "train", "autoencoder", "--preset", preset, "--dry-run", "--export",
        "onnx", "--runs", tmp_path,
    )  # fmt: skip
    assert status == 0
    run = tmp_path / "autoencoder" / "1"
    assert (run / "export" / "autoencoder_decoder.onnx").is_file()
    model = keras.models.load_model(run / "model.keras", compile=False)
    kinds = {type(layer).__name__ for layer in model._flatten_layers()}
    wanted = {"tied": "TiedDense", "convolutional": "Conv2DTranspose"}
    assert wanted[preset] in kinds
