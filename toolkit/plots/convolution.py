"""One convolution worked by hand: padding, stride, channels."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from toolkit.errors import ConfigError

WINDOW, ANSWER = "#d55e00", "#0072b2"


def convolution_arithmetic(
    image: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: str | int = "valid",
    at: tuple[int, int] = (0, 0),
    output_map: int = 0,
) -> Figure:
    """Draws how a convolution makes one number, and all the others.

    A row per input channel: the padded channel with the window on it, the
    kernel's slice for it. Then the sum, written out, and the output map with
    the number in its place. As in deep learning, the kernel is not flipped.

    ```
    output size = floor((size + padding - kernel size) / stride) + 1
    ```

    Args:
        image: `(height, width, channels)`; small, for every number is drawn.
        kernel: `(kernel height, kernel width, channels, maps)`.
        bias: `(maps,)`; zeros by default.
        stride: steps down and right, or one number for both.
        padding: `valid` (none), `same` (as many rows and columns of zeros as
            give `ceil(size / stride)`), or a number of zeros on every side.
        at: row and column of the output that is worked.
        output_map: which of the maps is drawn.

    Raises:
        ConfigError: shapes that do not fit, a window larger than the padded
            image, or a place outside the output.

    Example:
    >>> import numpy as np
    >>> from toolkit.plots import convolution_arithmetic
    >>> figure = convolution_arithmetic(
    ...     np.arange(16).reshape(4, 4, 1), np.ones((2, 2, 1, 1)), stride=2)
    >>> print(figure.axes[-1].get_title())
    output 2 x 2
    """
    image, kernel = np.asarray(image, float), np.asarray(kernel, float)
    strides = (stride, stride) if isinstance(stride, int) else tuple(stride)
    padded, sides = _pad(image, kernel, strides, padding)
    maps = kernel.shape[-1]
    if not 0 <= output_map < maps:
        raise ConfigError(
            f"`output_map` must be from 0 to {maps - 1}. Received: "
            f"output_map={output_map}."
        )
    biases = np.zeros(maps) if bias is None else np.asarray(bias, float)
    if biases.shape != (maps,):
        raise ConfigError(
            f"`bias` must be ({maps},). Received: {biases.shape}."
        )
    offset = float(biases[output_map])
    weights = kernel[..., output_map]
    output = _correlate(padded, weights, strides) + offset
    if not all(0 <= a < n for a, n in zip(at, output.shape, strict=True)):
        raise ConfigError(
            f"`at` must lie in the output of {_by(output.shape)}. Received: "
            f"at={tuple(at)}."
        )
    top, left = (a * s for a, s in zip(at, strides, strict=True))
    high, wide, channels = weights.shape
    figure = Figure(
        figsize=(
            0.34 * (padded.shape[1] + wide + output.shape[1]) + 2.6,
            channels * (0.34 * padded.shape[0] + 0.6) + 0.9,
        ),
        layout="constrained",
    )
    grid = figure.add_gridspec(
        channels,
        3,
        width_ratios=[padded.shape[1], wide, output.shape[1]],
    )
    sums = []
    for channel in range(channels):
        window = padded[top : top + high, left : left + wide, channel]
        slice_ = weights[..., channel]
        sums.append(float((window * slice_).sum()))
        axes = figure.add_subplot(grid[channel, 0])
        _numbers(axes, padded[..., channel], _zeros(padded, sides))
        _frame(axes, left, top, wide, high, WINDOW)
        axes.set_title(f"channel {channel + 1}", fontsize=9)
        axes = figure.add_subplot(grid[channel, 1])
        _numbers(axes, slice_)
        axes.set_title(f"kernel, sum {_number(sums[-1])}", fontsize=9)
    axes = figure.add_subplot(grid[:, 2])
    _numbers(axes, output)
    _frame(axes, at[1], at[0], 1, 1, ANSWER)
    axes.set_title(f"output {_by(output.shape)}", fontsize=9)
    terms = " + ".join(f"({_number(s)})" for s in [*sums, offset])
    figure.supxlabel(
        f"output[{at[0]}, {at[1]}] = {terms} = {_number(output[at])}\n"
        f"{_size_text(image, kernel, strides, sides)}",
        fontsize=9,
    )
    return figure


def _pad(image, kernel, strides, padding):
    """Returns the padded image and the zeros (top, bottom, left, right)."""
    if image.ndim != 3 or kernel.ndim != 4:
        raise ConfigError(
            "`image` must be (height, width, channels) and `kernel` (height, "
            f"width, channels, maps). Received: {image.shape} and "
            f"{kernel.shape}."
        )
    if image.shape[2] != kernel.shape[2]:
        raise ConfigError(
            f"The image has {image.shape[2]} channels and the kernel "
            f"{kernel.shape[2]}; they must be the same."
        )
    if len(strides) != 2 or min(strides) < 1:
        raise ConfigError(
            f"`stride` must be at least 1. Received: stride={strides}."
        )
    sides: list[int] = []
    for size, window, step in zip(
        image.shape[:2], kernel.shape[:2], strides, strict=True
    ):
        if padding == "valid":
            total = 0
        elif padding == "same":
            total = max((-(-size // step) - 1) * step + window - size, 0)
        elif isinstance(padding, int) and padding >= 0:
            total = 2 * padding
        else:
            raise ConfigError(
                '`padding` must be "valid", "same" or a number of at least '
                f"0. Received: padding={padding!r}."
            )
        if size + total < window:
            raise ConfigError(
                f"A kernel of {window} does not fit into {size} + {total} "
                "pixels. Take a smaller kernel or more padding."
            )
        sides += [total // 2, total - total // 2]
    padded = np.pad(image, (sides[:2], sides[2:], (0, 0)))
    return padded, sides


def _correlate(padded, weights, strides):
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape)
    windows = windows[:: strides[0], :: strides[1], 0]
    return np.einsum("abijk,ijk->ab", windows, weights)


def _zeros(padded, sides):
    """Returns where the padding is."""
    mask = np.ones(padded.shape[:2], bool)
    top, bottom, left, right = sides
    mask[top : mask.shape[0] - bottom, left : mask.shape[1] - right] = False
    return mask


def _numbers(axes, values, padding=None) -> None:
    """Draws a table of numbers, padding in grey."""
    shade = (
        np.full(values.shape, 1.0) if padding is None else 1 - 0.15 * padding
    )
    axes.imshow(shade, cmap="gray", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            column, row, _number(value), ha="center", va="center", fontsize=7
        )
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, [])
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, [])
    axes.grid(color="#bbbbbb", linewidth=0.6)
    axes.tick_params(length=0)


def _frame(axes, left, top, wide, high, colour) -> None:
    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            wide,
            high,
            fill=False,
            edgecolor=colour,
            linewidth=2,
        )
    )


def _size_text(image, kernel, strides, sides) -> str:
    parts = []
    for axis, name in enumerate(("height", "width")):
        size, window, step = (
            image.shape[axis],
            kernel.shape[axis],
            strides[axis],
        )
        total = sides[2 * axis] + sides[2 * axis + 1]
        result = (size + total - window) // step + 1
        parts.append(
            f"{name} floor(({size} + {total} - {window}) / {step}) + 1 = "
            f"{result}"
        )
    return ",  ".join(parts)


def _number(value: float) -> str:
    return f"{round(float(value), 2) + 0.0:g}"


def _by(shape) -> str:
    return " x ".join(map(str, shape))
