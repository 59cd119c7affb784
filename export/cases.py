"""On which inputs a model and its files are compared."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np

from export import axes
from export.answers import (
    COLUMN,
    Answers,
    Case,
    Tolerance,
    holds_nan,
    is_saturated,
)
from export.draws import KINDS, MISSING, STEPS, WHOLE, Draws, masked
from export.errors import UnsupportedModelError
from export.lowering.registry import layers
from export.program import Entry, Program, first_line
from export.reach import asks_for_nan, farthest, reaches
from export.reference import (
    Reference,
    bounds_of,
    rankings,
    shaken_answers,
    tolerance_of,
)
from export.samples import fitting_samples
from export.sizes import check_axes, checked_sizes, has_shapes, most_rows
from toolkit._backend import silence

BATCHES = (3, 65, 1, 3, 2)
LENGTHS = (9, 2, 131, 1, 16)
LADDER = (9, 5, 8, 16, 32, 64, 12, 24, 28, 48, 96, 128, 160, 192, 224, 256,
          299, 384, 512)  # fmt: skip
FARTHEST = 4096  # steps of a sequence
LARGE_INTEGERS = ("int32", "int64", "uint32", "uint64")
NEXT_SIZES = 8  # sizes tried after one that the model refuses
REAL_BATCHES = (1, 3, 32)
MANY, FEWER = 65, 9  # rows of a kind of numbers
SLOW = 0.5  # seconds of an answer from which on there are fewer
MANY_VALUES = 1_000_000  # of an answer from which on there are fewer
FACTORS = (0.1, 0.01, 10.0, 0.001, 100.0)


def with_answers(
    program: Program,
    samples: Mapping[str, np.ndarray] | None = None,
    sizes: Mapping[str, Any] | None = None,
    tolerance: Tolerance | None = None,
    allow_nan: bool = False,
) -> tuple[Program, dict[str, Answers]]:
    """Asks the Keras model about all inputs on which files are compared.

    Args:
        program: The traced model.
        samples: As `named_samples` returns them.
        sizes: As for `export.export`.
        tolerance: The user's own; None for the rule of columns.
        allow_nan: Whether NaN is an answer like others.

    Returns:
        The program with the axes of its inputs and outputs named by what the
        model takes and returns; and Keras' answers by signature name.

    Raises:
        UnsupportedModelError: The model takes none of the sizes tried, or
            samples or sizes do not fit it.
    """
    padding = padding_values(program.model)
    sizes = checked_sizes(sizes)
    entries, answers = [], {}
    for entry in program.entries:
        with silence():  # TensorFlow prints what it refuses
            builder = _Builder(entry, samples or {}, padding, sizes, allow_nan)
            entry, cases, expected = builder.build()
        kinds, scores = rankings(entry)
        answers[entry.name] = Answers(
            cases,
            expected,
            tolerance_of(entry, tolerance),
            bounds_of(entry),
            builder.ask,
            None if builder.ask.eager else partial(shaken_answers, entry),
            scores,
            kinds,
            entry.equally_good,
            allow_nan,
        )
        entries.append(entry)
    check_axes(entries, sizes)
    return replace(program, entries=tuple(entries)), answers


def padding_values(model: keras.Model) -> list[float]:
    """Returns what the layers of a model take for steps without content."""
    padding = set()
    for layer in layers(model):
        if isinstance(layer, keras.layers.Masking):
            padding.add(float(layer.mask_value))
        elif isinstance(layer, keras.layers.Embedding) and layer.mask_zero:
            padding.add(0.0)
    return sorted(padding)


class _Builder:
    """Chooses the inputs of one signature, asking the model what it takes."""

    def __init__(self, entry: Entry, samples, padding, sizes, allow_nan):
        self.allow_nan = allow_nan
        self.shaped: dict[tuple[int, ...], bool] = {}
        self.reaches = reaches(entry)
        self.entry = axes.named(entry, self.reaches)
        self.ask = Reference(self.entry)
        self.draws = self._draws()
        self.samples = {}
        if all(tensor.name in samples for tensor in entry.inputs):
            self.samples = fitting_samples(self.entry, samples)
        self.padding = padding
        self.wanted = sizes
        self.rng = np.random.default_rng(0)
        self.cases: list[Case] = []
        self.expected: list[Mapping] = []
        self.sizes: list[dict] = []
        self.refusal: Exception | None = None
        self.axes = axes.open_axes(self.entry)
        self.lengthy = [a for a in self.axes if not axes.is_batch(a)]

    def _draws(self) -> Draws:
        states = self.entry.signature.states
        return Draws(self.entry.inputs, self.reaches, states)

    def build(self) -> tuple[Entry, list[Case], list[Mapping]]:
        """Returns the entry with named outputs, the cases and the answers."""
        combinations = self._combinations()
        self._sized(combinations)
        self._kinds(combinations)
        self._far(combinations)
        self._unsaturated(combinations)
        self._masked(combinations)
        self._rows(combinations)
        self._real()
        entry = axes.named_outputs(self.entry, self.sizes, self.expected)
        if self.samples and not self.allow_nan:
            self._drop_nan()
        return entry, self.cases, self.expected

    def _drop_nan(self) -> None:
        """Leaves out drawn inputs that most of an output is NaN for."""
        kept = [
            n
            for n, (case, answer) in enumerate(
                zip(self.cases, self.expected, strict=True)
            )
            if case.kind == "real" or not holds_nan(answer)
        ]
        self.cases = [self.cases[n] for n in kept]
        self.expected = [self.expected[n] for n in kept]

    def add(self, kind: str, sizes: Mapping[str, int], **options) -> bool:
        """Adds a case of a kind; returns whether the model took it."""
        label = ", ".join(f"{axis} {n}" for axis, n in sizes.items())
        only = options.get("only")
        named = f"{kind} {only}" if only else kind
        if "factor" in options:
            named = f"{kind} x {options['factor']:g}"
        arrays = self.draws.draw(kind, sizes, **options)
        return self.take(
            Case(", ".join(filter(None, (named, label))), arrays, named), sizes
        )

    def take(self, case: Case, sizes: Mapping[str, int] | None = None) -> bool:
        """Asks the model about a case; keeps it if it answers."""
        if sizes and not self._has_shapes(sizes):
            self.refusal = ValueError("A layer has no output at this size.")
            return False
        try:
            answer = self.ask(case.inputs)
        except Exception as error:  # whatever a model may raise
            self.refusal = error
            return False
        if any(np.size(value) == 0 for value in answer.values()):
            self.refusal = ValueError("An output has no values.")
            return False
        if case.kind not in ("uniform", "real"):
            if holds_nan(answer) and not self.allow_nan:
                self.refusal = ValueError("Most of an output is NaN.")
                return False
        self.cases.append(case)
        self.expected.append(answer)
        self.sizes.append(dict(sizes or {}))
        return True

    # Sizes

    def _combinations(self) -> list[dict[str, int]]:
        """Returns sizes of the open axes, those wanted at first."""
        if not self.axes:
            return [{}] * 3
        count = 5 if self.lengthy else 3
        return [
            {
                axis: self._size(axis, i, place)
                for place, axis in enumerate(self.axes)
            }
            for i in range(count)
        ]

    def _size(self, axis: str, i: int, place: int) -> int:
        wanted = self.wanted.get(axis)
        if wanted is not None:
            return wanted[i % len(wanted)]
        if axes.is_batch(axis):
            # Of two batches that need not agree one is larger.
            size = BATCHES[i] + self.axes.index(axis) % 5
            return min(size, most_rows(self.entry))
        place = self.lengthy.index(axis)
        return LENGTHS[(i + place) % len(LENGTHS)]

    def _sized(self, combinations: list[dict[str, int]]) -> None:
        """Adds uniform and normal numbers of all sizes.

        Replaces sizes that the model refuses by those that it takes.
        """
        base = self._base(combinations[0])
        taken: dict[tuple[str, int], int] = {}
        for i, sizes in enumerate(combinations):
            if i and not (
                self.add(KINDS[i % 2], sizes) or self.add("uniform", sizes)
            ):
                sizes = {
                    axis: self._near(axis, n, base, taken)
                    for axis, n in sizes.items()
                }
                if sizes in combinations[:i] or not self.add(
                    KINDS[i % 2], sizes
                ):
                    sizes = base
            combinations[i] = sizes

    def _base(self, sizes: dict[str, int]) -> dict[str, int]:
        """Returns the first sizes that the model takes, with a case."""
        tried = [sizes]
        if self.samples:
            tried.append(self._sample_sizes(sizes))
        for n in LADDER:
            tried.append(
                {a: n if a in self.lengthy else sizes[a] for a in sizes}
            )
        for n in LADDER[:4]:
            for batch in (1, 2, 4, 8):
                lengths = dict.fromkeys(self.lengthy, n)
                tried.append({**dict.fromkeys(sizes, batch), **lengths})
        tried = [t for i, t in enumerate(tried) if t not in tried[:i]]
        tried = [sizes for sizes in tried if self._within(sizes)]
        first = None
        for candidate in tried:
            if self.add("uniform", candidate):
                return candidate
            first = first or self.refusal
        shown = {
            axis: sorted({candidate[axis] for candidate in tried})
            for axis in sizes
        }
        listed = "; ".join(
            f"{a}: {', '.join(map(str, n))}" for a, n in shown.items()
        )
        raise UnsupportedModelError(
            f'The model "{self.entry.model.name}" cannot be called with random '
            f"inputs of any size tried ({listed or 'all sizes are fixed'}): "
            f"{first_line(first)} Pass `samples=` of real inputs, or `sizes=` "
            'that it takes, such as {"time": 16}.'
        ) from first

    def _within(self, sizes: Mapping[str, int]) -> bool:
        """Returns whether a set of sizes keeps to what the user named."""
        return all(
            sizes[axis] in wanted
            for axis, wanted in self.wanted.items()
            if axis in sizes
        )

    def _sample_sizes(self, sizes: Mapping[str, int]) -> dict[str, int]:
        found = dict(sizes)
        for tensor in self.entry.inputs:
            shape = self.samples[tensor.name].shape
            for axis, n in zip(tensor.shape, shape, strict=True):
                if axis in self.lengthy:
                    found[axis] = n
        return found

    def _near(self, axis, n, base, taken) -> int:
        """Returns the size nearest above one that an axis takes by itself."""
        if (axis, n) not in taken:
            taken[axis, n] = base[axis]
            step = base[axis]
            above = step * -(-n // step)
            for size in (*range(n, n + NEXT_SIZES), above, 2 * step):
                if self._within({axis: size}) and self._takes(
                    {**base, axis: size}
                ):
                    taken[axis, n] = size
                    break
        return taken[axis, n]

    def _has_shapes(self, sizes: Mapping[str, int]) -> bool:
        lengths = tuple(sizes[axis] for axis in self.lengthy)
        if lengths and lengths not in self.shaped:
            self.shaped[lengths] = has_shapes(self.entry, sizes)
        return not lengths or self.shaped[lengths]

    def _takes(self, sizes) -> bool:
        if not self._has_shapes(sizes):
            return False
        return self.ask.takes(self._draws().draw("uniform", sizes))

    # Numbers

    def _kinds(self, combinations) -> None:
        """Adds the other kinds of numbers, many rows of each."""
        many = combinations[1 % len(combinations)]
        if any(reach.rows for reach in self.reaches.values()):
            self.add("wrapped", many)
            if self.draws.shared_rows:
                self.add("same", many)
        if not self.draws.open_values:
            self.add("normal", combinations[0])
            return
        if not any(axes.is_batch(axis) for axis in self.axes):
            for _ in range(COLUMN):  # rows for columns of their own
                self.add("uniform", many)
                self.add("normal", many)
        if self.lengthy and any(
            np.dtype(tensor.dtype).kind in "iu"
            for tensor in self.entry.inputs
            if tensor.name in self.draws.open_values
        ):
            for sizes in combinations:
                self.add(STEPS, sizes)
        many = self._fewer_if_slow(many)
        sizes = {"normal": many, "zeros": combinations[0]}
        for kind in KINDS:
            if self.add(kind, sizes.get(kind, many)):
                continue
            for name in self.draws.open_values:
                self.add(kind, sizes.get(kind, many), only=name)
        if any(t.dtype in LARGE_INTEGERS for t in self.entry.inputs):
            self.add(WHOLE, many)
        if asks_for_nan(self.entry):
            self.add(MISSING, many)

    def _far(self, combinations) -> None:
        """Adds a sequence as long as the model reaches, and one longer."""
        steps = farthest(self.entry)
        if not self.lengthy or not LENGTHS[2] < steps <= FARTHEST:
            return
        for length in (steps + 3, steps):
            sizes = {**combinations[0], **dict.fromkeys(self.lengthy, length)}
            for axis in sizes:
                if axes.is_batch(axis):
                    sizes[axis] = 1
            if self._within(sizes) and self.add("normal", sizes):
                return

    def _fewer_if_slow(self, sizes: dict[str, int]) -> dict[str, int]:
        draws = self._draws()
        started = time.perf_counter()
        self.ask.takes(draws.draw("uniform", sizes))
        slow = time.perf_counter() - started > SLOW
        most = max(
            np.size(value)
            for answer, own in zip(self.expected, self.sizes, strict=True)
            for value in answer.values()
            if own == sizes or not own
        )
        if not slow and most <= MANY_VALUES:
            return sizes
        return {
            a: n if a in self.lengthy else min(n, FEWER)
            for a, n in sizes.items()
        }

    def _unsaturated(self, combinations) -> None:
        """Adds inputs on which the outputs are not all at their limits."""
        free = [
            not is_saturated(answer)
            for case, answer in zip(self.cases, self.expected, strict=True)
            if case.kind in KINDS[:2]
        ]
        many = combinations[1 % len(combinations)]
        if any(free) or not self.draws.open_values:
            return
        for factor in FACTORS:
            if self.add("normal", many, factor=factor) and not is_saturated(
                self.expected[-1]
            ):
                return

    def _masked(self, combinations) -> None:
        """Adds sequences with masked steps, and with nothing but those."""
        plain = [
            (case, sizes)
            for case, sizes in zip(self.cases, self.sizes, strict=True)
            if case.kind in KINDS[:2] and "only" not in case.kind
        ]
        plain = [p for p in plain if p[1] in combinations][: len(combinations)]
        for value in self.padding:
            for case, sizes in plain:
                self._mask(case, sizes, value, list(case.inputs), "masked")
            for name in self.draws.reaches:
                empty = [name]
                if plain:
                    case, sizes = plain[0]
                    self._mask(
                        case, sizes, value, empty, f"{name} masked", True
                    )

    def _mask(self, case, sizes, value, names, label, empty=False) -> None:
        changed = {
            name: masked(case.inputs[name], value, empty, self.rng)
            for name in names
        }
        changed = {k: v for k, v in changed.items() if v is not None}
        if changed:
            self.take(
                Case(
                    f"{case.label}, {label}",
                    {**case.inputs, **changed},
                    f"{case.kind}, masked",
                ),
                sizes,
            )

    def _rows(self, combinations) -> None:
        """Adds inputs until all chosen rows of tables have been read."""
        sizes = max(combinations, key=lambda s: np.prod([1, *s.values()]))
        while left := self.draws.rows_left:
            if not self.add("uniform", sizes) or self.draws.rows_left == left:
                break

    # Real inputs

    def _real(self) -> None:
        """Adds real inputs in batches, as far as the sizes allow."""
        if not self.samples:
            return
        count = min(len(values) for values in self.samples.values())
        fixed = {
            tensor.shape[0]
            for tensor in self.entry.inputs
            if tensor.shape and not isinstance(tensor.shape[0], str)
        }
        start = 0
        for size in sorted(fixed) if fixed else REAL_BATCHES:
            size = min(size, count)
            start = 0 if start + size > count else start
            arrays = {
                tensor.name: np.asarray(
                    self.samples[tensor.name][start : start + size],
                    tensor.dtype,
                )
                for tensor in self.entry.inputs
            }
            case = Case(f"real, batch {size}", arrays, "real")
            if not self.take(case, axes.sizes_of(self.entry, arrays)):
                raise UnsupportedModelError(
                    f"The model cannot be called with `samples` {start} to "
                    f"{start + size - 1}: {first_line(self.refusal)}"
                ) from self.refusal
            start += size
