"""`toolkit benchmark RUN`."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from recipes._cli.parsing import Parser
from toolkit.errors import ConfigError, ToolkitError

WARM_UP = 10  # rounds that are not timed: the first calls allocate
LOADS = 5  # times each file is loaded


def run(arguments: list[str]) -> None:
    """Measures the files of a run beside Keras and Keras' own export."""
    parser = Parser(
        "benchmark",
        "Size, load time, latency and test metric of a run's exported files, "
        "beside the Keras model and beside the files of Keras' own "
        "model.export. All are called in turn, round after round.",
    )
    parser.add_argument("path", metavar="RUN", help="a run directory")
    parser.add_argument("--batch", type=int, default=1, help="images per call")
    parser.add_argument("--rounds", type=int, default=200, help="timed calls")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    for name in ("batch", "rounds"):
        if options[name] < 1:
            raise ConfigError(
                f"--{name} must be at least 1. Received: {options[name]}"
            )
    rows = measure(
        Path(options.path), options.batch, options.rounds, options.threads
    )
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    head = ("what", "bytes", "load ms", "p50 us", "p95 us", "accuracy")
    table = [head] + [
        (
            row["what"],
            f"{row['bytes']:,}" if row["bytes"] else "-",
            f"{row['load_ms']:.1f}" if row["load_ms"] else "-",
            f"{row['p50_us']:,.0f}",
            f"{row['p95_us']:,.0f}",
            f"{row['accuracy']:.4f}",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for index, line in enumerate(table):
        cells = [
            c.ljust(w) if i == 0 else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells))
        if index == 0:
            print("  ".join("-" * w for w in widths))
    print(f"\nbatch {options.batch}, {options.rounds} rounds, interleaved")


def measure(path: Path, batch: int, rounds: int, threads: int) -> list[dict]:
    """Returns a row per contender.

    Args:
        path: a run directory with exported files.
        batch: images per call.
        rounds: timed calls of each contender.
        threads: of the runtimes; 0 means all cores.

    Raises:
        ToolkitError: the run has no exported files, or is no classifier.
    """
    import numpy as np

    from export import report, runtime
    from export.formats import FORMATS
    from recipes._cli import evaluate_command
    from recipes._cli.models import load_model
    from recipes._run.directory import find
    from recipes._run.exporting import load_metadata
    from toolkit._backend import silence
    from toolkit.data import to_inputs

    path = find(path)
    metadata = load_metadata(path)
    evaluate_command.refuse_texts(metadata, path)
    if metadata.get("task") == runtime.WORD_VECTORS:
        raise ToolkitError(
            f'"{path}" holds word vectors; benchmark takes classifiers of '
            "images. `toolkit predict RUN --neighbours WORD` asks its files, "
            "`toolkit verify` compares them."
        )
    exported = report.read(path / "export")
    if not exported:
        raise ToolkitError(
            f'The run "{path}" has no exported files: toolkit export {path}'
        )
    model = load_model(path)
    data = evaluate_command.test_data(metadata, "", path)
    inputs = to_inputs(data.test.images[:batch], metadata["preprocessing"])
    inputs = np.resize(inputs, (batch, *inputs.shape[1:]))

    contenders: list[tuple[str, Path | None, Callable]] = [
        ("Keras predict_on_batch", None, model.predict_on_batch)
    ]

    def add(label: str, file: Path) -> None:
        loaded = runtime.load(file, threads=threads or None)
        (name,) = loaded.inputs
        contenders.append(
            (
                label,
                file,
                lambda x: next(iter(loaded.run({name: x}).values())),
            )
        )

    for name, item in exported["formats"].items():
        add(
            f"{FORMATS[name].title}, this toolkit",
            path / "export" / item["path"],
        )
    model.predict_on_batch(inputs)  # Keras exports no model never called
    with tempfile.TemporaryDirectory() as folder:
        for name in exported["formats"]:
            file = Path(folder) / FORMATS[name].filename("keras")
            keras_format = "tf_saved_model" if name == "saved_model" else name
            try:
                with silence():
                    model.export(file, format=keras_format, verbose=False)
                add(f"{FORMATS[name].title}, Keras' own", file)
            except Exception as error:  # theirs to fail in any way
                first = str(error).splitlines()[0][:100]
                print(f"{FORMATS[name].title}, Keras' own: none ({first})")
        with silence():  # delegates greet
            return _rows(contenders, inputs, rounds, data, metadata)


def _rows(contenders, inputs, rounds, data, metadata) -> list[dict]:
    import numpy as np

    from export import report
    from recipes._cli import evaluate_command

    loads = [
        [_load_seconds(file) for _, file, _ in contenders] for _ in range(LOADS)
    ]
    times: list[list[float]] = [[] for _ in contenders]
    rng = np.random.default_rng(0)
    for index in range(rounds + WARM_UP):
        # In an order of its own: a call pays for what ran before it.
        for which in rng.permutation(len(contenders)):
            call = contenders[which][2]
            started = time.perf_counter()
            call(inputs)
            if index >= WARM_UP:
                times[which].append(time.perf_counter() - started)
    rows = []
    for index, (label, file, call) in enumerate(contenders):
        metrics = evaluate_command.measure(call, data, metadata)
        taken = times[index]
        load = float(np.median([row[index] for row in loads]))
        rows.append(
            {
                "what": label,
                "bytes": report.measure(file) if file else 0,
                "load_ms": 1e3 * load,
                "p50_us": 1e6 * float(np.percentile(taken, 50)),
                "p95_us": 1e6 * float(np.percentile(taken, 95)),
                "accuracy": metrics["accuracy"],
            }
        )
    return rows


def _load_seconds(file: Path | None) -> float:
    """Returns how long a file takes to load; its runtime is imported."""
    from export import runtime

    if file is None:
        return 0.0
    started = time.perf_counter()
    runtime.load(file)
    return time.perf_counter() - started
