"""Exports in tests that ask a traced Keras model, which is faster."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from export.program import Entry

EAGER = Entry.reference


@contextlib.contextmanager
def graph_reference():
    """Lets a traced Keras model answer where `export` calls it eagerly.

    An eager loop over steps takes more than half of the time of an export of
    recurrent layers. That `export` itself asks the eager model is tested in
    test_export.py, whose exports are not under this.
    """

    def reference(entry, arrays):
        answers = entry.traced(**entry._tensors(arrays))
        return {name: np.asarray(value) for name, value in answers.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Entry, "reference", reference)
        yield
