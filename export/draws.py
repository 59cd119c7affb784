"""Random inputs of many kinds, drawn for what each input goes into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from export.reach import Reach

# Where activations turn: relu6, hard sigmoid and others, exp's overflow.
TURNS = (
    -110,
    -90,
    -88,
    -20,
    -6,
    -3,
    -2.5,
    -1,
    0,
    1,
    2.5,
    3,
    6,
    20,
    88,
    90,
    110,
)
KINDS = (
    "uniform", "normal", "pixels", "large", "small", "negative", "turning",
    "zeros", "halves", "huge",
)  # fmt: skip
STEPS = "steps"  # integers up to the longest sequence, as lengths are
WHOLE = "whole"  # integers beyond 24 bits, and of int64 beyond 32
MISSING = "missing"  # floats, a tenth of them NaN
INDEX_KINDS = ("wrapped", "same")  # of inputs that index tables
SPREAD = 64  # rows of a table, between the first and the last
INTEGERS = {  # by kind, from and below; within the dtype's range
    "uniform": (0, 2), "normal": (-5, 6), "pixels": (0, 256),
    "large": (-40_000, 40_001), "small": (0, 10), "negative": (-100, 0),
    "turning": (-4, 20), "zeros": (0, 1), "halves": (-8, 9),
    "huge": (-40_000, 40_001),
}  # fmt: skip
SIZES = (1, 9)
FACTORS = {"large": 100.0, "small": 0.01, "huge": 1e4}


class Draws:
    """Draws inputs of one signature.

    Args:
        tensors: `export.signatures.Tensor` of each input.
        reaches: What each input goes into, by name.
        states: Names of inputs that are states: what the model itself has
            returned, so neither pixels nor far from 0.
        seed: Of the random numbers.
    """

    def __init__(
        self,
        tensors: Iterable,
        reaches: Mapping[str, Reach],
        states: Iterable[str] = (),
        seed: int = 0,
    ):
        self.tensors = tuple(tensors)
        self.reaches = reaches
        self.states = frozenset(states)
        self._rng = np.random.default_rng(seed)
        self._chosen = {
            name: _chosen_rows(reach)
            for name, reach in reaches.items()
            if reach.rows
        }
        self._rows = {name: self._shuffled(name) for name in self._chosen}

    def _shuffled(self, name: str) -> list[int]:
        return self._rng.permutation(self._chosen[name]).tolist()

    @property
    def rows_left(self) -> int:
        """The most rows of a table that no input has shown yet."""
        return max(map(len, self._rows.values()), default=0)

    @property
    def shared_rows(self) -> bool:
        """Whether two inputs index tables of the same number of rows."""
        return len(set(self._rows_of().values())) < len(self._rows_of())

    def _rows_of(self) -> dict[str, int]:
        return {k: r.rows for k, r in self.reaches.items() if r.rows}

    @property
    def open_values(self) -> list[str]:
        """Names of inputs of numbers that index no table."""
        return [
            tensor.name
            for tensor in self.tensors
            if not self.reaches[tensor.name].rows
            and np.dtype(tensor.dtype).kind != "b"
        ]

    def draw(
        self,
        kind: str,
        sizes: Mapping[str, int],
        only: str | None = None,
        factor: float = 1.0,
    ) -> dict[str, np.ndarray]:
        """Returns an array for each input.

        Args:
            kind: One of `KINDS`; `steps`, integers up to the longest sequence
                and one more, as lengths are; `whole`, large integers;
                `missing`, floats with NaN between them; `wrapped`, indices
                from the end of their table, as -1 for the last; or `same`,
                equal indices in all inputs of a shape. All other inputs are
                uniform then.
            sizes: Size by open axis.
            only: The one input of that kind, where the others are uniform.
            factor: By what floats are multiplied.
        """
        lengths = [n for a, n in sizes.items() if not a.startswith("batch")]
        self._longest = max(lengths or [1])
        if kind == "same":
            self._rows = {name: self._shuffled(name) for name in self._chosen}
        arrays = {
            tensor.name: self._array(
                tensor,
                self._kind_of(tensor.name, kind, only),
                tensor.sizes(sizes),
                factor,
            )
            for tensor in self.tensors
        }
        first: dict[tuple, np.ndarray] = {}
        for name, rows in self._rows_of().items():
            if kind == "wrapped" and self.reaches[name].wraps:
                arrays[name] = arrays[name] - arrays[name].dtype.type(rows)
            elif kind == "same":
                place = (rows, arrays[name].shape, arrays[name].dtype)
                arrays[name] = first.setdefault(place, arrays[name])
        return arrays

    def _kind_of(self, name: str, kind: str, only: str | None) -> str:
        if only not in (None, name) or kind in INDEX_KINDS:
            return "uniform"
        wide = kind not in ("uniform", "normal", "small", "zeros")
        return "normal" if wide and name in self.states else kind

    def every_row(
        self, name: str, sizes: Mapping[str, int]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields inputs that together show every row of an input's table.

        Args:
            name: The input.
            sizes: Size by open axis.
        """
        rows = self.reaches[name].rows
        self._rows[name] = list(range(rows))
        while self._rows[name]:
            yield self.draw("uniform", sizes)

    def _array(self, tensor, kind, shape, factor) -> np.ndarray:
        dtype, reach = np.dtype(tensor.dtype), self.reaches[tensor.name]
        if dtype.kind == "b":
            return self._booleans(kind, shape)
        if reach.rows:
            return self._indices(tensor.name, reach.rows, shape).astype(dtype)
        if dtype.kind in "iu":
            return self._integers(dtype, kind, shape, reach)
        return np.asarray(factor * self._floats(kind, shape), dtype)

    def _booleans(self, kind, shape) -> np.ndarray:
        if kind in ("zeros", "large"):
            return np.full(shape, kind == "large")
        return self._rng.random(shape) < 0.5

    def _indices(self, name, rows, shape) -> np.ndarray:
        values = self._rng.integers(0, rows, shape)
        flat, left = values.reshape(-1), self._rows[name]
        shown = left[: flat.size]
        flat[self._rng.permutation(flat.size)[: len(shown)]] = shown
        del left[: len(shown)]
        return flat.reshape(shape)

    def _integers(self, dtype, kind, shape, reach) -> np.ndarray:
        limits = np.iinfo(dtype)
        low, high = INTEGERS.get(kind, INTEGERS["uniform"])
        if kind == STEPS:
            high = self._longest + 2
        if reach.size:
            low, high = SIZES
        elif not reach.wraps:
            low, high = INTEGERS["uniform"]
        elif kind == WHOLE and not (reach.counts or reach.classes):
            high = 1 << (33 if dtype.itemsize == 8 else 25)
            low = -high
        elif kind == "uniform" and reach.classes:
            high = reach.classes
        elif (
            dtype.itemsize <= 2
            and dtype.kind == "u"
            and kind not in ("zeros", STEPS)
        ):
            high = limits.max + 1  # the whole range is small
        low, high = max(low, limits.min), min(high, int(limits.max) + 1)
        if low >= high:  # negative numbers of an unsigned type
            low, high = 0, 2
        return self._rng.integers(low, high, shape).astype(dtype)

    def _floats(self, kind, shape) -> np.ndarray:
        rng = self._rng
        if kind == "uniform":
            return rng.random(shape)
        if kind == "pixels":
            return rng.integers(0, 256, shape).astype(np.float64)
        if kind == "zeros":
            return np.zeros(shape)
        normal = rng.normal(size=shape)
        if kind == "turning":
            return rng.choice(TURNS, shape) + 0.01 * normal
        if kind == "negative":
            return -3.0 * np.abs(normal)
        if kind == MISSING:
            return np.where(rng.random(shape) < 0.1, np.nan, normal)
        if kind == "halves":  # where thresholds and roundings lie
            return rng.integers(-8, 9, shape) / 2
        return FACTORS.get(kind, 1.0) * normal


def _chosen_rows(reach: Reach) -> np.ndarray:
    """Returns rows that are read: ends, some between, the extreme ones."""
    ends = np.linspace(0, reach.rows - 1, min(reach.rows, SPREAD + 2))
    chosen = [ends.round().astype(int)]
    for table in reach.tables:
        if table.dtype.kind == "f" and table.size and len(table) >= reach.rows:
            flat = np.abs(table[: reach.rows].reshape(reach.rows, -1))
            sizes = flat.max(axis=1)
            chosen.append(np.array([sizes.argmin(), sizes.argmax()]))
    return np.unique(np.concatenate(chosen))


def masked(array: np.ndarray, value, empty: bool, rng) -> np.ndarray | None:
    """Returns a copy of sequences with masked steps; None of anything else.

    Args:
        array: Numbers `(batch, time)`, or features `(batch, time, features)`.
        value: What stands at a masked step.
        empty: Whether the first sequence keeps no step.
        rng: Draws the steps; each other sequence keeps at least one.
    """
    axes = {"f": 3, "i": 2, "u": 2, "b": 2}.get(array.dtype.kind)
    if array.ndim != axes or array.shape[1] < 2:
        return None
    batch, steps = array.shape[:2]
    hidden = rng.random((batch, steps)) < 0.5
    hidden[np.arange(batch), rng.integers(0, steps, batch)] = False
    if empty:
        hidden[0] = True
    array = array.copy()
    array[hidden] = value
    return array
