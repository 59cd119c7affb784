"""Arrays in, matplotlib figures out."""

from toolkit.plots.confusion_matrix import confusion_matrix
from toolkit.plots.curves import curves
from toolkit.plots.kernels import kernels

__all__ = ["confusion_matrix", "curves", "kernels"]
