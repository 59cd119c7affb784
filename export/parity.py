"""Whether a file answers as the Keras model does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from export.answers import (
    MOST_UNDECIDED,
    Answers,
    Arrays,
    Tolerance,
    column_scales,
)
from export.errors import ParityError, UnsupportedModelError

NOISE = 8.0  # times what Keras' own answer moves with its last places
ULPS = 8  # by which a score itself may be rounded


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
        return self.cases > 0 and 0.0 <= self._strain <= 1.0

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
                got = self._settled(answers, number, name, wanted, got)
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

    def _settled(self, answers, number, name, wanted, got) -> np.ndarray:
        """Returns numbers of a ranking, those expected where scores tie.

        A number that differs will do if its own score, by the Keras model,
        lies within the bounds of both of the score that belongs there. No
        number may stand in a row twice.
        """
        case = answers.cases[number]
        scores = answers.scores(case.inputs)[name].astype(np.float64)
        width = scores.shape[-1]
        ranks = wanted.reshape(-1, got.size // (scores.size // width))
        found = got.reshape(ranks.shape)
        scores = scores.reshape(-1, width)
        # What all scores of a row share orders none of them.
        apart = scores - np.median(scores, axis=1, keepdims=True)
        allowed = answers.tolerance.allowed(apart, column_scales([apart]))
        allowed += ULPS * np.spacing(np.abs(scores).astype(np.float32))
        rows = np.arange(len(scores))[:, None]
        inside = (found >= 0) & (found < width)
        chosen = np.where(inside, found, 0)
        gap = np.abs(scores[rows, chosen] - scores[rows, ranks])
        near = inside & (gap <= allowed[rows, chosen] + allowed[rows, ranks])
        equal = near & (gap == 0) & (found != ranks)
        if equal.any() and answers.shaken is not None:
            # Of equals that stay equal when weights move the first one counts.
            jumps = answers.moves(number, name).reshape(ranks.shape) > 0
            near &= (gap > 0) | jumps
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
    """Returns where both overflow, or are about to.

    LiteRT's products end at the largest float, its exp at two thirds of it.
    """
    largest = np.finfo(np.float32).max
    over = (np.abs(a) >= largest) & (np.abs(b) >= largest / 2)
    return over & (np.signbit(a) == np.signbit(b))


def loosest(answers: Iterable[Answers]) -> Tolerance:
    """Returns the tolerance of the signature that computes least precisely."""
    return max((a.tolerance for a in answers), key=lambda t: t.r)


def _checked(expected: Arrays, actual: Arrays, label: str) -> dict:
    """Returns answers as arrays; raises if names, dtypes or shapes differ."""
    if set(expected) != set(actual):
        raise ParityError(
            f"Outputs are named {', '.join(sorted(actual))} where the "
            f"Keras model names them {', '.join(sorted(expected))}."
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
    seconds: dict[int, float] | None = None,
) -> Parity:
    """Runs every case and compares each answer.

    The first case of each set of sizes is run twice in a row: the second call
    shows whether a model that should have no memory has one.

    Args:
        answers: The Keras model's.
        run: The file in its runtime.
        outcome: Takes the comparisons.
        seconds: Takes how long each case took, by its place.

    Returns:
        `outcome`.

    Raises:
        ParityError: Names, dtypes or shapes differ.
    """
    seen = set()
    for number, case in enumerate(answers.cases):
        started = time.perf_counter()
        actual = run(case.inputs)
        if seconds is not None:
            seconds[number] = time.perf_counter() - started
        outcome.add(answers, number, actual)
        sizes = tuple(np.shape(v) for v in case.inputs.values())
        if sizes not in seen:
            seen.add(sizes)
            label = f"{case.label}, second call"
            outcome.add(answers, number, run(case.inputs), label)
    return outcome
