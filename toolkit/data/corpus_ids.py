"""Word numbers of a whole corpus, changed where they are."""

from __future__ import annotations

import numpy as np

BREAK = -1  # between two sentences
UNKNOWN = -2  # a word that is left out
CHUNK = 1 << 20  # numbers that are handled at once


def count(ids: np.ndarray, size: int) -> np.ndarray:
    """Returns how often each number from 0 to `size - 1` occurs, int64.

    Example:
    >>> import numpy as np
    >>> from toolkit.data.corpus_ids import count
    >>> count(np.array([2, 0, 2], np.int32), 4).tolist()
    [1, 0, 2, 0]
    """
    counts = np.zeros(size, np.int64)
    step = max(CHUNK, size)
    for start in range(0, len(ids), step):
        counts += np.bincount(ids[start : start + step], minlength=size)
    return counts


def renumber(ids: np.ndarray, table: np.ndarray) -> int:
    """Puts `table[ids]` in the place of `ids`, without what is UNKNOWN.

    Args:
        ids: int32 `(tokens,)`, changed.
        table: the new number of every old one, int32.

    Returns:
        How many are left; they stand in front.

    Example:
    >>> import numpy as np
    >>> from toolkit.data.corpus_ids import UNKNOWN, renumber
    >>> ids = np.array([2, 0, 1, 2], np.int32)
    >>> ids[: renumber(ids, np.array([UNKNOWN, 5, 6], np.int32))].tolist()
    [6, 5, 6]
    """
    length = 0
    for start in range(0, len(ids), CHUNK):
        part = table[ids[start : start + CHUNK]]
        part = part[part != UNKNOWN]
        ids[length : length + len(part)] = part
        length += len(part)
    return length


def drop_short(ids: np.ndarray) -> tuple[int, int, int]:
    """Leaves out sentences of fewer than two words.

    Args:
        ids: int32 `(tokens,)`, changed; sentences end with BREAK, the last
            one need not.

    Returns:
        How many tokens are left (they stand in front, with BREAK between two
        sentences only), the number of sentences, and how many of a single
        word were left out.

    Example:
    >>> import numpy as np
    >>> from toolkit.data.corpus_ids import drop_short
    >>> ids = np.array([-1, 4, -1, 7, 8, -1, -1, 5, 6], np.int32)
    >>> length, *_ = drop_short(ids)
    >>> ids[:length].tolist()
    [7, 8, -1, 5, 6]
    """
    ends = np.append(np.flatnonzero(ids == BREAK), len(ids))
    lengths = np.diff(ends, prepend=-1) - 1
    kept = np.ones(len(ids) + 1, bool)
    kept[ends[lengths < 2]] = False
    kept[ends[lengths == 1] - 1] = False
    length = 0
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        part = part[kept[start : start + len(part)]]
        ids[length : length + len(part)] = part
        length += len(part)
    if length and ids[length - 1] == BREAK:
        length -= 1
    return length, int((lengths > 1).sum()), int((lengths == 1).sum())
