"""Exported recurrent layers in ONNX Runtime, compared with Keras' own export.

`python -m benchmarks.recurrent_onnx`: one model with one layer, the same
weights, exported by this toolkit and by `keras.Model.export`, and for the LSTM
and the peephole LSTM a graph with a single node written by hand. Keras has no
LSTM with peepholes: there the peer is the layer of this toolkit, written by
Keras' export, which makes a loop of it. All run with two threads, alternately
in an order of its own every time; medians and ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.recurrent_training import timed
from toolkit._backend import load_tensorflow, silence

STEPS, FEATURES, UNITS = 64, 64, 128
BATCHES = (1, 8)
THREADS = 2
OURS = "this toolkit"
KERAS = "Keras' model.export"
OURS_BY_KERAS = "our layer, Keras' model.export"


def by_hand(layer, path: Path) -> None:
    """Writes a graph that is one LSTM node, and the transposes around it."""
    import onnx
    from onnx import helper, numpy_helper

    from export.lowering import lstm, peephole_lstm

    lower = peephole_lstm if hasattr(layer.cell, "peephole_kernel") else lstm
    fused = lower.fused(layer.cell)
    weights = {
        "W": fused.kernel[None],
        "R": fused.recurrent_kernel[None],
        "B": fused.bias[None],
    }
    inputs = ["time_first", "W", "R", "B"]
    if fused.peepholes is not None:
        weights["P"] = fused.peepholes[None]
        inputs += ["", "", "", "P"]
    weights["axis"] = np.array([1], np.int64)
    graph = helper.make_graph(
        [
            helper.make_node(
                "Transpose", ["x"], ["time_first"], perm=[1, 0, 2]
            ),
            helper.make_node("LSTM", inputs, ["all"], hidden_size=UNITS),
            helper.make_node("Squeeze", ["all", "axis"], ["flat"]),
            helper.make_node("Transpose", ["flat"], ["y"], perm=[1, 0, 2]),
        ],
        "by_hand",
        [
            helper.make_tensor_value_info(
                "x", onnx.TensorProto.FLOAT, ("batch", "time", FEATURES)
            )
        ],
        [
            helper.make_tensor_value_info(
                "y", onnx.TensorProto.FLOAT, ("batch", "time", UNITS)
            )
        ],
        [numpy_helper.from_array(v, k) for k, v in weights.items()],
    )
    onnx.save(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
        ),
        path,
    )


def loaded(path: Path, x: np.ndarray, threads: int = THREADS):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    given = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, given)[0]


def kinds(path: Path) -> str:
    import onnx

    from export.onnx_graph import nodes

    counts = Counter(n.op_type for n in nodes(onnx.load(path).graph))
    shown = ("LSTM", "GRU", "RNN", "Loop", "Scan")
    return " ".join(f"{k} {counts[k]}" for k in shown if counts[k])


def recurrent_layers() -> dict:
    """Returns what makes each recurrent layer, by its name in the tables."""
    import keras

    from toolkit.layers import PeepholeLSTM

    return {
        "PeepholeLSTM": PeepholeLSTM,
        "LSTM": keras.layers.LSTM,
        "GRU": keras.layers.GRU,
        "GRU, reset before": lambda u, **o: keras.layers.GRU(
            u, reset_after=False, **o
        ),
        "SimpleRNN": keras.layers.SimpleRNN,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    tf = load_tensorflow()
    import keras
    import onnxruntime

    import export

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, TensorFlow "
        f"{tf.__version__}, ONNX Runtime {onnxruntime.__version__}, {THREADS} "
        f"threads, time {STEPS}, features {FEATURES}, units {UNITS}, "
        f"{repeats} repeats"
    )
    rng = np.random.default_rng(0)
    for name, make in recurrent_layers().items():
        x = keras.Input((None, FEATURES), name="x")
        layer = make(UNITS, return_sequences=True)
        model = keras.Model(x, layer(x))
        model(np.zeros((1, 2, FEATURES), "float32"))
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            files = {OURS: export.export(model, root, ["onnx"]).paths["onnx"]}
            peer = OURS_BY_KERAS if name == "PeepholeLSTM" else KERAS
            files[peer] = root / "keras.onnx"
            with silence():
                model.export(files[peer], format="onnx", verbose=False)
            if name in ("LSTM", "PeepholeLSTM"):
                files["one node by hand"] = root / "hand.onnx"
                by_hand(layer, files["one node by hand"])
            for batch in BATCHES:
                data = rng.normal(size=(batch, STEPS, FEATURES))
                data = data.astype("float32")
                runs = {k: loaded(path, data) for k, path in files.items()}
                expected = np.asarray(model(data))
                for run in runs.values():
                    np.testing.assert_allclose(run(), expected, atol=2e-5)
                print(f"{name}, batch {batch}")
                for label, found, ratio in timed(runs, repeats, OURS, 20):
                    print(
                        f"  {label:<32}"
                        f"{1e3 * statistics.median(found):>7.3f} ms  "
                        f"{kinds(files[label]):<8} this toolkit is "
                        f"{1 / ratio:.2f} times as fast"
                    )


if __name__ == "__main__":
    main()
