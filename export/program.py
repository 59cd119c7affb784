"""A model traced for export: one frozen graph per signature."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from export.errors import UnsupportedModelError
from export.lowering.registry import layers, lowered
from export.places import quietly
from export.refusals import refuse_dtypes, refuse_resources, refuse_strings
from export.replacements import replace_operators
from export.side_effects import check_finite, check_writes, training_notes
from export.signatures import (
    Signature,
    Tensor,
    identifier,
    name_axes,
    unique,
)
from export.static_shapes import simplify_reshapes

LOW_PRECISION = ("float16", "bfloat16")


@dataclass(frozen=True)
class Entry:
    """One traced signature.

    Attributes:
        name: the signature's name.
        signature: what it was traced from.
        inputs: the inputs, with named axes.
        outputs: the outputs, with named axes.
        traced: concrete function from keyword tensors to a dict, with the
            model's variables captured.
        model: the model.
        call: the Python function that was traced.
    """

    name: str
    signature: Signature
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    traced: tf.types.experimental.ConcreteFunction
    model: keras.Model
    call: Callable[..., dict]

    def frozen(
        self, format_name: str
    ) -> tf.types.experimental.ConcreteFunction:
        """Returns the function with its variables turned into constants.

        Args:
            format_name: whose lowerings replace the layers' own `call`.

        Raises:
            OperatorError: it reads lookup tables, or computes in float8.
        """
        refuse_resources(self.model, self.traced.graph, format_name)
        traced = self.traced
        with lowered(self.model, format_name) as outcome:
            if not all(outcome.values()):  # a layer is lowered
                with float32_computation(self.model):
                    traced = trace_call(self.call, self.inputs)
        with quietly():
            frozen = convert_variables_to_constants_v2(
                traced, lower_control_flow=False
            )
            frozen = replace_operators(simplify_reshapes(frozen), format_name)
        refuse_dtypes(self.model, frozen.graph.as_graph_def(), format_name)
        return frozen

    def tensor_names(self, frozen) -> tuple[dict[str, str], dict[str, str]]:
        """Returns where inputs and outputs lie in the frozen graph.

        TensorFlow orders keyword inputs, and the values of a dict, by name.

        Args:
            frozen: what `frozen` returned.

        Returns:
            Tensor by input name, and tensor by output name.
        """
        return tuple(
            dict(
                zip(
                    sorted(tensor.name for tensor in ours),
                    (tensor.name for tensor in theirs),
                    strict=True,
                )
            )
            for ours, theirs in (
                (self.inputs, frozen.inputs),
                (self.outputs, frozen.outputs),
            )
        )

    def reference(self, arrays: Mapping[str, np.ndarray]) -> dict:
        """Returns the Keras model's own answer, called eagerly.

        Args:
            arrays: NumPy arrays by input name.
        """
        with float32_computation(self.model):
            return _arrays(self.call(**self._tensors(arrays)))

    @property
    def equally_good(self) -> Callable | None:
        """The signature's, in the precision of the exported graph."""
        asked = self.signature.equally_good
        if asked is None:
            return None

        def answer(*arguments):
            with float32_computation(self.model):
                return asked(*arguments)

        return answer

    def _tensors(self, arrays) -> dict[str, tf.Tensor]:
        return {
            tensor.name: tf.constant(arrays[tensor.name], tensor.dtype)
            for tensor in self.inputs
        }


def _arrays(tensors: Mapping) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in tensors.items()}


@dataclass(frozen=True)
class Program:
    """A Keras model with its traced signatures.

    Attributes:
        model: the model.
        entries: traced signatures.
        notes: assumptions and changes that the report repeats.
    """

    model: keras.Model
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]

    def entry(self, name: str) -> Entry:
        """Returns the entry of a name."""
        return next(entry for entry in self.entries if entry.name == name)


def trace(
    model: keras.Model,
    signatures: Mapping[str, Signature],
    fixed: Mapping[str, int],
    allow_nan: bool = False,
) -> Program:
    """Traces every signature of a model in inference mode.

    A model in mixed precision is traced in float32, the precision of its
    variables: phones and ONNX Runtime's CPU kernels have no bfloat16 and
    little float16.

    Args:
        model: the model.
        signatures: as `export.signatures.resolve` returns them.
        fixed: axis name -> size, for axes to be closed.
        allow_nan: whether variables may hold NaN or infinity.

    Raises:
        UnsupportedModelError: the model cannot be traced, has no outputs,
            takes or returns strings, keeps its variables in low precision,
            writes variables when it is called, or has variables with NaN or
            infinity.
    """
    _check_variables(model)
    if not all(signature.resets for signature in signatures.values()):
        _check_states(model)
    notes = [note for s in signatures.values() for note in s.notes]
    policies = {
        layer.dtype_policy.name
        for layer in _layers(model)
        if layer.compute_dtype in LOW_PRECISION
    }
    if policies:
        notes.append(
            f"The Keras model computes in {', '.join(sorted(policies))}; the "
            "exported graph computes in float32 with the same weights, and "
            "is compared with the Keras model run in float32."
        )
    with float32_computation(model):
        entries = tuple(
            _trace(model, name, signature, fixed)
            for name, signature in signatures.items()
        )
    graphs = [entry.traced.graph for entry in entries]
    for graph in graphs:
        check_writes(model, graph)
    if not allow_nan:
        check_finite(model, graphs)
    notes += training_notes(model)
    unused = set(fixed) - {
        axis
        for signature in signatures.values()
        for tensor in signature.tensors({})
        for axis in tensor.shape
        if isinstance(axis, str)
    }
    if unused:
        raise UnsupportedModelError(
            f"The model has no open axis called {', '.join(sorted(unused))}, "
            "so there is nothing to fix. Leave that option out."
        )
    return Program(model, entries, tuple(notes))


@contextlib.contextmanager
def float32_computation(model: keras.Model) -> Iterator[None]:
    """Lets every layer of a mixed-precision model compute in float32."""
    changed = [
        (layer, layer.dtype_policy)
        for layer in _layers(model)
        if layer.compute_dtype in LOW_PRECISION
    ]
    try:
        for layer, _ in changed:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in changed:
            layer.dtype_policy = policy


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    return layers(model)


def _check_variables(model: keras.Model) -> None:
    for variable in model.variables:
        if variable.dtype in LOW_PRECISION:
            raise UnsupportedModelError(
                f'The variable "{variable.path}" is stored in '
                f"{variable.dtype}. Export takes float32 variables: train "
                f'with the policy "mixed_{variable.dtype}", which computes '
                f"in {variable.dtype} and stores in float32."
            )


def _check_states(model: keras.Model) -> None:
    stateful = [
        layer.path
        for layer in _layers(model)
        if getattr(layer, "stateful", False)
    ]
    if stateful:
        raise UnsupportedModelError(
            f"The layer {', '.join(stateful)} is stateful: its state lives "
            "from call to call, and an exported graph would freeze the one it "
            "has now. Export with streaming=True (--streaming), which lets the "
            "state go in and come out, or build the model with stateful=False "
            "and the same weights."
        )


def _trace(
    model: keras.Model,
    name: str,
    signature: Signature,
    fixed: Mapping[str, int],
) -> Entry:
    inputs = signature.tensors(fixed)
    fixed = signature.closed(fixed)
    labels: list[str] = []

    def call(**tensors):
        ordered = {tensor.name: tensors[tensor.name] for tensor in inputs}
        packed = signature.pack(ordered) if signature.pack else ordered
        if signature.function is None:
            result = model(packed, training=False)
        else:
            result = signature.function(**packed)
        named = named_outputs(result, signature.output_names)
        labels[:] = named
        return {
            key: tf.identity(tf.convert_to_tensor(value), name=key)
            for key, value in named.items()
        }

    strings = [tensor.name for tensor in inputs if tensor.dtype == "string"]
    refuse_strings(model, "input", strings)
    try:
        traced = trace_call(call, inputs)
    except KeyboardInterrupt:
        raise
    except UnsupportedModelError as error:
        raise UnsupportedModelError(_cause(error)) from error
    except Exception as error:  # whatever a user's own `call` may raise
        given = ", ".join(f"{t.name}: {t.dtype}{list(t.shape)}" for t in inputs)
        raise UnsupportedModelError(
            f'The model "{model.name}" could not be called with inputs '
            f"({given}): {first_line(error)} "
            "If the inputs are of another shape or dtype, pass `signatures=`."
        ) from error
    for key in labels:
        if traced.structured_outputs[key].shape.rank is None:
            raise UnsupportedModelError(
                f'The output "{key}" has no known rank. Give it one in the '
                "layer that makes it: tf.ensure_shape(y, (None, ...))."
            )
    refuse_strings(
        model,
        "output",
        [k for k in labels if traced.structured_outputs[k].dtype == tf.string],
    )
    outputs = tuple(
        Tensor(
            key,
            name_axes(
                key,
                tuple(traced.structured_outputs[key].shape.as_list()),
                fixed,
                signature.axes.get(key),
            ),
            traced.structured_outputs[key].dtype.name,
        )
        for key in labels
    )
    return Entry(name, signature, inputs, outputs, traced, model, call)


def trace_call(
    call: Callable[..., dict], inputs: tuple[Tensor, ...]
) -> tf.types.experimental.ConcreteFunction:
    """Returns the graph of a function of keyword tensors."""
    return tf.function(call, autograph=False).get_concrete_function(
        **{tensor.name: tensor.spec() for tensor in inputs}
    )


def named_outputs(result, names: tuple[str, ...]) -> dict:
    """Returns outputs by name; raises if there are none."""
    if isinstance(result, Mapping):
        flat = _flatten(result, ())
        labels = unique(identifier("_".join(path)) for path, _ in flat)
        return dict(zip(labels, (value for _, value in flat), strict=True))
    values = [v for v in keras.tree.flatten(result) if v is not None]
    if not values:
        raise UnsupportedModelError("The model returns no tensor.")
    if len(names) != len(values):
        names = (
            ("output",)
            if len(values) == 1
            else tuple(f"output_{i}" for i in range(len(values)))
        )
    return dict(zip(names, values, strict=True))


def _flatten(value, path: tuple[str, ...]) -> list:
    if isinstance(value, Mapping):
        return [
            leaf
            for key in value
            for leaf in _flatten(value[key], (*path, str(key)))
        ]
    if isinstance(value, list | tuple):
        return [
            leaf
            for index, item in enumerate(value)
            for leaf in _flatten(item, (*path, str(index)))
        ]
    return [(path, value)]


def _cause(error: Exception) -> str:
    """Returns what was raised inside layers, without what Keras puts around.

    Keras sets it in bold: `Exception encountered when calling ...`.
    """
    text = str(error)
    while inner := re.search(r"\x1b\[1m(.*)\x1b\[0m", text, re.DOTALL):
        text = inner[1]
    return text


def first_line(error: BaseException | None) -> str:
    """Returns the first line of what was raised inside layers."""
    if error is None:
        return "no reason is known."
    lines = [x.strip() for x in _cause(error).splitlines() if x.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
