"""Files run in many fresh interpreters, in a process without TensorFlow."""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from export.answers import Answers
from export.errors import ExportError, ParityError
from export.parity import Parity

INTERPRETERS = 50  # that make the first two calls, at least
MOST, SECONDS = 300, 0.2  # where so many take no longer
OTHERS = 4  # that make calls of all sizes, and as many without delegate
SESSIONS = 2  # of ONNX Runtime, with optimisation and without
MOST_CALLS = 6
MOST_SECONDS = 0.3  # of calls of all sizes in one interpreter
KINDS = {".tflite": "litert", ".onnx": "onnx"}
LARGE_FILE = 50_000_000  # bytes, from which on there are fewer
FEWER = 8
PATIENCE = 600.0  # seconds, after which a runtime hangs


class Process:
    """A process of `export.fresh_worker`, started at first use."""

    def __init__(self):
        self._lock = threading.Lock()
        self._child: subprocess.Popen | None = None
        self._owner = 0

    def start(self) -> None:
        """Starts the process, unless it runs."""
        with self._lock:
            self._started()

    def _started(self) -> subprocess.Popen:
        child = self._child
        if (
            child is None
            or child.poll() is not None
            or self._owner != os.getpid()
        ):
            path = Path(__file__).with_name("fresh_worker.py")
            try:
                child = subprocess.Popen(
                    [sys.executable, "-P", str(path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for us
                )
            except OSError as error:
                raise ExportError(
                    "Cannot start the process in which exported files are "
                    f"run: {error}."
                ) from error
            if self._owner != os.getpid():
                atexit.register(self.close)
            self._child, self._owner = child, os.getpid()
        return child

    def ask(self, job: dict, seconds: float | None = None) -> list[dict]:
        """Returns the answers to a job.

        Args:
            job: As `export.fresh_worker.answer` takes it.
            seconds: After which the process is ended; None for no limit.

        Raises:
            ParityError: The runtime ended the process, or took too long.
        """
        content = pickle.dumps(job)
        with self._lock:
            child = self._started()
            timer = threading.Timer(seconds, child.kill) if seconds else None
            if timer:
                timer.start()
            try:
                child.stdin.write(struct.pack("<Q", len(content)) + content)
                child.stdin.flush()
                head = child.stdout.read(8)
                if len(head) == 8:
                    size = struct.unpack("<Q", head)[0]
                    return pickle.loads(child.stdout.read(size))
            except BaseException as error:
                child.kill()  # an answer left unread would be the next job's
                if not isinstance(error, BrokenPipeError):
                    raise
            finally:
                if timer:
                    timer.cancel()
            status = child.wait()
            child.stdin.close()
            child.stdout.close()
            self._child = None
            raise ParityError(
                "The runtime crashed on the file in a fresh process (exit "
                f"status {status})."
            )

    def close(self) -> None:
        """Ends the process."""
        if self._child is not None and self._owner == os.getpid():
            self._child.stdin.close()
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
            self._child.stdout.close()
            self._child = None


PROCESS = Process()
EXECUTOR = ThreadPoolExecutor(1, "fresh")  # waits for it


@dataclass(frozen=True)
class Round:
    """Calls that a number of fresh interpreters make.

    Attributes:
        calls: Pairs of a signature and its inputs.
        count: The number of interpreters, at least.
        default: Whether they have the default delegate or optimisation.
        add: Takes the answers to the calls, and a note of the number of
            interpreters gave them.
    """

    calls: list[tuple[str, dict]]
    count: int
    default: bool
    add: Callable[[list, str], None]


@dataclass(frozen=True)
class Check:
    """A signature of a file, to be run on the cases that Keras answered.

    Attributes:
        signature: Its name; None where the file has none.
        answers: The Keras model's.
        inputs: The file's name by the name of an input, where they differ.
        outputs: The same of the outputs.
    """

    signature: str | None
    answers: Answers
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    def round(
        self, numbers: list[int], count: int, default: bool, outcome: Parity
    ) -> Round:
        """Returns the calls of some cases, whose answers `outcome` takes.

        Args:
            numbers: The places of the cases.
            count: The number of interpreters, at least.
            default: Whether they have the default delegate or optimisation.
            outcome: Takes the comparisons.
        """
        calls = [
            (
                self.signature,
                {
                    self.inputs.get(name, name): array
                    for name, array in self.answers.cases[n].inputs.items()
                },
            )
            for n in numbers
        ]
        ours = {theirs: name for name, theirs in self.outputs.items()}

        def add(found, note):
            for number, answer in zip(numbers, found, strict=True):
                label = f"{self.answers.cases[number].label}{note}"
                actual = {ours.get(k, k): v for k, v in answer.items()}
                outcome.add(self.answers, number, actual, label, counted=False)

        return Round(calls, count, default, add)


def begin_fresh(
    path: Path,
    check: Check,
    outcome: Parity,
    seconds: Mapping[int, float] | None = None,
) -> Job | None:
    """Lets many fresh interpreters answer, to be compared with Keras' answers.

    LiteRT: 50 interpreters make the first two calls, 4 make calls of all
    sizes, and 4 do without the default delegate. ONNX Runtime: 2 sessions
    with optimisation and 2 without. SavedModels are not run again.

    Args:
        path: The file.
        check: The signature and the answers.
        outcome: Takes the comparisons.
        seconds: How long each case takes, by its place; those of slow models
            are not run again at all sizes.

    Returns:
        The job, which has begun; None for a SavedModel.
    """
    kind = KINDS.get(path.suffix)
    if kind is None:
        return None
    first, sizes = _numbers(check.answers, seconds or {})
    few = OTHERS if kind == "litert" else SESSIONS
    rounds = [check.round(sizes, few, way, outcome) for way in (True, False)]
    if kind == "litert":
        count = count_of(path)
        rounds.insert(0, check.round(first, count, True, outcome))
    return Job(path, rounds, outcome)


class Job:
    """Calls in fresh interpreters, made in the background.

    Args:
        path: A .onnx or .tflite file.
        rounds: The calls.
        outcome: Takes the number of interpreters.
        seconds: After which it has failed.
    """

    def __init__(
        self,
        path: Path,
        rounds: list[Round],
        outcome: Parity,
        seconds: float = PATIENCE,
    ):
        self._kind = KINDS[path.suffix]
        self._rounds, self._outcome = rounds, outcome
        job = _described(self._kind, path, rounds)
        self._results = EXECUTOR.submit(PROCESS.ask, job, seconds)

    def finish(self) -> None:
        """Waits for the answers; each different one is compared.

        Raises:
            ParityError: A runtime refused the file, crashed or took too long;
                or names, dtypes or shapes differ.
        """
        results = self._results.result()
        made: Counter[int] = Counter()
        for result in results:
            made[result["round"]] += result["count"]
        self._outcome.interpreters += made.total()
        for result in results:
            each = self._rounds[result["round"]]
            share = (
                f"{result['count']} of {made[result['round']]} fresh "
                f"{_named(self._kind, each.default)}"
            )
            if result["error"] is not None:
                raise ParityError(
                    f"{share} cannot run the file: {result['error']}"
                )
            each.add(result["answers"], f", {share}")


def _described(kind: str, path: Path, rounds: list[Round]) -> dict:
    """Returns a job as `export.fresh_worker.answer` takes it."""
    return {
        "kind": kind,
        "path": str(path.resolve()),
        "rounds": [
            {
                "calls": each.calls,
                "count": each.count,
                "default": each.default,
                "seconds": SECONDS if each.count > OTHERS else 0.0,
                "most": MOST,
            }
            for each in rounds
        ],
    }


def count_of(path: Path) -> int:
    """Returns the number of fresh interpreters for a .tflite file."""
    return FEWER if path.stat().st_size > LARGE_FILE else INTERPRETERS


def _named(kind: str, default: bool) -> str:
    if kind == "litert":
        return f"interpreters {'with' if default else 'without'} a delegate"
    return f"sessions {'with' if default else 'without'} optimisation"


def _numbers(
    answers: Answers, seconds: Mapping[int, float]
) -> tuple[list[int], list[int]]:
    """Returns the cases of two cheap calls, and of calls of all sizes.

    Of slow models the smallest two sizes have to do.
    """
    shapes = [
        tuple(np.shape(array) for array in case.inputs.values())
        for case in answers.cases
    ]
    cost = [sum(int(np.prod(s)) for s in shape) for shape in shapes]
    cheapest = sorted(range(len(cost)), key=cost.__getitem__)
    one = cheapest[0]
    same = [n for n in cheapest if shapes[n] == shapes[one] and n != one]
    first = [one, *(same[:1] or [one])]
    by_shape: dict = {}
    for number in cheapest:
        by_shape.setdefault(shapes[number], number)
    sizes, total = [], 0.0
    for number in list(by_shape.values())[:MOST_CALLS]:
        total += seconds.get(number, 0.0)
        if len(sizes) < 2 or total <= MOST_SECONDS:
            sizes.append(number)
    return first, [*sizes, one]
