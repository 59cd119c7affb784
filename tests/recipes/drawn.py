"""What a section of the report gave to its plots."""

import inspect

from toolkit import plots


class Drawn:
    """Stands for `toolkit.plots` in a section's module: draws, and remembers.

    Attributes:
        calls: pairs of a plot's name and its arguments by name, in order.
    """

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        draw = getattr(plots, name)

        def remember(*args, **kwargs):
            bound = inspect.signature(draw).bind(*args, **kwargs)
            self.calls.append((name, bound.arguments))
            return draw(*args, **kwargs)

        return remember


def drawn(monkeypatch, module, run, section="section"):
    """Returns a section of a run's page, and the calls of its plots."""
    from recipes._report import files

    seen = Drawn()
    monkeypatch.setattr(module, "plots", seen)
    return getattr(module, section)(files.read(run)), seen.calls
