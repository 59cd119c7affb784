"""Word vectors held against questions; imports no TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

from recipes._run.word_files import VECTORS, VOCABULARY
from toolkit.errors import ConfigError, DataError

SUFFIXES = (".bin", ".txt", ".vec", ".bin.gz", ".txt.gz", ".vec.gz")
METHODS = ("3cosadd", "3cosmul")
EXPORTED = (".onnx", ".tflite")


def add_arguments(parser) -> None:
    """Adds what word vectors are asked."""
    group = parser.add_argument_group("Word vectors")
    group.add_argument(
        "--analogies",
        nargs="+",
        default=[],
        metavar="FILE",
        help="questions in the format of questions-words.txt",
    )
    group.add_argument(
        "--similarity",
        nargs="+",
        default=[],
        metavar="FILE",
        help="lines of two words and a number",
    )
    group.add_argument(
        "--relation",
        default="",
        metavar="A:B",
        help="two words, such as france:paris; shows what B is to A of others",
    )
    group.add_argument(
        "--for",
        dest="others",
        default="",
        metavar="WORDS",
        help="those others, with commas, such as italy,japan",
    )
    group.add_argument(
        "--method",
        default=METHODS[0],
        choices=METHODS,
        help="how an analogy is answered",
    )


def is_meant(path: Path, options) -> bool:
    """Returns whether a command is about word vectors."""
    return (
        bool(options.analogies or options.similarity or options.relation)
        or bool(options.others)
        or (path / VECTORS).is_file()
        or (path.is_file() and path.name.endswith(SUFFIXES))
    )


def evaluate(path: Path, options) -> None:
    """Prints what word vectors answer.

    Args:
        path: a run or a file of vectors.
        options: with what `add_arguments` adds, and `json`. Without a
            question, the nearest words of the recipe's queries are printed.

    Raises:
        ConfigError: half a question, or none of the queries' words is known.
        DataError: a file that is missing or malformed, an unknown word.
    """
    if bool(options.relation) != bool(options.others):
        raise ConfigError(
            "--relation and --for go together, such as --relation "
            "france:paris --for italy,japan. Received: --relation "
            f'"{options.relation}" --for "{options.others}".'
        )
    if options.data:
        raise ConfigError(
            "--data is for models of images. Received: --data "
            f'"{options.data}". Leave it out.'
        )
    from toolkit import evaluation

    # Questions first: a malformed file is found before the vectors are read.
    questions = {f: evaluation.read_analogies(f) for f in options.analogies}
    pairs = {f: evaluation.read_word_pairs(f) for f in options.similarity}
    vectors = load(path)
    report: dict[str, dict] = {}
    lines = [f"{len(vectors):,} words, {vectors.size} numbers each"]
    for file, sections in questions.items():
        found = evaluation.evaluate_analogies(
            vectors, sections, method=options.method
        )
        report[file] = {
            "accuracy": found.accuracy,
            "correct": found.total.correct,
            "asked": found.total.asked,
            "skipped": found.total.skipped,
            "sections": {
                section.name: {
                    "correct": section.correct,
                    "asked": section.asked,
                    "skipped": section.skipped,
                }
                for section in found.sections
            },
        }
        lines += ["", f"{file}, {options.method}", found.table()]
    for file, values in pairs.items():
        try:
            alike = evaluation.word_similarity(vectors, values)
        except DataError as error:
            raise DataError(f"{file}: {error}") from error
        report[file] = {
            "spearman": alike.spearman,
            "pearson": alike.pearson,
            "pairs": alike.pairs,
            "unknown_share": alike.unknown_share,
        }
        lines += [
            "",
            f"{file}: Spearman {alike.spearman:.4f}, Pearson "
            f"{alike.pearson:.4f}, {alike.pairs} pairs, "
            f"{alike.unknown_share:.1%} with unknown words",
        ]
    if options.relation:
        others = [word.strip() for word in options.others.split(",")]
        others = [word for word in others if word]
        table = evaluation.relation_table(
            vectors, options.relation, others, method=options.method
        )
        report["relation"] = {word: dict(found) for word, found in table.rows}
        lines += ["", table.table()]
    if not report:
        report["queries"], more = _queries(vectors)
        lines += more
    print(json.dumps(report) if options.json else "\n".join(lines))


def _queries(vectors) -> tuple[dict, list[str]]:
    """Returns the answers to the recipe's queries, and lines on them."""
    from recipes._run.words import NEAREST, ask, queries

    known = [query for query in ask(vectors, queries()) if query.found]
    if not known:
        raise ConfigError(
            "The vectors know none of the words that the recipe asks for. "
            "Give --analogies FILE, --similarity FILE, or --relation "
            "france:paris --for italy,japan."
        )
    right = sum(query.right for query in known)
    lines = [
        f"{'+' if query.right else '-'} {query.word:<14}{' '.join(query.found)}"
        for query in known
    ]
    lines.append(
        f"an expected word among the {NEAREST} nearest: {right} of {len(known)}"
    )
    return {query.word: list(query.found) for query in known}, lines


def load(path: Path):
    """Returns the word vectors of a run or a file.

    Args:
        path: a run directory, or a file in word2vec's text or binary format.

    Raises:
        DataError: there are none, or they are damaged.
    """
    from toolkit.text import read_word2vec

    if path.is_dir():
        if not (path / VECTORS).is_file():
            raise DataError(
                f'"{path}" holds no word vectors ({VECTORS}): it is no '
                "finished run of word2vec. Train one: toolkit train word2vec"
            )
        return read_word2vec(path / VECTORS, vocabulary_path=path / VOCABULARY)
    if path.suffix in EXPORTED:
        raise DataError(
            f'"{path}" is an exported file, whose vectors are inside its '
            "graph. Take the run that it is of, or its vectors.bin; the file "
            "itself answers `toolkit predict FILE --neighbours WORD`."
        )
    return read_word2vec(path)
