"""Decoding with an exported file, compared with the Keras model's own search.

`python -m benchmarks.seq2seq_decoding`: a GRU encoder-decoder with attention,
not trained, so that every sentence is written to `--length`. There are two
peers, both in TensorFlow. One is what is usually written with Keras: the
encoder, and then a Python loop over a step of the decoder, both `tf.function`.
The other is `models.decoding_model` of this toolkit, whose whole search is one
`tf.function`: what is left between it and the files is the runtime. All run
with as many threads, alternately in an order of its own every time; medians.
Rows that are written otherwise are reported.

`--step plain` exports the ONNX file with plain operators in the place of the
fused node inside the loop.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.recurrent_training import timed
from toolkit._backend import load_tensorflow

VOCABULARY, UNITS, EMBEDDING, STEPS = 64, 256, 128, 30
BATCHES = (1, 8, 32)
BY_STEPS = "Keras, Python loop over compiled steps"
COMPILED = "TensorFlow, compiled search of ours"
OURS = "ONNX Runtime"


def by_steps(model, length: int):
    """Returns greedy decoding as a Python loop over the decoder's steps."""
    import tensorflow as tf

    names = model.states

    @tf.function(reduce_retracing=True)
    def encode(source):
        return dict(model.encoder(source, training=False))

    @tf.function(reduce_retracing=True)
    def step(token, running, given):
        found = model.decoder(
            {"target": token[:, None], **given}, training=False
        )
        logits = found["logits"][:, 0]
        barred = tf.one_hot([0, 1], logits.shape[1])
        logits -= 1e9 * tf.reduce_sum(barred, axis=0)
        token = tf.argmax(logits, axis=1, output_type=tf.int32)
        token = tf.where(running, token, 0)
        states = {name: found[f"{name}_next"] for name in names}
        return token, running & (token != 2), states

    def decode(source):
        source = tf.constant(source)
        given = {**encode(source), "source": source}
        token = tf.ones(len(source), tf.int32)
        running = tf.fill([len(source)], True)
        written = []
        for _ in range(length):
            token, running, states = step(token, running, given)
            given |= states
            written.append(token)
            if not tf.reduce_any(running):
                break
        return np.stack([token.numpy() for token in written], axis=1)

    return decode


def onnx_runner(path: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    return lambda source: session.run(["tokens"], {"source": source})[0]


def litert_runner(path: Path, threads: int):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    run = interpreter.get_signature_runner("serving_default")
    return lambda source: run(source=source)["tokens"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--length", type=int, default=20)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--vocabulary", type=int, default=VOCABULARY)
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--step", choices=("fused", "plain"), default="fused")
    arguments = parser.parse_args()
    threads = arguments.threads
    tf = load_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    import onnxruntime

    import export
    from export.lowering.registry import register
    from toolkit.models import decoding_model, seq2seq

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, TensorFlow "
        f"{tf.__version__}, ONNX Runtime {onnxruntime.__version__}, {threads} "
        f"threads; GRU, {arguments.units} units, {arguments.vocabulary} "
        f"tokens, {STEPS} steps in, {arguments.length} out, beam "
        f"{arguments.beam}, {arguments.repeats} repeats, load "
        f"{os.getloadavg()[0]:.1f}"
    )
    model = seq2seq(
        arguments.vocabulary,
        arguments.vocabulary,
        "gru",
        arguments.units,
        embedding=EMBEDDING,
    )
    logits = model.decoder.get_layer("logits")
    end = np.eye(arguments.vocabulary, dtype="float32")[2]
    logits.bias.assign(-20 * end)  # written to the full length
    if arguments.step == "plain":
        import keras

        from export.lowering.rnn import rnn_loop, rnn_node

        @register(keras.layers.GRU, "onnx")
        def encoder_only(layer):
            plain = layer.name.startswith("decoder")
            return (rnn_loop if plain else rnn_node)(layer)

    search = decoding_model(model, arguments.length, arguments.beam)
    with tempfile.TemporaryDirectory() as folder:
        done = export.export(search, folder, ["onnx", "litert"])
        nodes = done.formats["onnx"].operators
        print({k: nodes[k] for k in ("GRU", "Loop") if k in nodes})
        compiled = tf.function(
            lambda source: search(source, training=False),
            reduce_retracing=True,
        )
        ways = {
            OURS: onnx_runner(done.paths["onnx"], threads),
            "LiteRT": litert_runner(done.paths["litert"], threads),
            COMPILED: lambda source: compiled(tf.constant(source))[
                "tokens"
            ].numpy(),
        }
        if arguments.beam == 1:
            ways[BY_STEPS] = by_steps(model, arguments.length)
        rng = np.random.default_rng(0)
        for batch in BATCHES:
            source = rng.integers(3, arguments.vocabulary, (batch, STEPS))
            source = source.astype("int32")
            runs = {
                label: lambda way=way, source=source: way(source)
                for label, way in ways.items()
            }
            wanted = runs[COMPILED]()
            for label, run in runs.items():
                same = (run() == wanted).all(axis=1).mean()
                if same < 1:
                    print(f"  {label}: {same:.0%} of the rows are the same")
            print(f"batch {batch}")
            for label, found, ratio in timed(runs, arguments.repeats, OURS, 3):
                rate = batch / statistics.median(found)
                print(
                    f"  {label:<40}{rate:>9.1f} sentences/s; {OURS} is "
                    f"{1 / ratio:.2f} times as fast"
                )


if __name__ == "__main__":
    main()
