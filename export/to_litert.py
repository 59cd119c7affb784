"""LiteRT (TensorFlow Lite): the flatbuffer that runs on phones."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path

import tensorflow as tf

from export.errors import (
    ArtifactError,
    ConversionError,
    ExportError,
    OperatorError,
)
from export.places import dtype_name, every_node, place
from export.program import Program
from export.refusals import missing_operators
from export.streaming import INTERNAL, NEXT, RESET
from toolkit._backend import silence

# Those of Keras, as that of silu, read tensors that no file holds
WITHOUT_GRADIENTS = tf.saved_model.SaveOptions(
    experimental_custom_gradients=False
)


def convert(program: Program, path: Path, options: dict) -> dict:
    """Writes every signature of a program into one .tflite file.

    The graphs are frozen first: with variables in them the converter keeps
    `READ_VARIABLE` operators and turns dense layers into batched products.

    Args:
        program: the traced model.
        path: file to write.
        options: `states`, how a streaming signature has them.

    Returns:
        Facts for the report: none.

    Raises:
        ConversionError: the converter gave up.
        OperatorError: the model needs operators that LiteRT lacks.
    """
    failure = None
    module = tf.Module()
    signatures = {}
    for entry in program.entries:
        call = _restore_names(entry)
        if entry.signature.states and options.get("states") == INTERNAL:
            signatures |= _keeping_states(module, entry, call)
        else:
            signatures[entry.name] = call
    with tempfile.TemporaryDirectory() as folder, silence() as aloud:
        try:
            tf.saved_model.save(
                module, folder, signatures=signatures, options=WITHOUT_GRADIENTS
            )
            converter = tf.lite.TFLiteConverter.from_saved_model(
                folder, signature_keys=list(signatures)
            )
            converter.target_spec.supported_ops = [
                tf.lite.OpsSet.TFLITE_BUILTINS
            ]
            # Infinity stays what it is, else x == inf holds for no x
            converter.canonicalizing_inf_as_min_max_float = False
            content = converter.convert()
        except Exception as error:  # the converter raises its own and others
            failure = error
    if failure is not None:
        raise _explain(program, f"{failure}\n{aloud[0]}") from failure
    path.write_bytes(content)
    return {}


def _restore_names(entry) -> tf.types.experimental.ConcreteFunction:
    """Returns the frozen function behind keyword inputs and a dict."""
    frozen = entry.frozen("litert")
    placeholders, results = entry.tensor_names(frozen)
    names = {tensor: name for name, tensor in placeholders.items()}
    labels = [tensor.name for tensor in entry.outputs]

    def call(**tensors):
        values = tf.nest.flatten(
            frozen(*(tensors[names[t.name]] for t in frozen.inputs))
        )
        by_tensor = dict(
            zip((t.name for t in frozen.outputs), values, strict=True)
        )
        return {label: by_tensor[results[label]] for label in labels}

    return tf.function(call, autograph=False).get_concrete_function(
        **{tensor.name: tensor.spec() for tensor in entry.inputs}
    )


def _keeping_states(module: tf.Module, entry, call) -> dict:
    """Returns the signature with its states in variables, and the reset."""
    module.states = {
        tensor.name: tf.Variable(tf.zeros(tensor.shape), name=tensor.name)
        for tensor in entry.inputs
        if tensor.name in entry.signature.states
    }

    def step(**tensors):
        kept = {name: v.read_value() for name, v in module.states.items()}
        found = call(**tensors, **kept)
        for name, variable in module.states.items():
            variable.assign(found.pop(name + NEXT))
        return found

    def reset():
        for variable in module.states.values():
            variable.assign(tf.zeros_like(variable))
        return {"states": tf.constant(len(module.states))}

    specs = {
        tensor.name: tensor.spec()
        for tensor in entry.inputs
        if tensor.name not in module.states
    }
    return {
        entry.name: tf.function(step, autograph=False).get_concrete_function(
            **specs
        ),
        RESET: tf.function(reset, autograph=False).get_concrete_function(),
    }


def _explain(program: Program, text: str) -> ExportError:
    """Returns the error for what the converter printed."""
    needed = set(re.findall(r"'tf\.(\w+)' op is neither", text))
    for line in re.findall(r"(?:Flex|Custom|Select) ops: ([\w, ]+)", text):
        needed |= {n.strip().removeprefix("Flex") for n in line.split(",")}
    # loc(...fused["TensorListReserve:", "model/gru/while"]...): error: why
    places = tuple(
        dict.fromkeys(
            re.findall(
                r'fused\["(?!Stateful|Partitioned)(\w+):", "([^"@]+)', text
            )
        )
    )
    if needed:
        return missing_operators(
            program.model, "litert", _needed(program, needed, places)
        )
    reasons = re.findall(r"error: ((?:'|Fail)[^\n]+)", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = (reasons or lines or ["it gave no reason"])[0]
    at = f" at {place(places[0][1], program.model)}" if places else ""
    if any(kind.startswith("TensorList") for kind, _ in places):
        return ConversionError(
            f"The LiteRT converter gave up{at}: a loop of Keras' own needs a "
            'fixed batch size there. Export with fixed={"batch": 1} (--batch '
            "1); if that is not enough, fix the length too (--time). Layers "
            "of the classes SimpleRNN, LSTM, GRU, RNN and PeepholeLSTM "
            "themselves leave both open; `export.lowering.register` teaches "
            "others.",
            places,
        )
    return ConversionError(
        f"The LiteRT converter gave up{at}: {reason[:400]}",
        places,
    )


def _needed(program: Program, kinds: set[str], places) -> list[tuple]:
    """Returns operator, dtype and name of the nodes that LiteRT lacks."""
    found = {
        node.name: node
        for entry in program.entries
        for node in every_node(entry.frozen("litert").graph.as_graph_def())
        if node.op in kinds
    }
    named = [name for kind, name in places if kind in kinds and name in found]
    return [
        (found[name].op, dtype_name(found[name]), name)
        for name in named or found
    ] or [(kind, "", program.model.name) for kind in sorted(kinds)]


def inspect(path: Path) -> dict[str, int]:
    """Counts the operators of a .tflite file.

    Raises:
        ArtifactError: the file is not a LiteRT model.
        OperatorError: it holds Flex or custom operators.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = Path(path).read_bytes()
    if content[4:8] != b"TFL3":
        raise ArtifactError(
            f'"{path}" is not a LiteRT model (no TFL3 mark). Export it again.'
        )
    names = {
        value: key
        for key, value in vars(schema.BuiltinOperator).items()
        if isinstance(value, int)
    }
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
    except Exception as error:  # struct.error, IndexError, ...: damaged
        raise ArtifactError(
            f'"{path}" is damaged: {error}. Export it again.'
        ) from error
    counts: Counter[str] = Counter()
    foreign = set()
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            code = model.operatorCodes[operator.opcodeIndex]
            builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
            name = names.get(builtin, f"builtin {builtin}")
            if builtin == schema.BuiltinOperator.CUSTOM:
                name = (code.customCode or b"CUSTOM").decode()
                foreign.add(name)
            counts[name] += 1
    if foreign:
        raise OperatorError(
            f"The LiteRT file holds operators that the stock interpreter does "
            f"not have: {', '.join(sorted(foreign))}."
        )
    return dict(sorted(counts.items()))
