"""report.html: one self-contained page about a run."""

from recipes._report.page import write_report

__all__ = ["write_report"]
