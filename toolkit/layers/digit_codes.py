"""Codes of the ten digits: little pictures of 7 x 12, as in LeNet-5."""

from __future__ import annotations

import numpy as np

from toolkit.errors import ConfigError

HEIGHT, WIDTH = 12, 7


def digit_codes(classes: int = 10, features: int = HEIGHT * WIDTH):
    """Returns a code of +1 and -1 per class.

    The ten digits are drawn on 12 rows of 7 pixels, +1 for ink: similar
    digits get similar codes, so that whoever reads the penalties afterwards
    sees which digits were hard to tell apart. For other numbers of classes or
    features the codes are drawn at random, the same ones each time.

    Args:
        classes: number of codes, at least 2.
        features: length of a code, at least 8.

    Returns:
        float32 `(classes, features)`.

    Raises:
        ConfigError: an argument below its limit.

    Example:
    >>> from toolkit.layers import digit_codes
    >>> print(digit_codes().shape, digit_codes(26, 84).shape)
    (10, 84) (26, 84)

    Source: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to
    document recognition (1998), section II.B and figure 3, which shows the
    idea; these pictures are our own.
    """
    if classes < 2 or features < 8:
        raise ConfigError(
            "`classes` must be at least 2 and `features` at least 8. "
            f"Received: classes={classes}, features={features}."
        )
    if (classes, features) == (len(PICTURES), HEIGHT * WIDTH):
        ink = [[cell == "#" for cell in "".join(p)] for p in PICTURES]
        return np.where(ink, 1.0, -1.0).astype(np.float32)
    rng = np.random.default_rng([classes, features])
    return rng.choice([-1.0, 1.0], (classes, features)).astype(np.float32)


# fmt: off
PICTURES = (
    (
        ".......",
        "..###..",
        ".##.##.",
        "##...##",
        "##...##",
        "##...##",
        "##...##",
        "##...##",
        "##...##",
        ".##.##.",
        "..###..",
        ".......",
    ), (
        ".......",
        "...##..",
        "..###..",
        ".####..",
        "...##..",
        "...##..",
        "...##..",
        "...##..",
        "...##..",
        "...##..",
        ".######",
        ".......",
    ), (
        ".......",
        "..####.",
        ".##..##",
        "##...##",
        ".....##",
        "....##.",
        "...##..",
        "..##...",
        ".##....",
        "##.....",
        "#######",
        ".......",
    ), (
        ".......",
        "#######",
        ".....##",
        "....##.",
        "...##..",
        "..####.",
        ".....##",
        ".....##",
        "##...##",
        ".##..##",
        "..####.",
        ".......",
    ), (
        ".......",
        "....##.",
        "...###.",
        "..####.",
        ".##.##.",
        "##..##.",
        "##..##.",
        "#######",
        "....##.",
        "....##.",
        "....##.",
        ".......",
    ), (
        ".......",
        "#######",
        "##.....",
        "##.....",
        "##.....",
        "#####..",
        "....##.",
        ".....##",
        ".....##",
        "##..##.",
        ".####..",
        ".......",
    ), (
        ".......",
        "..####.",
        ".##....",
        "##.....",
        "##.....",
        "##.##..",
        "###.##.",
        "##...##",
        "##...##",
        ".##.##.",
        "..###..",
        ".......",
    ), (
        ".......",
        "#######",
        "##...##",
        ".....##",
        "....##.",
        "....##.",
        "...##..",
        "...##..",
        "..##...",
        "..##...",
        "..##...",
        ".......",
    ), (
        ".......",
        ".#####.",
        "##...##",
        "##...##",
        ".##.##.",
        "..###..",
        ".##.##.",
        "##...##",
        "##...##",
        "##...##",
        ".#####.",
        ".......",
    ), (
        ".......",
        "..###..",
        ".##.##.",
        "##...##",
        "##...##",
        ".##.###",
        "..##.##",
        ".....##",
        ".....##",
        "....##.",
        ".####..",
        ".......",
    ),
)
# fmt: on
