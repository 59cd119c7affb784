"""Arrays in, matplotlib figures out."""

from toolkit.plots.attention import attention_map, attention_scale
from toolkit.plots.class_map import class_map
from toolkit.plots.confusion_matrix import confusion_matrix
from toolkit.plots.convolution import convolution_arithmetic
from toolkit.plots.curves import curves
from toolkit.plots.embedding import embedding_map
from toolkit.plots.histogram import histogram
from toolkit.plots.kernels import kernels
from toolkit.plots.lines import lines
from toolkit.plots.maps import feature_maps, kernel_table
from toolkit.plots.pictures import picture_grid, picture_rows
from toolkit.plots.robustness_curves import robustness_curves
from toolkit.plots.run_lines import run_lines
from toolkit.plots.score_histogram import score_histogram

__all__ = [
    "attention_map",
    "attention_scale",
    "class_map",
    "confusion_matrix",
    "convolution_arithmetic",
    "curves",
    "embedding_map",
    "feature_maps",
    "histogram",
    "kernel_table",
    "kernels",
    "lines",
    "picture_grid",
    "picture_rows",
    "robustness_curves",
    "run_lines",
    "score_histogram",
]
