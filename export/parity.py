"""Whether a file answers as the Keras model does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from export.errors import ParityError

ATOL = 1e-5
RTOL = 1e-5
LARGEST = 100.0  # as which a row's values may count
BATCHES = (1, 3)
LENGTHS = (5, 9)

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One set of inputs.

    Attributes:
        label: what it is, such as `random, batch 3`.
        inputs: arrays by input name.
    """

    label: str
    inputs: Arrays


@dataclass
class Parity:
    """The outcome of a comparison.

    The values of a row, which is the last axis, are mostly sums over the same
    inputs, and round alike, large or small: a logit near 0 between others of
    20 carries their rounding. So a value counts as at least as large as the
    median of its row.

    Attributes:
        atol: absolute tolerance.
        rtol: relative tolerance.
        cases: how many sets of inputs were compared.
        worst: where |a - b| came nearest to (or beyond) the limit, which is
            atol + rtol |b|, or with the median of the row for |b|.
        ties: how many numbers stood in another order, or at the end of a
            ranking were others, where the values leave that open; and how
            many rows of a search were others that are as good.
    """

    atol: float
    rtol: float
    cases: int = 0
    worst: dict = field(default_factory=dict)
    ties: int = 0
    _strain: float = field(default=-1.0, repr=False)

    @property
    def passed(self) -> bool:
        """Whether every value lay within the tolerance."""
        return self.cases > 0 and self._strain <= 1.0

    def describe(self) -> dict:
        """Returns the outcome for JSON."""
        return {
            "passed": self.passed,
            "atol": self.atol,
            "rtol": self.rtol,
            "cases": self.cases,
            "worst": self.worst,
            "ties": self.ties,
        }

    def add(
        self,
        case: Case,
        expected: Arrays,
        actual: Arrays,
        ranked: Mapping[str, str] | None = None,
        equally_good: Callable | None = None,
    ) -> None:
        """Compares names, dtypes, shapes, then values, of one case.

        Args:
            case: the inputs.
            expected: what the Keras model answers.
            actual: what the file answers.
            ranked: as `export.signatures.Signature` has it.
            equally_good: as `export.signatures.Signature` has it.

        Raises:
            ParityError: names, dtypes or shapes differ.
        """
        self.cases += 1
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
                    f"Keras model's has {wanted.shape} ({case.label})."
                )
        if equally_good is not None:
            actual = self._accepted(case, expected, actual, equally_good)
        for name, wanted in expected.items():
            got = actual[name]
            if ranked and name in ranked:
                got = self._settled(wanted, got, expected[ranked[name]])
            self._values(case, name, wanted, got)

    def _accepted(self, case, expected, actual, equally_good) -> dict:
        """Returns the answers, with those expected where others will do."""
        other = False
        for name, wanted in expected.items():
            if wanted.dtype.kind in "iu":
                differs = wanted != actual[name]
                other |= differs.reshape(len(wanted), -1).any(axis=1)
        if not np.any(other):
            return actual
        tolerance = (self.atol, self.rtol)
        accepted = other & equally_good(
            case.inputs, expected, actual, tolerance
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

    def _settled(self, wanted, got, values) -> np.ndarray:
        """Returns numbers in the expected order wherever that is left open.

        Where values lie within the tolerance of the next, their numbers may
        change places. Of the last of them nobody sees the next, so that among
        these a number may be another, if it stands nowhere else in the row.

        Args:
            wanted: the Keras model's numbers, `(..., k)`.
            got: the file's.
            values: the Keras model's, which order the numbers; those of the
                file are compared for themselves.
        """
        k = wanted.shape[-1]
        settled = got.copy()
        for ours, theirs, row, result in zip(
            *(a.reshape(-1, k) for a in (wanted, got, values, settled)),
            strict=True,
        ):
            if np.array_equal(ours, theirs):
                continue
            row = row.astype(np.float64)
            limit = self.atol + self.rtol * np.abs(row[1:])
            apart = np.flatnonzero(np.abs(np.diff(row)) > limit) + 1
            for tied in np.split(np.arange(k), apart):
                others = theirs[tied]
                same = np.array_equal(np.sort(ours[tied]), np.sort(others))
                if tied[-1] == k - 1 and not same:
                    same = len(np.unique(theirs)) == k
                if same:
                    self.ties += int((ours[tied] != others).sum())
                    result[tied] = ours[tied]
        return settled

    def _values(self, case, name, wanted, got) -> None:
        if not wanted.size:
            return
        if wanted.dtype.kind not in "fc":
            limit = np.zeros(wanted.shape)
            strain = np.where(wanted == got, 0.0, np.inf)
            difference = np.where(wanted == got, 0.0, 1.0)
        else:
            with np.errstate(invalid="ignore"):
                a, b = got.astype(np.float64), wanted.astype(np.float64)
                same = (a == b) | (np.isnan(a) & np.isnan(b))
                difference = np.where(same, 0.0, np.abs(a - b))
                limit = self.atol + self.rtol * _size(b)
                strain = np.where(same, 0.0, difference / limit)
            strain = np.where(np.isnan(strain), np.inf, strain)
        index = np.unravel_index(np.argmax(strain), strain.shape)
        if strain[index] > self._strain:
            self._strain = float(strain[index])
            expected, value = wanted[index].item(), got[index].item()
            absolute = float(difference[index])
            self.worst = {
                "output": name,
                "case": case.label,
                "index": [int(i) for i in index],
                "expected": expected,
                "actual": value,
                "absolute": absolute,
                "allowed": float(limit[index]),
                "relative": absolute / abs(expected) if expected else None,
                "share_of_tolerance": self._strain,
            }

    def check(self, subject: str) -> None:
        """Raises `ParityError` unless every value lay within tolerance."""
        if self.passed:
            return
        worst = self.worst
        raise ParityError(
            f"{subject} does not equal the Keras model: output "
            f'"{worst["output"]}"{worst["index"]} is {worst["actual"]!r} '
            f"where Keras says {worst['expected']!r} ({worst['case']}; "
            f"difference {worst['absolute']:.3g}, allowed "
            f"{worst['allowed']:.3g})."
        )


def _size(values: np.ndarray) -> np.ndarray:
    """Returns how large values count: |b|, or more in a row of larger ones."""
    size = np.abs(values)
    if not values.ndim:
        return size
    # Of two it is the smaller one. The bound is for scores that bar a value.
    middle = (size.shape[-1] - 1) // 2
    typical = np.partition(size, middle, axis=-1)[..., middle, None]
    return np.maximum(size, np.minimum(np.nan_to_num(typical), LARGEST))


def random_cases(
    inputs, integer_limit: int = 2, seed: int = 0
) -> Iterator[Case]:
    """Yields random inputs at several sizes of every open axis.

    Args:
        inputs: `export.signatures.Tensor` of each input.
        integer_limit: integers are drawn from [0, limit).
        seed: of the random numbers.
    """
    axes = sorted(
        {n for tensor in inputs for n in tensor.shape if isinstance(n, str)}
    )
    rng = np.random.default_rng(seed)
    # The second of two lengths of sequences is long where the first is short.
    apart = [a for a in axes if a not in ("batch", "height", "width")]

    def size(axis, i, turned=0):
        if axis == "batch":
            return BATCHES[i]
        place = apart.index(axis) if axis in apart else 0
        return LENGTHS[(i + turned + place) % 2]

    sizes = [{axis: size(axis, i) for axis in axes} for i in range(2)]
    if len(axes) > 1:
        sizes += [{axis: size(axis, i, 1) for axis in axes} for i in range(2)]
    if not axes:
        sizes = sizes[:1]
    for chosen in sizes:
        label = ", ".join(f"{axis} {n}" for axis, n in chosen.items())
        for scale, kind in ((None, "uniform"), (1.0, "normal")):
            arrays = {
                tensor.name: _draw(
                    rng, tensor, tensor.sizes(chosen), scale, integer_limit
                )
                for tensor in inputs
            }
            yield Case(
                ", ".join(filter(None, (f"random {kind}", label))), arrays
            )


def _draw(rng, tensor, shape, scale, integer_limit) -> np.ndarray:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "iu":
        return rng.integers(0, integer_limit, shape).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    values = rng.random(shape) if scale is None else rng.normal(size=shape)
    return np.asarray(values, dtype)


def masked_cases(
    cases: Iterable[Case], value: float, seed: int = 0
) -> Iterator[Case]:
    """Yields sequences with steps that a mask passes over.

    Nearly no random number is the value that a model takes for padding, so
    random inputs alone never meet its mask.

    Args:
        cases: random inputs.
        value: what stands at such a step, in every feature.
        seed: of the steps; each sequence keeps at least one.
    """
    rng = np.random.default_rng(seed)
    for case in cases:
        changed = {
            name: _mask_steps(rng, array, value)
            for name, array in case.inputs.items()
        }
        if any(changed[k] is not v for k, v in case.inputs.items()):
            yield Case(f"{case.label}, masked", changed)


def _mask_steps(rng, array: np.ndarray, value: float) -> np.ndarray:
    """Returns a copy with steps masked; anything but a sequence as it is."""
    axes = {"f": 3, "i": 2, "u": 2}.get(array.dtype.kind)
    if array.ndim != axes or array.shape[1] < 2:
        return array
    batch, steps = array.shape[:2]
    masked = rng.random((batch, steps)) < 0.5
    masked[np.arange(batch), rng.integers(0, steps, batch)] = False
    array = array.copy()
    array[masked] = value
    return array


def sample_cases(inputs, samples: Arrays) -> Iterator[Case]:
    """Yields real inputs in batches, as far as the sizes allow.

    Args:
        inputs: `export.signatures.Tensor` of each input.
        samples: arrays by input name, batch first.
    """
    count = min(len(values) for values in samples.values())
    fixed = {
        tensor.shape[0]
        for tensor in inputs
        if tensor.shape and not isinstance(tensor.shape[0], str)
    }
    sizes = sorted(fixed) if fixed else [*BATCHES, 32]
    start = 0
    for size in sizes:
        size = min(size, count)
        start = 0 if start + size > count else start
        yield Case(
            f"real, batch {size}",
            {
                tensor.name: np.asarray(
                    samples[tensor.name][start : start + size], tensor.dtype
                )
                for tensor in inputs
            },
        )
        start += size


def remembered(reference: Callable[[Arrays], Arrays]) -> Callable:
    """Returns a function that asks once for each set of inputs.

    Every format is compared with the same answers.

    Args:
        reference: the Keras model; the inputs must live as long as what is
            returned.
    """
    answers: dict[int, Arrays] = {}

    def answer(inputs: Arrays) -> Arrays:
        if id(inputs) not in answers:
            answers[id(inputs)] = reference(inputs)
        return answers[id(inputs)]

    return answer


def compare(
    cases,
    reference: Callable[[Arrays], Arrays],
    run: Callable[[Arrays], Arrays],
    outcome: Parity,
    collect: list | None = None,
    ranked: Mapping[str, str] | None = None,
    equally_good: Callable | None = None,
) -> Parity:
    """Runs every case twice in a row and compares each answer.

    The second call shows whether a model that should have no memory has one.

    Args:
        cases: inputs.
        reference: the Keras model.
        run: the file in its runtime.
        outcome: takes the comparisons.
        collect: takes `(case, expected)` of each case.
        ranked: as `export.signatures.Signature` has it.
        equally_good: as `export.signatures.Signature` has it.

    Returns:
        `outcome`.

    Raises:
        ParityError: names, dtypes or shapes differ.
    """
    for case in cases:
        expected = reference(case.inputs)
        if collect is not None:
            collect.append((case, expected))
        for call in ("", ", second call"):
            again = Case(case.label + call, case.inputs)
            found = run(case.inputs)
            outcome.add(again, expected, found, ranked, equally_good)
    return outcome
