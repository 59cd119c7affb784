"""Runs files in fresh interpreters and sessions, in a process of its own.

`export.fresh` starts it once. It imports no TensorFlow and uses its heap
between interpreters: a file that reads memory it should not read answers
rightly in a process where that memory happens to be untouched.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import time

import numpy as np

BLOCKS = 60  # kept alive between interpreters
LARGEST_BLOCK = 4000  # bytes


class Heap:
    """Allocates and frees blocks of random sizes."""

    def __init__(self):
        self._rng = np.random.default_rng(5)
        self._kept: list = []

    def stir(self) -> None:
        """Changes what a new interpreter will find on the heap."""
        rng = self._rng
        sizes = rng.integers(8, LARGEST_BLOCK, rng.integers(1, 40))
        self._kept.append([bytearray(int(size)) for size in sizes])
        if len(self._kept) > BLOCKS:
            self._kept.pop(int(rng.integers(BLOCKS)))


HEAP = Heap()


def litert_runner(path: str, delegate: bool):
    """Returns a function that runs a signature in one new interpreter."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    options = {}
    if not delegate:
        options["experimental_op_resolver_type"] = (
            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
    interpreter = Interpreter(path, **options)
    runners: dict = {}

    def run(signature, arrays):
        if signature is None:  # the converter wrote no signatures
            return _run_unnamed(interpreter, arrays)
        if signature not in runners:
            runners[signature] = interpreter.get_signature_runner(signature)
        found = runners[signature](**arrays)
        return {name: np.array(value) for name, value in found.items()}

    return run


def _run_unnamed(interpreter, arrays):
    inputs = {d["name"]: d["index"] for d in interpreter.get_input_details()}
    for name, value in arrays.items():
        interpreter.resize_tensor_input(inputs[name], value.shape)
    interpreter.allocate_tensors()
    for name, value in arrays.items():
        interpreter.set_tensor(inputs[name], value)
    interpreter.invoke()
    return {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_output_details()
    }


def onnx_runner(path: str, optimised: bool):
    """Returns a function that runs a model in one new session."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimised:
        options.graph_optimization_level = (
            onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        )
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def run(signature, arrays):
        return dict(zip(names, session.run(names, arrays), strict=True))

    return run


RUNNERS = {"litert": litert_runner, "onnx": onnx_runner}


def answer(job: dict) -> list[dict]:
    """Returns the different sequences of answers of a job.

    Args:
        job: `kind`; `path`; and `rounds`, each with `calls`, pairs of a
            signature and its inputs, `count`, the number of fresh
            interpreters that make these calls at least, `default`, whether
            they have the default delegate or optimisation, and perhaps
            `seconds`, in which there may be more, up to `most`.

    Returns:
        For each round and each sequence of answers that occurred in it:
        `round`, `count`, and `answers`, or `error`.
    """
    found = []
    for number, part in enumerate(job["rounds"]):
        seen: dict = {}
        made, until = 0, time.monotonic() + part.get("seconds", 0.0)
        while made < part["count"] or (
            made < part.get("most", 0) and time.monotonic() < until
        ):
            made += 1
            HEAP.stir()
            key, answers, error = _one(job, part)
            entry = seen.setdefault(
                key,
                {"round": number, "count": 0, "answers": answers,
                 "error": error},
            )  # fmt: skip
            entry["count"] += 1
        found += seen.values()
    return found


def _one(job: dict, part: dict):
    try:
        run = RUNNERS[job["kind"]](job["path"], part["default"])
        answers = [run(*call) for call in part["calls"]]
    except Exception as error:  # the runtimes' own classes are private
        text = str(error).strip().splitlines()
        return str(error), None, text[0] if text else type(error).__name__
    key = tuple(
        (name, value.tobytes())
        for call in answers
        for name, value in call.items()
    )
    return hash(key), answers, None


def main() -> None:
    """Answers jobs from standard input until it is closed."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a runtime prints is no answer
    read = sys.stdin.buffer.read
    while len(head := read(8)) == 8:
        job = pickle.loads(read(struct.unpack("<Q", head)[0]))
        content = pickle.dumps(answer(job))
        out.write(struct.pack("<Q", len(content)) + content)
        out.flush()


if __name__ == "__main__":
    main()
