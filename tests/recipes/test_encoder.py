"""The 8-3-8 encoder: what it learns, and what is kept of it."""

import json
import re

import numpy as np
import pytest

from export import runtime
from recipes._cli.main import main
from recipes._report import encoding
from recipes.encoder_8_3_8 import PRESETS, Config
from tests.recipes.drawn import drawn
from toolkit.errors import ConfigError


def toolkit(*arguments):
    return main([str(a) for a in arguments])


EPOCHS = PRESETS["fast"]["epochs"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with Adam, a fifth of the epochs of the book."""
    runs = tmp_path_factory.mktemp("runs")
    assert (
        toolkit(
            "train", "encoder_8_3_8", "--preset", "fast", "--runs", runs,
            "--export", "saved_model,onnx,litert",
        ) == 0
    )  # fmt: skip
    return runs / "encoder_8_3_8" / "1"


# Slow: 5,000 epochs, by far the longest training of this file.
@pytest.mark.slow
def test_settings_of_the_book_learn_too(tmp_path):
    assert toolkit("train", "encoder_8_3_8", "--runs", tmp_path) == 0
    run = tmp_path / "encoder_8_3_8" / "1"
    test_all_patterns_come_back(run)
    test_every_epoch_is_noted(run, epochs=5000)


def test_all_patterns_come_back(run):
    found = json.loads((run / "evaluation.json").read_text())
    assert found["metrics"]["patterns_right"] == 8
    assert found["metrics"]["distinct_codes"] >= 6
    with np.load(run / "codes.npz") as kept:
        np.testing.assert_array_equal(kept["outputs"] > 0.5, np.eye(8) > 0)
        codes = kept["codes"]
    assert codes.shape == (8, 3)
    # Different codes, each hidden unit used.
    apart = np.abs(codes[:, None] - codes[None]).max(axis=2) + np.eye(8)
    assert apart.min() > 0.2
    assert (np.ptp(codes, axis=0) > 0.5).all()


def test_every_epoch_is_noted(run, epochs=EPOCHS):
    with np.load(run / "trace.npz") as trace:
        errors, code, weights = (
            trace[k] for k in ("errors", "code", "weights")
        )
    assert errors.shape == (epochs + 1, 8)
    assert code.shape == (epochs + 1, 3)
    assert weights.shape == (epochs + 1, 9)
    # Small random weights first: every output says about 0.5, so 8 x 0.25.
    assert 1 < errors[0].mean() < 3
    assert errors[-1].sum() < 0.2
    np.testing.assert_allclose(weights[0], 0.0, atol=0.5)
    assert np.abs(weights[-1]).max() > 1
    with np.load(run / "codes.npz") as kept:
        np.testing.assert_allclose(code[-1], kept["codes"][1], atol=1e-5)
        squares = np.square(kept["outputs"] - kept["patterns"]).sum(axis=0)
    np.testing.assert_allclose(errors[-1], squares, atol=1e-4)
    rows = (run / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [
        str(n) for n in range(epochs // 10, epochs + 1, epochs // 10)
    ]


def test_page_shows_the_three_figures_and_the_codes(run):
    page = (run / "report.html").read_text()
    section = page[page.index('id="codes"') :]
    section = section[: section.index("</section>")]
    for label in (
        "squared error, sum over patterns, by epoch",
        "hidden values for 01000000, by epoch",
        "weights into hidden unit 1, by epoch",
    ):
        assert f'aria-label="{label}"' in section
    rows = re.findall(r"<tr><td.*?</tr>", section)
    assert len(rows) == 8
    cells = [re.findall(r">([^<]+)</td>", row) for row in rows]
    assert [row[0] for row in cells] == [row[-1] for row in cells]
    assert "8 of 8 patterns right" in page
    card = (run / "README.md").read_text()
    assert "it was trained on: there are no others" in card


def test_figures_and_table_hold_what_was_noted(run, monkeypatch):
    section, calls = drawn(monkeypatch, encoding, run)
    assert [name for name, _ in calls] == ["lines"] * 3
    with (
        np.load(run / "trace.npz") as trace,
        np.load(run / "codes.npz") as kept,
    ):
        for (_, given), name in zip(
            calls, ("errors", "code", "weights"), strict=True
        ):
            assert given["x"][0] == 0 and given["x"][-1] == EPOCHS
            np.testing.assert_array_equal(
                given["values"], trace[name][given["x"]]
            )
        assert calls[2][1]["names"] == [
            *(f"input {i}" for i in range(1, 9)),
            "bias",
        ]
        assert section.parts[0].rows == [
            (
                "".join(str(int(x)) for x in pattern),
                *(f"{x:.2f}" for x in code),
                "".join(str(round(float(x))) for x in code),
                "".join(str(round(float(x))) for x in output),
            )
            for pattern, code, output in zip(
                kept["patterns"], kept["codes"], kept["outputs"], strict=True
            )
        ]


def test_page_has_no_curves_beside_those_of_the_book(run):
    # There is no validation split, and a row is the mean of many epochs.
    page = (run / "report.html").read_text()
    assert 'id="curves"' not in page and "validation is measured" not in page
    assert "0 to validate" in page


def test_encoder_and_decoder_leave_beside_the_net(run):
    names = {p.name for p in (run / "export").iterdir()}
    assert {
        "encoder_8_3_8.onnx", "encoder_8_3_8_encoder.onnx",
        "encoder_8_3_8_decoder.onnx", "encoder_8_3_8.tflite", "saved_model",
    } <= names  # fmt: skip
    with np.load(run / "codes.npz") as kept:
        for signature, given, name in (
            ("encoder", {"features": kept["patterns"]}, "codes"),
            ("decoder", {"code": kept["codes"]}, "outputs"),
        ):
            model = runtime.load(
                run / "export" / "encoder_8_3_8.tflite", signature=signature
            )
            (found,) = model.run(given).values()
            np.testing.assert_allclose(found, kept[name], atol=1e-5)


# Slow: two trainings; a golden run that was stopped in such a row goes on in
# tests/golden.
@pytest.mark.slow
def test_interrupted_in_a_row_of_many_epochs_it_ends_the_same(
    tmp_path, monkeypatch, capfd, without_page
):
    from tests.recipes.test_resume import StopAfter, with_callback

    settings = ["--inputs", 4, "--hidden", 2, "--epochs", 60, "--runs"]
    assert toolkit("train", "encoder_8_3_8", *settings, tmp_path / "a") == 0
    with monkeypatch.context() as patch:
        # 6 epochs to a row; the third one of the fifth row.
        with_callback(patch, StopAfter(4, 3))
        status = toolkit("train", "encoder_8_3_8", *settings, tmp_path / "b")
    assert status == 130
    assert "up to epoch 27. " in capfd.readouterr().err
    whole, other = (tmp_path / x / "encoder_8_3_8" / "1" for x in "ab")
    assert toolkit("train", "encoder_8_3_8", "--resume", other) == 0
    assert "resuming after epoch 27\n" in capfd.readouterr().out
    for name in ("metrics.csv", "trace.npz", "codes.npz"):
        assert (whole / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": 8}, "--hidden must be below --inputs \\(8\\)"),
        ({"pattern": 9}, "--pattern must be at most --inputs"),
        ({"unit": 4}, "--unit must be at most --hidden \\(3\\)"),
        ({"inputs": 1}, "--inputs must be at least 2"),
        ({"momentum": 1.0}, "--momentum must be below 1"),
        (
            {"optimizer": "adam", "momentum": 0.5},
            "--momentum has no effect in the optimizer adam. Received: 0.5",
        ),
        (
            {"batch_size": 3},
            r"must be a divisor of --inputs \(8\).*Received: 3",
        ),
        ({"batch_size": 16}, r"must be a divisor of --inputs \(8\).*: 16"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings)


def test_settings_that_say_nothing_of_momentum_go_with_adam():
    assert Config(**PRESETS["fast"]).momentum == 0
    assert Config(optimizer="adam").optimizer == "adam"
