"""Arrays in, matplotlib figures out."""

from toolkit.plots.confusion_matrix import confusion_matrix
from toolkit.plots.convolution import convolution_arithmetic
from toolkit.plots.curves import curves
from toolkit.plots.kernels import kernels
from toolkit.plots.lines import lines
from toolkit.plots.maps import feature_maps, kernel_table
from toolkit.plots.robustness_curves import robustness_curves

__all__ = [
    "confusion_matrix",
    "convolution_arithmetic",
    "curves",
    "feature_maps",
    "kernel_table",
    "kernels",
    "lines",
    "robustness_curves",
]
