"""Word vectors beside gensim's: speed, vocabulary, quality, scale.

`python -m benchmarks.word2vec compare --corpus FILE --word-eval FOLDER`: our
skip-gram and gensim's with the same parameters, every run in a process of its
own, in turn; medians over the seeds. Without `--corpus`, both read the
documentation that comes embedded.

`python -m benchmarks.word2vec scale`: words/s at vocabularies of 20,000 and
1,000,000 words, and the memory.

Ours is charged for reading the corpus, building the vocabulary, compiling and
training; gensim for training alone, in which it reads the corpus anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PARAMETERS = {
    "vector_size": 100,
    "window": 5,
    "negative": 5,
    "sample": 1e-3,
    "min_count": 5,
}
ALPHA, MIN_ALPHA = 0.025, 1e-4  # gensim's defaults
FILES = {
    "WordSim-353": "EN-WS-353-ALL.txt",
    "MEN": "EN-MEN-TR-3k.txt",
    "SimLex-999": "EN-SIMLEX-999.txt",
}
QUESTIONS = "questions-words.txt"
MEASURES = ("analogies", *FILES)


def ours(corpus: str, epochs: int, seed: int, objective: str, workers: int):
    """Trains with this toolkit; returns a record and the vectors."""
    from toolkit._backend import load_tensorflow

    load_tensorflow()
    import keras

    from toolkit.data import block_size, read_corpus, text_block_batches
    from toolkit.models import skip_gram
    from toolkit.text import WordVectors

    started = time.perf_counter()
    read = read_corpus(
        corpus, tokens="whitespace", min_count=PARAMETERS["min_count"]
    )
    vocabulary_done = time.perf_counter()
    model = skip_gram(
        read.vocabulary.counts,
        PARAMETERS["vector_size"],
        objective,
        window=PARAMETERS["window"],
        negative=PARAMETERS["negative"],
        sample=PARAMETERS["sample"],
        workers=workers,
        seed=seed,
    )
    block = block_size(len(read.ids), most=model.block_words)
    steps = -(-len(read.ids) // block)
    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.PolynomialDecay(
                ALPHA, steps * epochs, MIN_ALPHA
            )
        )
    )
    model.fit(
        text_block_batches(
            read.ids, block=block, steps=steps * epochs, seed=seed
        ),
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
    )
    vectors = model.embedding.embeddings.numpy()
    done = time.perf_counter()
    return {
        "vocabulary_seconds": vocabulary_done - started,
        "seconds": done - started,
        "effective_words": epochs * effective(read.vocabulary.counts),
        "raw_words": epochs * read.raw_words,
    }, WordVectors(read.vocabulary, vectors)


def gensim(corpus: str, epochs: int, seed: int, objective: str, workers: int):
    """Trains with gensim; returns a record and the vectors."""
    from gensim.models.word2vec import Text8Corpus, Word2Vec

    from toolkit.text import Vocabulary, WordVectors

    text = Text8Corpus(corpus)
    hierarchical = objective == "hierarchical_softmax"
    parameters = dict(PARAMETERS)
    if hierarchical:
        parameters["negative"] = 0
    model = Word2Vec(
        sg=1,
        hs=int(hierarchical),
        workers=workers,
        seed=seed + 1,
        alpha=ALPHA,
        min_alpha=MIN_ALPHA,
        **parameters,
    )
    started = time.perf_counter()
    model.build_vocab(text)
    vocabulary_done = time.perf_counter()
    words, raw = model.train(
        text, total_examples=model.corpus_count, epochs=epochs
    )
    done = time.perf_counter()
    counts = [model.wv.get_vecattr(w, "count") for w in model.wv.index_to_key]
    return {
        "vocabulary_seconds": vocabulary_done - started,
        "seconds": done - vocabulary_done,
        "effective_words": words,
        "raw_words": raw,
    }, WordVectors(Vocabulary(model.wv.index_to_key, counts), model.wv.vectors)


def effective(counts: np.ndarray) -> float:
    """Returns how many words subsampling leaves of a text, on average."""
    ratio = PARAMETERS["sample"] * counts.sum() / counts
    return float((counts * np.minimum(np.sqrt(ratio) + ratio, 1)).sum())


def quality(vectors, folder: Path) -> dict[str, float]:
    """Returns the share of analogies right, and Spearman's correlations."""
    from toolkit.evaluation import (
        evaluate_analogies,
        read_analogies,
        read_word_pairs,
        word_similarity,
    )

    found = {
        "analogies": evaluate_analogies(
            vectors, read_analogies(folder / QUESTIONS)
        ).accuracy
    }
    for name, file in FILES.items():
        pairs = read_word_pairs(folder / file)
        found[name] = word_similarity(vectors, pairs).spearman
    return found


def one(options) -> None:
    """Runs a single contender and prints its record."""
    contender = {"ours": ours, "gensim": gensim}[options.contender]
    record, vectors = contender(
        options.corpus,
        options.epochs,
        options.seed,
        options.objective,
        options.workers,
    )
    if options.word_eval:
        record |= quality(vectors, Path(options.word_eval))
    print(json.dumps(record))


def in_process(*arguments) -> dict:
    """Runs this file with arguments in a process of its own."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", __spec__.name, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, arguments))} ended with {done.returncode}: "
            f"{done.stderr}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def compare(options) -> None:
    """Prints our numbers beside gensim's."""
    with tempfile.TemporaryDirectory() as folder:
        if options.corpus and not Path(options.corpus).is_file():
            raise SystemExit(f"--corpus: no file {options.corpus}")
        if not options.corpus:
            options.corpus = embedded(Path(folder) / "documentation.txt")
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, "
            f"{options.workers} workers, {options.objective}, "
            f"{options.seeds} seeds, {Path(options.corpus).name}"
        )
        for epochs in options.epochs:
            records: dict[str, list[dict]] = {"ours": [], "gensim": []}
            for seed in range(options.seeds):
                for name in sorted(records, reverse=bool(seed % 2)):
                    records[name].append(
                        in_process(
                            "one", name,
                            "--corpus", options.corpus,
                            "--epochs", epochs,
                            "--seed", seed,
                            "--objective", options.objective,
                            "--workers", options.workers,
                            "--word-eval", options.word_eval,
                        )
                    )  # fmt: skip
            show(epochs, records)


def embedded(path: Path) -> str:
    """Writes the embedded text as words with single spaces."""
    from toolkit.data import read_corpus

    corpus = read_corpus("embedded", min_count=1)
    words = corpus.vocabulary.words
    path.write_text(" ".join(words[k] for k in corpus.ids if k >= 0))
    return str(path)


def show(epochs: int, records: dict[str, list[dict]]) -> None:
    """Prints the table of one number of epochs."""
    print(f"{epochs} epochs")
    for name, runs in records.items():
        rates = {
            kind: statistics.median(
                run[f"{kind}_words"] / run["seconds"] for run in runs
            )
            for kind in ("effective", "raw")
        }
        line = (
            f"  {name:<7}{rates['effective']:>11,.0f} effective words/s, "
            f"{rates['raw']:>11,.0f} raw; vocabulary "
            f"{statistics.median(r['vocabulary_seconds'] for r in runs):.2f} s"
        )
        if "analogies" in runs[0]:
            values = np.array([[run[m] for m in MEASURES] for run in runs])
            means, ranges = values.mean(0), np.ptp(values, 0)
            line += "; " + ", ".join(
                f"{measure} {mean:.3f} (+-{spread / 2:.3f})"
                for measure, mean, spread in zip(
                    MEASURES, means, ranges, strict=True
                )
            )
            line += f"; mean {means.mean():.4f}"
        print(line)
    ratios = [
        (a["effective_words"] / a["seconds"])
        / (b["effective_words"] / b["seconds"])
        for a, b in zip(records["ours"], records["gensim"], strict=True)
    ]
    vocabulary = [
        b["vocabulary_seconds"] / a["vocabulary_seconds"]
        for a, b in zip(records["ours"], records["gensim"], strict=True)
    ]
    print(
        f"  ours is {statistics.median(ratios):.2f} times as fast "
        f"({min(ratios):.2f} to {max(ratios):.2f}), its vocabulary "
        f"{statistics.median(vocabulary):.2f} times",
        flush=True,
    )


def size(options) -> None:
    """Trains on a generated corpus and prints words/s and memory."""
    from toolkit._backend import load_tensorflow

    load_tensorflow()
    from toolkit.data import text_block_batches
    from toolkit.models import skip_gram

    rng = np.random.default_rng(0)
    weights = 1.0 / np.arange(1, options.vocabulary + 1)
    cumulative = np.cumsum(weights / weights.sum())
    words = options.blocks * 65_536
    ids = np.searchsorted(cumulative, rng.random(words)).astype(np.int32)
    ids = np.minimum(ids, options.vocabulary - 1)
    # As in a corpus ten times as long, every word has been seen.
    counts = np.maximum((10 * words * weights / weights.sum()), 5)
    model = skip_gram(counts.astype(np.int64), options.vector_size)
    model.compile()
    seconds = []

    import keras

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.started = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            seconds.append(time.perf_counter() - self.started)

    history = model.fit(
        text_block_batches(ids, block=65_536, steps=options.blocks),
        epochs=1,
        steps_per_epoch=options.blocks,
        callbacks=[Clock()],
        shuffle=False,
        verbose=0,
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    share = effective(counts) / counts.sum()
    print(
        json.dumps(
            {
                "rate": 65_536 * share / statistics.median(seconds[1:]),
                "memory": memory,
                "loss": history.history["loss"][-1],
            }
        )
    )


def scale(options) -> None:
    """Prints words/s at several sizes of the vocabulary."""
    small, large = options.vocabularies
    for vector_size in options.vector_sizes:
        ratios = []
        for _ in range(options.repeats):
            records = [
                in_process(
                    "size",
                    "--vocabulary", count,
                    "--vector-size", vector_size,
                    "--blocks", options.blocks,
                )
                for count in (small, large)
            ]  # fmt: skip
            ratios.append(records[1]["rate"] / records[0]["rate"])
            for count, record in zip((small, large), records, strict=True):
                print(
                    f"{count:>9,} x {vector_size}: {record['rate']:>10,.0f} "
                    f"effective words/s, {record['memory']:.1f} GiB, loss "
                    f"{record['loss']:.3f}",
                    flush=True,
                )
        print(f"  {large:,} words at {statistics.median(ratios):.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, function in (("compare", compare), ("one", one)):
        command = commands.add_parser(name)
        command.set_defaults(run=function)
        command.add_argument("--corpus", default="")
        command.add_argument("--word-eval", default="")
        command.add_argument("--objective", default="negative_sampling")
        command.add_argument("--workers", type=int, default=2)
        if name == "one":
            command.add_argument("contender")
            command.add_argument("--epochs", type=int, default=1)
            command.add_argument("--seed", type=int, default=0)
        else:
            command.add_argument("--epochs", type=int, nargs="+", default=[5])
            command.add_argument("--seeds", type=int, default=3)
    command = commands.add_parser("size")
    command.set_defaults(run=size)
    command.add_argument("--vocabulary", type=int, required=True)
    command.add_argument("--vector-size", type=int, default=100)
    command.add_argument("--blocks", type=int, default=20)
    command = commands.add_parser("scale")
    command.set_defaults(run=scale)
    command.add_argument(
        "--vocabularies", type=int, nargs=2, default=[20_000, 1_000_000]
    )
    command.add_argument("--vector-sizes", type=int, nargs="+", default=[100])
    command.add_argument("--blocks", type=int, default=20)
    command.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
