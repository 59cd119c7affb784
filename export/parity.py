"""Whether a file answers as the Keras model does: the rule, and its use.

A value may differ from Keras' by `r (|b| + s)`, where b is Keras' value and s
the largest of its column: of the same place in the last axis, over all rows of
all ordinary inputs, or of the inputs of the same kind where those give larger
values. Where drawn inputs are larger than ordinary ones, so is the rounding
inside of the model, and the scale of ordinary inputs counts so much more.
docs/proof.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from export.errors import ParityError, UnsupportedModelError

# By the least precise floating-point type of a graph. Right files differed by
# at most 8e-6 in float32; the others are in proportion to their precision.
R = {"float64": 1e-12, "float32": 2e-5, "float16": 2e-3, "bfloat16": 1.6e-2}
ORDINARY = ("uniform", "normal")  # kinds of inputs
WIDE = ("pixels", "large", "turning")  # kinds of larger inputs
MOST_GROWTH = 100.0  # of the scale of ordinary inputs
COLUMN = 8  # values that a column needs for a scale of its own
NOISE = 8.0  # times what Keras' own answer moves with its last places
MOST_UNDECIDED = 1 / 3  # of an output's values

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
    ask: Callable[[Arrays], Arrays] | None = None
    shaken: Callable[[Arrays], list[Arrays]] | None = None
    scores: Callable[[Arrays], Arrays] | None = None
    rankings: Mapping[str, str] = field(default_factory=dict)
    equally_good: Callable | None = None
    allow_nan: bool = False

    def __post_init__(self):
        self._shaken: dict[int, list[Arrays]] = {}
        self._growths: dict[str, float] = {}
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
        return self.tolerance.allowed(columns, scale).reshape(wanted.shape)

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
        most in its row or in its column.

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
        most = np.maximum(
            rows.max(axis=1, keepdims=True), rows.max(axis=0, keepdims=True)
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
    if len(rows) < COLUMN:
        return float(rows.max(initial=0.0))
    return rows.max(axis=0)


@dataclass
class Parity:
    """The outcome of a comparison.

    Attributes:
        tolerance: How far a value may be from Keras'.
        cases: The number of comparisons of a set of answers, without those of
            fresh interpreters.
        worst: Where a value came nearest to (or beyond) its bound.
        ties: The number of integers that differ where the scores behind them
            leave that open.
        undecided: The number of values that were not compared: Keras answers
            NaN, or another integer when its weights move in their last place.
        magnified: The number of values beyond the rule that Keras' own
            rounding moves as far.
        interpreters: The number of fresh sessions or interpreters that were
            run.
    """

    tolerance: Tolerance = Tolerance()
    cases: int = 0
    worst: dict = field(default_factory=dict)
    ties: int = 0
    undecided: int = 0
    magnified: int = 0
    interpreters: int = 0
    _strain: float = field(default=-1.0, repr=False)
    _compared: dict = field(default_factory=dict, repr=False)

    @property
    def passed(self) -> bool:
        """Whether every value lay within its bound."""
        return self.cases > 0 and self._strain <= 1.0

    @property
    def rule(self) -> str:
        """The rule in words, as every report repeats it."""
        return f"each value within {self.tolerance} of Keras'"

    def describe(self) -> dict:
        """Returns the outcome for JSON."""
        return {
            "passed": self.passed,
            "rule": self.rule,
            "atol": self.tolerance.atol,
            "rtol": self.tolerance.rtol,
            "r": None if self.tolerance.given else self.tolerance.r,
            "cases": self.cases,
            "interpreters": self.interpreters,
            "worst": self.worst,
            "ties": self.ties,
            "undecided": self.undecided,
            "magnified": self.magnified,
        }

    def add(
        self,
        answers: Answers,
        number: int,
        actual: Arrays,
        label: str | None = None,
        counted: bool = True,
    ) -> None:
        """Compares names, dtypes, shapes, then values, of one case.

        Args:
            answers: What the Keras model answers.
            number: The place of the case in it.
            actual: What the file answers.
            label: What the call is, if not only that case.
            counted: Whether it counts as a comparison; answers of fresh
                interpreters, which are mostly equal, do not.

        Raises:
            ParityError: Names, dtypes or shapes differ.
        """
        self.cases += counted
        case, expected = answers.cases[number], answers.expected[number]
        label = label or case.label
        actual = _checked(expected, actual, label)
        if answers.equally_good is not None:
            actual = self._accepted(answers, case, expected, actual)
        for name, wanted in expected.items():
            got = actual[name]
            if name in answers.rankings and not np.array_equal(wanted, got):
                got = self._settled(answers, case, name, wanted, got)
            self._values(answers, number, name, wanted, got, label)

    def _accepted(self, answers, case, expected, actual) -> dict:
        """Returns the answers, with those expected where others will do."""
        other = False
        for name, wanted in expected.items():
            if wanted.dtype.kind in "iu":
                differs = wanted != actual[name]
                other |= differs.reshape(len(wanted), -1).any(axis=1)
        if not np.any(other):
            return actual
        tolerance = answers.tolerance
        pair = (tolerance.r, tolerance.r)
        if tolerance.given:
            pair = (tolerance.atol or 0.0, tolerance.rtol or 0.0)
        accepted = other & answers.equally_good(
            case.inputs, expected, actual, pair
        )
        self.ties += int(accepted.sum())
        return {
            name: np.where(
                accepted.reshape(-1, *[1] * (wanted.ndim - 1)),
                wanted,
                actual[name],
            )
            for name, wanted in expected.items()
        }

    def _settled(self, answers, case, name, wanted, got) -> np.ndarray:
        """Returns numbers of a ranking, those expected where scores tie.

        A number that differs will do if its own score, by the Keras model,
        lies within the bounds of both of the score that belongs there. No
        number may stand in a row twice.
        """
        scores = answers.scores(case.inputs)[name].astype(np.float64)
        width = scores.shape[-1]
        ranks = wanted.reshape(-1, got.size // (scores.size // width))
        found = got.reshape(ranks.shape)
        scores = scores.reshape(-1, width)
        allowed = answers.tolerance.allowed(scores, column_scales([scores]))
        rows = np.arange(len(scores))[:, None]
        inside = (found >= 0) & (found < width)
        chosen = np.where(inside, found, 0)
        gap = np.abs(scores[rows, chosen] - scores[rows, ranks])
        near = inside & (gap <= allowed[rows, chosen] + allowed[rows, ranks])
        ordered = np.sort(found, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1, keepdims=True)
        ties = near & ~twice & (found != ranks)
        self.ties += int(ties.sum())
        return np.where(ties, ranks, found).reshape(got.shape)

    def _values(self, answers, number, name, wanted, got, label) -> None:
        if not wanted.size:
            return
        case = answers.cases[number]
        if wanted.dtype.kind not in "fcV":
            limit = np.zeros(wanted.shape)
            difference = np.where(wanted == got, 0.0, 1.0)
            strain = np.where(wanted == got, 0.0, np.inf)
            unknown = np.zeros(wanted.shape, bool)
        else:
            limit = answers.allowed(case, name, wanted)
            a, b = got.astype(np.float64), wanted.astype(np.float64)
            same = (a == b) | _both_infinite(a, b)
            if answers.allow_nan:
                same |= np.isnan(a) & np.isnan(b)
            unknown = np.isnan(b) & (not answers.allow_nan)
            with np.errstate(invalid="ignore", divide="ignore"):
                difference = np.where(same, 0.0, np.abs(a - b))
                strain = np.where(same, 0.0, difference / limit)
            strain = np.where(np.isnan(strain), np.inf, strain)
            strain = np.where(unknown, 0.0, strain)
        if strain.max() > 1.0 and not answers.tolerance.given:
            moves = answers.moves(number, name)
            if wanted.dtype.kind in "iub":
                open_to_rounding = (strain > 1.0) & (moves > 0)
                unknown = unknown | open_to_rounding
            else:
                open_to_rounding = (strain > 1.0) & (
                    difference <= NOISE * moves
                )
                self.magnified += int(open_to_rounding.sum())
                limit = np.where(open_to_rounding, NOISE * moves, limit)
            strain = np.where(open_to_rounding, 1.0, strain)
        self._count(name, unknown)
        index = np.unravel_index(np.argmax(strain), strain.shape)
        if strain[index] > self._strain:
            self._strain = float(strain[index])
            expected, value = wanted[index].item(), got[index].item()
            absolute = float(difference[index])
            self.worst = {
                "output": name,
                "case": label,
                "index": [int(i) for i in index],
                "expected": expected,
                "actual": value,
                "absolute": absolute,
                "allowed": float(limit[index]),
                "relative": absolute / abs(expected) if expected else None,
                "share_of_tolerance": self._strain,
            }

    def _count(self, name: str, unknown: np.ndarray) -> None:
        self.undecided += int(unknown.sum())
        before, all_ = self._compared.get(name, (0, 0))
        self._compared[name] = (
            before + int(unknown.sum()),
            all_ + unknown.size,
        )

    def check(self, subject: str) -> None:
        """Raises unless every value lay within its bound.

        Raises:
            ParityError: One did not.
            UnsupportedModelError: More than a third of an output's values
                cannot be compared.
        """
        if not self.passed:
            worst = self.worst
            raise ParityError(
                f"{subject} does not equal the Keras model: output "
                f'"{worst["output"]}"{worst["index"]} is {worst["actual"]!r} '
                f"where Keras says {worst['expected']!r} ({worst['case']}; "
                f"difference {worst['absolute']:.3g}, allowed "
                f"{worst['allowed']:.3g})."
            )
        for name, (unknown, all_) in self._compared.items():
            if unknown > MOST_UNDECIDED * all_:
                raise UnsupportedModelError(
                    f'The output "{name}" cannot be compared: {unknown} of '
                    f"{all_} values of the Keras model are NaN, or jump when "
                    "its weights move in their last places. Pass `samples=` "
                    "of real inputs, or export the model without the step "
                    "that jumps (rounding, a threshold, argmax of equals)."
                )


def _both_infinite(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns where both overflow; LiteRT's products end at the largest."""
    largest = np.finfo(np.float32).max
    over = (np.abs(a) >= largest) & np.isinf(b)
    return over & (np.signbit(a) == np.signbit(b))


def loosest(answers: Iterable[Answers]) -> Tolerance:
    """Returns the tolerance of the signature that computes least precisely."""
    return max((a.tolerance for a in answers), key=lambda t: t.r)


def _checked(expected: Arrays, actual: Arrays, label: str) -> dict:
    """Returns answers as arrays; raises if names, dtypes or shapes differ."""
    if set(expected) != set(actual):
        raise ParityError(
            f"Outputs are called {', '.join(sorted(actual))} where the "
            f"Keras model calls them {', '.join(sorted(expected))}."
        )
    actual = {name: np.asarray(value) for name, value in actual.items()}
    for name, wanted in expected.items():
        got = actual[name]
        if got.dtype != wanted.dtype:
            raise ParityError(
                f'The output "{name}" has dtype {got.dtype} where the '
                f"Keras model's has {wanted.dtype}."
            )
        if got.shape != wanted.shape:
            raise ParityError(
                f'The output "{name}" has shape {got.shape} where the '
                f"Keras model's has {wanted.shape} ({label})."
            )
    return actual


def compare(
    answers: Answers,
    run: Callable[[Arrays], Arrays],
    outcome: Parity,
    numbers: Iterable[int] | None = None,
) -> Parity:
    """Runs every case and compares each answer.

    The first case of each set of sizes is run twice in a row: the second call
    shows whether a model that should have no memory has one.

    Args:
        answers: The Keras model's.
        run: The file in its runtime.
        outcome: Takes the comparisons.
        numbers: Places of the cases to run; all by default.

    Returns:
        `outcome`.

    Raises:
        ParityError: Names, dtypes or shapes differ.
    """
    seen = set()
    for number in range(len(answers.cases)) if numbers is None else numbers:
        case = answers.cases[number]
        outcome.add(answers, number, run(case.inputs))
        sizes = tuple(np.shape(v) for v in case.inputs.values())
        if sizes not in seen:
            seen.add(sizes)
            label = f"{case.label}, second call"
            outcome.add(answers, number, run(case.inputs), label)
    return outcome
