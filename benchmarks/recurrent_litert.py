"""Exported recurrent layers in LiteRT, compared with Keras' loop; streams.

`python -m benchmarks.recurrent_litert`: one model with one layer, the same
weights. Whole sequences: this toolkit's file, whose batch and time are open,
and the loop that TensorFlow's converter makes of the Keras layer, which has to
have its sizes fixed. Keras has no cell with peepholes: there the peer is the
cell of this toolkit in Keras' loop, `keras.layers.RNN(PeepholeLSTMCell)`. One
step of a stream: states explicit, states inside the file, and LiteRT's fused
operator with its state inside, written by hand; in ONNX Runtime a step beside
the whole sequence. All run with `--threads` threads (2), in turn in an order of
its own every time; medians.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.recurrent_onnx import loaded, recurrent_layers
from benchmarks.recurrent_training import timed
from toolkit._backend import load_tensorflow, silence

STEPS, FEATURES, UNITS = 64, 64, 128
BATCHES = (1, 8)
settings = {"threads": 2}
OURS = "this toolkit"
KERAS = "Keras' layer, sizes fixed"
OURS_BY_KERAS = "our cell in Keras' RNN, fixed"


def interpreter(content: bytes):
    """Returns an interpreter of the stock runtime, tensors allocated."""
    from ai_edge_litert.interpreter import Interpreter

    with silence():  # delegates greet
        made = Interpreter(
            model_content=content, num_threads=settings["threads"]
        )
        made.allocate_tensors()
    return made


def whole(content: bytes, x: np.ndarray):
    """Returns a call over whole sequences."""
    with silence():
        made = interpreter(content)
        given = made.get_input_details()[0]
        if tuple(given["shape"]) != x.shape:
            made.resize_tensor_input(given["index"], x.shape)
            made.allocate_tensors()
    out = made.get_output_details()[0]["index"]

    def run():
        made.set_tensor(given["index"], x)
        made.invoke()
        return made.get_tensor(out)

    return run


def keras_loop(layer, batch: int) -> bytes:
    """Converts a Keras layer with fixed sizes, as TensorFlow does it."""
    import tensorflow as tf

    traced = tf.function(layer, autograph=False).get_concrete_function(
        tf.TensorSpec((batch, STEPS, FEATURES))
    )
    with silence():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [traced], tf.Module()
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return converter.convert()


def fused_step(cell, batch: int) -> bytes:
    """Writes a file with one UNIDIRECTIONAL_SEQUENCE_LSTM for one step."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = []

    def tensor(shape, values=None, variable=False):
        item = schema.TensorT()
        item.shape, item.type = list(shape), schema.TensorType.FLOAT32
        item.name = f"t{len(graph.tensors)}".encode()
        item.isVariable = variable
        if values is not None:
            buffer = schema.BufferT()
            raw = np.ascontiguousarray(values, np.float32).tobytes()
            buffer.data = np.frombuffer(raw, np.uint8)
            model.buffers.append(buffer)
            item.buffer = len(model.buffers) - 1
        graph.tensors.append(item)
        return len(graph.tensors) - 1

    def gates(weights):  # i, f, c, o in both
        return [
            tensor(part.shape, part)
            for part in np.split(np.asarray(weights).T, 4)
        ]

    peepholes = [-1] * 3
    if hasattr(cell, "peephole_kernel"):
        rows = np.asarray(cell.peephole_kernel)
        peepholes = [tensor(row.shape, row) for row in rows]
    x = tensor((batch, 1, FEATURES))
    inputs = [x, *gates(cell.kernel), *gates(cell.recurrent_kernel)]
    inputs += [*peepholes, *gates(cell.bias), -1, -1]
    inputs += [tensor((batch, UNITS), variable=True) for _ in range(2)]
    inputs += [-1] * 4
    y = tensor((batch, 1, UNITS))
    code = schema.OperatorCodeT()
    kind = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    node = schema.OperatorT()
    node.opcodeIndex, node.inputs, node.outputs = 0, inputs, [y]
    node.builtinOptionsType = (
        schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions
    )
    node.builtinOptions = options
    graph.operators, graph.inputs, graph.outputs = [node], [x], [y]
    signature = schema.SignatureDefT()
    signature.signatureKey = b"streaming"
    signature.inputs, signature.outputs = [], []
    for side, name, index in (
        (signature.inputs, b"x", x),
        (signature.outputs, b"y", y),
    ):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        side.append(entry)
    model.signatureDefs = [signature]
    model.operatorCodes, model.subgraphs = [code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def stepping(step, x: np.ndarray):
    """Returns a call that feeds a sequence step by step; and the outputs."""

    def run():
        return np.concatenate(
            [step(x[:, t : t + 1]) for t in range(x.shape[1])], axis=1
        )

    return run


def steps_of_file(content: bytes, batch: int):
    """Returns `step(x)` through the interpreter alone, without checks."""
    made = interpreter(content)
    runner = made.get_signature_runner("streaming")
    states = {
        name: np.zeros((batch, item["shape"][1]), np.float32)
        for name, item in runner.get_input_details().items()
        if name != "x"
    }

    def step(x):
        found = runner(x=x, **states)
        for name in states:
            states[name] = found.pop(f"{name}_next")
        return next(iter(found.values()))

    return step


def steps_of_onnx(path: Path, batch: int):
    """Returns `step(x)` in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    session = onnxruntime.InferenceSession(str(path), options)
    names = [item.name for item in session.get_outputs()]
    states = {
        item.name: np.zeros((batch, item.shape[1]), np.float32)
        for item in session.get_inputs()
        if item.name != "x"
    }

    def step(x):
        found = dict(
            zip(names, session.run(names, {"x": x, **states}), strict=True)
        )
        for name in states:
            states[name] = found.pop(f"{name}_next")
        return next(iter(found.values()))

    return step


def empty_call(batch: int, states: int):
    """Returns a call in ONNX Runtime that computes nothing."""
    import onnx
    import onnxruntime
    from onnx import helper

    shapes = {"x": (batch, 1, FEATURES)}
    shapes |= {f"state_{i}": (batch, UNITS) for i in range(states)}

    def values(suffix):
        return [
            helper.make_tensor_value_info(
                name + suffix, onnx.TensorProto.FLOAT, shape
            )
            for name, shape in shapes.items()
        ]

    graph = helper.make_graph(
        [helper.make_node("Identity", [n], [f"{n}_out"]) for n in shapes],
        "empty",
        values(""),
        values("_out"),
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    session = onnxruntime.InferenceSession(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
        ).SerializeToString(),
        options,
    )
    given = {n: np.zeros(shape, np.float32) for n, shape in shapes.items()}
    return lambda: session.run(None, given)


def show(title: str, runs: dict, repeats: int, first: str, per: int = 1):
    """Prints medians; `per` steps lie in a call."""
    print(title)
    for label, found, ratio in timed(runs, repeats, first, 10):
        print(
            f"  {label:<34}{1e6 * statistics.median(found) / per:>9.1f} us  "
            f"{first} is {1 / ratio:.2f} times as fast"
        )


def compare_sequences(name, layer, model, own, file, batch, repeats, rng):
    """Times whole sequences."""
    x = rng.normal(size=(batch, STEPS, FEATURES)).astype("float32")
    peer = KERAS if own is layer else OURS_BY_KERAS
    runs = {
        OURS: whole(file.read_bytes(), x),
        peer: whole(keras_loop(own, batch), x),
    }
    expected = np.asarray(model(x))
    for run in runs.values():
        np.testing.assert_allclose(run(), expected, atol=2e-5)
    show(f"{name}, batch {batch}, {STEPS} steps", runs, repeats, OURS)


def compare_steps(name, layer, model, folder, batch, repeats, rng):
    """Times one step of a stream."""
    import export

    x = rng.normal(size=(batch, STEPS, FEATURES)).astype("float32")
    choice = {"streaming": True, "chunk": 1, "fixed": {"batch": batch}}
    explicit = export.export(
        model, folder / "explicit", ["onnx", "litert"], **choice
    ).paths
    internal = export.export(
        model, folder / "internal", ["litert"], states="internal", **choice
    ).paths
    contents = {
        "LiteRT, states explicit": explicit["litert"].read_bytes(),
        "LiteRT, states inside the file": internal["litert"].read_bytes(),
    }
    if hasattr(layer.cell, "unit_forget_bias"):
        contents["LiteRT, fused operator by hand"] = fused_step(
            layer.cell, batch
        )
    made = {k: steps_of_file(v, batch) for k, v in contents.items()}
    made["ONNX Runtime, states explicit"] = steps_of_onnx(
        explicit["onnx:streaming"], batch
    )
    runs = {label: stepping(step, x) for label, step in made.items()}
    expected = np.asarray(model(x))
    for run in runs.values():
        np.testing.assert_allclose(run(), expected, atol=2e-5)
    show(f"{name}, batch {batch}, one step", runs, max(repeats // 4, 5),
         "LiteRT, states explicit", STEPS)  # fmt: skip
    one = stepping(made["ONNX Runtime, states explicit"], x)
    sequence = loaded(explicit["onnx"], x, settings["threads"])
    states = len(export.runtime.stream(explicit["onnx:streaming"])._next)
    empty = empty_call(batch, states)
    found = {
        label: 1e6 * statistics.median(seconds)
        for label, seconds, _ in timed(
            {"steps": one, "whole": sequence, "empty": empty},
            max(repeats // 4, 5),
            "steps",
            10,
        )
    }
    step = found["steps"] / STEPS
    own = step - found["empty"]
    share = f"1/{found['whole'] / own:.0f}" if own > 0 else "nothing"
    print(
        f"  ONNX Runtime: whole sequence {found['whole']:.0f} us, a step "
        f"{step:.1f} us, a call that does nothing {found['empty']:.1f} us; "
        f"what is left of the step is {share} of the whole"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    repeats = options.repeats
    settings["threads"] = options.threads
    tf = load_tensorflow()
    import keras

    import export
    from toolkit.layers import PeepholeLSTM, PeepholeLSTMCell

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, TensorFlow "
        f"{tf.__version__}, {options.threads} threads, time {STEPS}, features "
        f"{FEATURES}, units {UNITS}, {repeats} repeats"
    )
    rng = np.random.default_rng(0)
    for name, make in recurrent_layers().items():
        x = keras.Input((None, FEATURES), name="x")
        layer = own = make(UNITS, return_sequences=True, name="layer")
        model = keras.Model(x, layer(x))
        if isinstance(layer, PeepholeLSTM):
            own = keras.layers.RNN(
                PeepholeLSTMCell(UNITS), return_sequences=True
            )
            own.build((None, None, FEATURES))
            own.set_weights(layer.get_weights())
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            file = export.export(model, root, ["litert"]).paths["litert"]
            for batch in BATCHES:
                compare_sequences(
                    name, layer, model, own, file, batch, repeats, rng
                )
                compare_steps(name, layer, model, root, batch, repeats, rng)


if __name__ == "__main__":
    main()
