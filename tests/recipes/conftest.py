"""What the tests of recipes share."""

from pathlib import Path

import pytest

from recipes import _run


def leave_out_page(patch):
    """Leaves out of runs what only their page shows.

    For tests of training and resuming, which would take most of their time to
    draw it. Every recipe has a test of its whole page.

    Args:
        patch: A `pytest.MonkeyPatch`.
    """
    patch.setattr(
        "recipes._report.write_report", lambda run: Path(run) / "report.html"
    )
    patch.setattr(_run, "look_inside", lambda *_: None, raising=False)


@pytest.fixture
def without_page(monkeypatch):
    leave_out_page(monkeypatch)


@pytest.fixture
def without_drawing(monkeypatch):
    """Lets figures be empty in tests that read the text around them."""
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig",
        lambda figure, file, **options: file.write("<svg></svg>"),
    )
