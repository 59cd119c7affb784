"""Keras' answers to the inputs of a proof, and by how much a file may differ.

A value may differ from Keras' by `r (|b| + s)`, where b is Keras' value and s
the largest of its column: of the same place in the last axis, over all rows of
all ordinary inputs, or of the inputs of the same kind where those give larger
values. Where drawn inputs are larger than ordinary ones, so is the rounding
inside of the model, and the scale of ordinary inputs counts so much more.
docs/proof.md has the measurements.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from toolkit.errors import ConfigError

# By the least precise floating-point type of a graph. Right files differed by
# at most 8e-6 in float32; the others are in proportion to their precision.
R = {"float64": 1e-12, "float32": 2e-5, "float16": 2e-3, "bfloat16": 1.6e-2}
ORDINARY = ("uniform", "normal")  # kinds of inputs
WIDE = ("pixels", "large", "turning", "huge")  # kinds of larger inputs
MOST_GROWTH = 100.0  # of the scale of ordinary inputs
MOST_UNDECIDED = 1 / 3  # of an output's values
MASK, GAP = 1e4, 1e3  # least size of a mask, and over all else
COLUMN = 8  # values that a column needs for a scale of its own

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Tolerance:
    """How far a value of a file may be from Keras'.

    Args:
        atol: Absolute tolerance; None for the rule of columns.
        rtol: Tolerance relative to Keras' value; None for the rule of columns.
        r: Share of value and column; by default that of `R`.
    """

    atol: float | None = None
    rtol: float | None = None
    r: float = R["float32"]

    def __post_init__(self):
        for name in ("atol", "rtol"):
            value = getattr(self, name)
            if value is not None and not (
                isinstance(value, numbers.Real) and 0 <= value < np.inf
            ):
                raise ConfigError(
                    f"`{name}` must be a finite number, 0 or more. Received: "
                    f"{name}={value!r} (of type {type(value).__name__})."
                )

    @property
    def given(self) -> bool:
        """Whether the user's own numbers stand for the rule."""
        return self.atol is not None or self.rtol is not None

    def __str__(self) -> str:
        if self.given:
            return f"{self.atol or 0:g} + {self.rtol or 0:g} |Keras|"
        return f"{self.r:g} (|Keras| + largest |Keras| in the column)"

    def allowed(self, wanted: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Returns by how much each value may differ.

        Args:
            wanted: Keras' values, `(..., columns)`.
            scale: The largest magnitude of each column.
        """
        size = np.abs(wanted.astype(np.float64))
        if self.given:
            return (self.atol or 0.0) + (self.rtol or 0.0) * size
        return self.r * (size + scale) + np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Case:
    """One set of inputs.

    Attributes:
        label: What it is, such as `normal, batch 3`.
        inputs: Arrays by input name.
        kind: The kind of its numbers, whose cases share the columns' scales.
    """

    label: str
    inputs: Arrays
    kind: str = ""


@dataclass
class Answers:
    """Keras' answers to all cases of a signature, and what they allow.

    Args:
        cases: The inputs.
        expected: Keras' outputs by name, of each case.
        tolerance: What a value may differ by.
        bounds: r by output, where it is not that of the tolerance.
        ask: Takes inputs; returns the outputs by name.
        shaken: Takes inputs; returns the answer of the Keras model's graph,
            and several with weights and inputs moved in their last places.
        scores: Takes inputs; returns for outputs that are numbers of a
            ranking the scores by name that the ranking reads, `(..., n)`.
        rankings: `TopKV2`, `ArgMax` or `ArgMin` by the name of such an output.
        equally_good: As `export.signatures.Signature` has it.
        allow_nan: Whether NaN is an answer like others, and equal to NaN.
    """

    cases: list[Case]
    expected: list[Arrays]
    tolerance: Tolerance = Tolerance()
    bounds: Mapping[str, float] = field(default_factory=dict)
    ask: Callable[[Arrays], Arrays] | None = None
    shaken: Callable[[Arrays], list[Arrays]] | None = None
    scores: Callable[[Arrays], Arrays] | None = None
    rankings: Mapping[str, str] = field(default_factory=dict)
    equally_good: Callable | None = None
    allow_nan: bool = False

    def __post_init__(self):
        self._shaken: dict[int, list[Arrays]] = {}
        self._growths: dict[str, float] = {}
        self._along: dict[tuple, np.ndarray | None] = {}
        by_place: dict[tuple[str, str, int], list[np.ndarray]] = {}
        for case, answer in zip(self.cases, self.expected, strict=True):
            for name, value in answer.items():
                if value.dtype.kind not in "iub":
                    columns = as_columns(value)
                    place = (case.kind, name, columns.shape[-1])
                    by_place.setdefault(place, []).append(columns)
                    if case.kind in ORDINARY:
                        place = ("", name, columns.shape[-1])
                        by_place.setdefault(place, []).append(columns)
        self._scales = {p: column_scales(v) for p, v in by_place.items()}

    def allowed(self, case: Case, name: str, wanted: np.ndarray) -> np.ndarray:
        """Returns by how much each value of an output may differ."""
        columns = as_columns(wanted)
        width = columns.shape[-1]
        own = self._scales[case.kind, name, width]
        ordinary = self._scales.get(("", name, width), 0.0)
        scale = np.maximum(own, self._growth(case.kind) * ordinary)
        scale = np.broadcast_to(scale, columns.shape)
        for axis in range(1, wanted.ndim - 1):
            own = self._slots(case.kind, name, axis, wanted.shape[axis])
            ordinary = self._slots("", name, axis, wanted.shape[axis])
            if own is None:
                continue
            if ordinary is not None:
                own = np.maximum(own, self._growth(case.kind) * ordinary)
            shape = [1] * wanted.ndim
            shape[axis] = -1
            scale = np.minimum(scale, np.reshape(own, shape))
        r = self.bounds.get(name, self.tolerance.r)
        tolerance = replace(self.tolerance, r=r)
        return tolerance.allowed(columns, scale).reshape(wanted.shape)

    def _slots(self, kind, name, axis, size) -> np.ndarray | None:
        """Returns the largest magnitudes along another axis than the last.

        Of an output with channels first, or classes before anchors, that is
        the axis whose places are of different scales. None if there are too
        few values.

        Args:
            kind: Of the inputs; empty for ordinary ones.
            name: The output.
            axis: The axis.
            size: Its size.
        """
        key = (kind, name, axis, size)
        if key not in self._along:
            kinds = (kind,) if kind else ORDINARY
            parts = [
                np.moveaxis(answer[name], axis, -1)
                for case, answer in zip(self.cases, self.expected, strict=True)
                if case.kind in kinds
                and answer[name].ndim > axis + 1
                and answer[name].shape[axis] == size
            ]
            found = column_scales(parts) if parts else None
            self._along[key] = found if np.ndim(found) else None
        return self._along[key]

    def _growth(self, kind: str) -> float:
        """Returns how many times as large as ordinary inputs a kind's are."""
        if not kind.startswith(WIDE):
            return 1.0
        if kind not in self._growths:
            sizes = [
                max(
                    (
                        float(np.abs(value.astype(np.float64)).max(initial=0))
                        for case in self.cases
                        if case.kind in kinds
                        for value in map(np.asarray, case.inputs.values())
                    ),
                    default=0.0,
                )
                for kinds in (ORDINARY, (kind,))
            ]
            growth = sizes[1] / sizes[0] if sizes[0] else 1.0
            self._growths[kind] = min(MOST_GROWTH, max(1.0, growth))
        return self._growths[kind]

    def bound(self, number: int, name: str) -> np.ndarray:
        """Returns by how much each value of an output may differ, float32.

        Zeros of an output of integers, which are equal or not.
        """
        wanted = self.expected[number][name]
        if wanted.dtype.kind in "iub":
            return np.zeros(wanted.shape, np.float32)
        limit = self.allowed(self.cases[number], name, wanted)
        return limit.astype(np.float32)

    def moves(self, number: int, name: str) -> np.ndarray:
        """Returns by how much Keras' own values move with their last places.

        A single value may stay by luck, so that the one counts that moves
        most in its column, or in its row as a share of its own column.

        Args:
            number: The place of the case.
            name: The output.
        """
        answers = [as_columns(a[name]) for a in self._others(number)]
        # Unmoved, as the graph computes it: the eager model may say otherwise.
        wanted, *others = answers
        if wanted.dtype.kind in "iub":
            # Of a search all that follows in a row depends on one number.
            differ = np.any([other != wanted for other in others], axis=0)
            rows = differ.reshape(len(differ), -1).any(axis=1)
            shape = self.expected[number][name].shape
            return np.broadcast_to(
                rows.reshape(-1, *[1] * (len(shape) - 1)), shape
            ).astype(float)
        with np.errstate(invalid="ignore"):
            moved = [
                np.abs(other.astype(np.float64) - wanted) for other in others
            ]
        moved = np.nan_to_num(np.max(moved, axis=0))
        rows = moved.reshape(-1, moved.shape[-1])
        # A row's move counts in shares of each column's own scale.
        kind = self.cases[number].kind
        scale = self._scales.get((kind, name, rows.shape[1]), 0.0)
        scale = np.broadcast_to(np.asarray(scale, float), rows.shape[1:])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(scale > 0, rows / scale, 0.0)
        most = np.maximum(
            share.max(axis=1, keepdims=True) * scale,
            rows.max(axis=0, keepdims=True),
        )
        return most.reshape(self.expected[number][name].shape)

    def _others(self, number: int) -> list[Arrays]:
        if number not in self._shaken:
            same = [self.expected[number]] * 2
            ask = self.shaken or (lambda inputs: same)
            self._shaken[number] = ask(self.cases[number].inputs)
        return self._shaken[number]


def as_columns(values: np.ndarray) -> np.ndarray:
    """Returns an output with columns last; one of rank 1 is a column."""
    values = np.asarray(values)
    return values.reshape(-1, 1) if values.ndim < 2 else values


def column_scales(parts: list[np.ndarray]) -> np.ndarray | float:
    """Returns the largest magnitude of each column, over all rows.

    Args:
        parts: Outputs of one width, `(..., columns)`.

    Returns:
        `(columns,)`; or the largest of all, where a column has fewer than 8
        values. What is not finite is left out.
    """
    width = parts[0].shape[-1]
    rows = np.concatenate([np.abs(part).reshape(-1, width) for part in parts])
    rows = np.where(np.isfinite(rows), rows, 0).astype(np.float64)
    rows = without_masks(rows)
    if len(rows) < COLUMN:
        return float(rows.max(initial=0.0))
    return rows.max(axis=0)


def without_masks(rows: np.ndarray) -> np.ndarray:
    """Returns magnitudes with 0 for those of masks, such as -1e9.

    A mask is at least 1e4, stands there more than once, nearly the same each
    time, and is a thousand times as large as all else.
    """
    top = rows.max(initial=0.0)
    near = rows > 0.999 * top
    others = rows[~near].max(initial=0.0)
    if top < MASK or near.sum() < 2 or not 0 < others * GAP < top:
        return rows
    return np.where(near, 0.0, rows)


def holds_nan(answer: Mapping[str, np.ndarray]) -> bool:
    """Returns whether more than a third of an output is NaN."""
    return any(
        np.isnan(value.astype(np.float64)).mean() > MOST_UNDECIDED
        for value in answer.values()
        if value.dtype.kind in "fV" and value.size
    )


def is_saturated(answer: Mapping[str, np.ndarray]) -> bool:
    """Returns whether all outputs are at a limit, or the same in every row.

    Such an answer says little of the weights behind it.
    """
    for value in answer.values():
        if value.dtype.kind in "iub":
            continue
        columns = as_columns(value)
        rows = columns.reshape(-1, columns.shape[-1]).astype(np.float64)
        limits = np.isin(rows, (0.0, 1.0, -1.0)) | ~np.isfinite(rows)
        constant = len(rows) > 1 and np.ptp(rows, axis=0).max() == 0
        if not limits.all() and not constant:
            return False
    return any(value.dtype.kind not in "iub" for value in answer.values())
