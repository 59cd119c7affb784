"""gradient_norms.npz: what a run keeps of its gradients."""

from __future__ import annotations

from recipes._run.evaluation import write_arrays
from recipes._run.run import Run
from toolkit.training import GradientNorms

FILE = "gradient_norms.npz"


def keep_gradient_norms(run: Run, norms: GradientNorms) -> None:
    """Writes the gradient norms of a run, for the page.

    Args:
        run: a run that is trained.
        norms: the callback that was trained with.
    """
    write_arrays(run, FILE, **norms.arrays())
