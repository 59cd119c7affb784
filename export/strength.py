"""The strength of a comparison: the share of wrong files that it refuses.

From a right file many wrong ones are made, each with one constant changed.
A comparison is as strong as the share of them that it refuses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.equivalence import litert_uses, onnx_uses
from export.errors import ArtifactError, ParityError
from export.fresh import KINDS, Check, Job
from export.parity import Parity

SECONDS = 60.0  # after which a runtime hangs
FIRST = 3  # cases of a signature that most mutants do not pass


@dataclass(frozen=True)
class Mutant:
    """A file with one constant changed.

    Attributes:
        name: The constant.
        change: What was done to it.
        content: The file.
    """

    name: str
    change: str
    content: bytes


@dataclass(frozen=True)
class Strength:
    """The outcome of `measure`.

    Attributes:
        mutants: The number of wrong files.
        caught: The number of those that were refused.
        survivors: Constant and change of each of the others.
        equal: The number of changes that change no answer, such as the
            exchange of two equal rows, or one number added to all weights
            before a softmax.
    """

    mutants: int
    caught: int
    survivors: tuple[str, ...]
    equal: int

    @property
    def share(self) -> float:
        """The share of the wrong files that were refused."""
        return self.caught / self.mutants if self.mutants else 1.0

    def describe(self) -> dict:
        """Returns the outcome for JSON."""
        return {
            "mutants": self.mutants,
            "caught": self.caught,
            "share": self.share,
            "survivors": list(self.survivors),
            "equal": self.equal,
        }

    def __str__(self) -> str:
        line = (
            f"strength: {self.caught} of {self.mutants} files with one "
            f"constant changed are refused ({self.share:.1%})"
        )
        return "; passed: ".join([line, *self.survivors])


def measure(path: str | Path, checks: list[Check]) -> Strength:
    """Changes each constant of a file and compares the result with Keras.

    Args:
        path: A .onnx or .tflite file.
        checks: Its signatures, with the Keras model's answers.

    Raises:
        ArtifactError: A SavedModel, whose constants lie in variables.
    """
    path = Path(path)
    check_kind(path)
    caught, total, equal, survivors = 0, 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / f"mutant{path.suffix}"
        for mutant in mutants(path):
            if mutant is None:
                equal += 1
                continue
            changed.write_bytes(mutant.content)
            total += 1
            if _is_refused(changed, checks):
                caught += 1
            else:
                survivors.append(f"{mutant.name}: {mutant.change}")
    return Strength(total, caught, tuple(survivors), equal)


def check_kind(path: Path) -> None:
    """Raises `ArtifactError` for a file whose constants cannot be changed."""
    if path.suffix not in KINDS:
        raise ArtifactError(
            "The strength of a comparison is measured on .onnx and .tflite "
            f'files. Received: "{path}".'
        )


def _is_refused(path: Path, checks: list[Check]) -> bool:
    for check in checks:
        numbers = sorted(
            range(len(check.answers.cases)),
            key=lambda n: sum(
                np.size(v) for v in check.answers.cases[n].inputs.values()
            ),
        )
        for part in (numbers[:FIRST], numbers[FIRST:]):
            outcome = Parity(check.answers.tolerance)
            rounds = [check.round(part, 1, True, outcome)] if part else []
            try:
                Job(path, rounds, outcome, SECONDS).finish()
                outcome.cases += 1
                outcome.check(str(path))
            except ParityError:
                return True
    return False


def changes(array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the changes of a constant.

    Args:
        array: Numbers or booleans.
    """
    if array.dtype.kind == "b":
        yield "turned", ~array
        return
    yield "zeroed", np.zeros_like(array)
    yield "moved", _moved(array)
    if array.dtype.kind != "u":
        yield "sign turned", -array
    if array.ndim and len(array) > 1:
        rows = array.copy()
        rows[[0, -1]] = rows[[-1, 0]]
        yield "two rows exchanged", rows


def _moved(array: np.ndarray) -> np.ndarray:
    """Returns numbers moved by their deviation; zeros and equals by 0.1."""
    finite = array[np.isfinite(array)].astype(np.float64)
    step = float(finite.std()) if finite.size else 0.0
    if array.dtype.kind in "iu":
        return array + array.dtype.type(max(1, round(step)))
    return (array + (step or 0.1)).astype(array.dtype)


def _is_equal(places, before: np.ndarray, after: np.ndarray) -> bool:
    """Returns whether a changed constant provably changes no answer.

    Args:
        places: `export.equivalence.Place` of each of its uses.
        before: The constant.
        after: The changed one.
    """
    return all(place.ignores(before, after) for place in places)


def mutants(path: Path) -> Iterator[Mutant | None]:
    """Yields files with one constant changed; None where a change is none."""
    make = _of_onnx if path.suffix == ".onnx" else _of_litert
    for name, array, places, content in make(path):
        for change, other in changes(array):
            same = np.array_equal(other, array)  # -0 is 0
            if same or _is_equal(places, array, other):
                yield None
            else:
                yield Mutant(name, change, content(other))


Content = Callable[[np.ndarray], bytes]


def _of_onnx(path: Path) -> Iterator[tuple]:
    import onnx

    from export.onnx_graph import nodes

    model = onnx.load(str(path))
    uses = onnx_uses(model.graph)
    tensors = [(t.name, t) for t in model.graph.initializer]
    for node in nodes(model.graph):
        for attribute in node.attribute:
            if attribute.HasField("t") and node.op_type == "Constant":
                tensors.append((node.output[0], attribute.t))
    for name, tensor in tensors:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype.kind not in "fiub" or not array.size:
            continue

        def content(other, tensor=tensor):
            before = onnx.TensorProto()
            before.CopyFrom(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(other, tensor.name))
            changed = model.SerializeToString()
            tensor.CopyFrom(before)
            return changed

        yield name, array, uses.get(name, []), content


def _of_litert(path: Path) -> Iterator[tuple]:
    from ai_edge_litert import schema_py_generated as schema

    file = path.read_bytes()
    model = schema.Model.GetRootAs(file, 0)
    uses = litert_uses(model)
    seen = set()
    for index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(index)
        for place in range(graph.TensorsLength()):
            tensor = graph.Tensors(place)
            dtype = _LITERT_TYPES.get(tensor.Type())
            data = model.Buffers(tensor.Buffer()).DataAsNumpy()
            if tensor.Buffer() in seen or isinstance(data, int) or not dtype:
                continue
            seen.add(tensor.Buffer())
            array = data.view(dtype).reshape(
                tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
            )
            # Where the data begins in the file.
            start = data.ctypes.data - np.frombuffer(file, "u1").ctypes.data

            def content(other, start=start):
                inside = other.tobytes()
                return file[:start] + inside + file[start + len(inside) :]

            yield (
                tensor.Name().decode(),
                array,
                uses.get(tensor.Buffer(), []),
                content,
            )


# `TensorType` of the schema
_LITERT_TYPES = {
    0: "f4", 1: "f2", 2: "i4", 3: "u1", 4: "i8", 6: "?", 7: "i2", 9: "i1",
    10: "f8", 12: "u8", 15: "u4", 16: "u2",
}  # fmt: skip
