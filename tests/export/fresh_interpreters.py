"""Counts the fresh LiteRT interpreters that answer a stream wrongly.

    python -m tests.export.fresh_interpreters FILE COUNT

Two chunks of one step are fed to each interpreter, with the default delegate
(XNNPACK), and compared with an interpreter that has none. The process imports
no TensorFlow, and uses its heap in between: on another heap the fault that
this looks for is seldom or never met.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

PLAIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
NEXT = "_next"


def answers(path, chunks, **options):
    """Returns all outputs of each chunk, in one array each."""
    runner = Interpreter(path, **options).get_signature_runner("streaming")
    states = {
        name: np.zeros([1, *detail["shape"][1:]], detail["dtype"])
        for name, detail in runner.get_input_details().items()
        if name != "x"
    }
    shown = []
    for chunk in chunks:
        found = {k: np.array(v) for k, v in runner(x=chunk, **states).items()}
        states = {name: found[name + NEXT] for name in states}
        shown.append(np.concatenate([v.ravel() for v in found.values()]))
    return shown


def wrong(path, count):
    """Returns how many of `count` interpreters differ by more than 1e-5."""
    rng = np.random.default_rng(5)
    details = Interpreter(path).get_signature_runner("streaming")
    features = details.get_input_details()["x"]["shape"][-1]
    chunks = rng.normal(size=(2, 1, 1, features)).astype("float32")
    expected = answers(path, chunks, experimental_op_resolver_type=PLAIN)
    kept, found = [], 0
    for _ in range(count):
        blocks = rng.integers(8, 4000, rng.integers(1, 40))
        kept.append([bytearray(size) for size in blocks])
        if len(kept) > 60:
            kept.pop(rng.integers(60))
        pairs = zip(answers(path, chunks), expected, strict=True)
        found += any(np.abs(a - b).max() > 1e-5 for a, b in pairs)
    return found


if __name__ == "__main__":
    print(wrong(sys.argv[1], int(sys.argv[2])))
