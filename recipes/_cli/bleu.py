"""BLEU of a run or a file that translates, on any pairs of texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from recipes._run.translating import tokenizers_of, translate
from toolkit.errors import DataError, ToolkitError

if TYPE_CHECKING:
    from export import runtime

Pairs = list[tuple[str, str]]
Write = Callable[[list[str]], list[str]]


def evaluate(
    path: Path, model: runtime.Model | None, metadata: dict, options
) -> None:
    """Prints how well a model translates pairs of texts.

    Args:
        path: a run or a file.
        model: of the file; None of a run.
        metadata: what it says of itself.
        options: `data`, a file of pairs or another source of them, by default
            the test split of the run; and `json`.

    Raises:
        DataError: pairs that are missing or damaged, or not those that the
            test split was taken from.
        ToolkitError: a model that does not translate, or is damaged.
    """
    from toolkit.evaluation import translation_metrics

    source, target = tokenizers_of(path, metadata)
    pairs, empty = _pairs(path, metadata, options.data)
    sources, references = zip(*pairs, strict=True)
    write, longest = _of_file(model) if model else _of_run(path, metadata)
    metrics = translation_metrics(translate(write, sources), references)
    counts = [(len(source.encode(t)), source.unknown(t)) for t in sources]
    tokens, unknown = map(sum, zip(*counts, strict=True))
    found = {
        "count": metrics.pop("sentences"),
        **metrics,
        # The end is written, too.
        "too_long": sum(len(target.encode(t)) >= longest for t in references),
        "empty_lines": empty,
        "unknown_share": unknown / max(tokens, 1),
    }
    if options.json:
        print(json.dumps(found))
        return
    _show(options.data or f"test split of {metadata['data']}", found, longest)


def _show(source: str, found: dict, longest: int) -> None:
    print(
        f"{source}: {found['count']:,} sentences, BLEU {found['bleu']:.2f}, "
        f"{found['exact_match']:.1%} exact\n  {found['bleu_signature']}"
    )
    for name, count in (
        (f"targets beyond the {longest} tokens that it writes, with the end, "
         "which cannot be exact", found["too_long"]),
        ("empty lines, skipped", found["empty_lines"]),
    ):  # fmt: skip
        if count:
            print(f"  {name}: {count:,}")
    if found["unknown_share"]:
        print(f"  of the source not known: {found['unknown_share']:.1%}")


def _pairs(path: Path, metadata: dict, given: str) -> tuple[Pairs, int]:
    """Returns the pairs to measure on, and how many empty lines there were.

    Of a file they are all pairs, of any other source those of its test split.
    """
    from toolkit.data import load_pairs
    from toolkit.data.pair_files import read_pairs

    about = dict(metadata["text"].get("pairs") or {})
    sha256 = about.pop("sha256", None)
    if given:
        about = {
            "swap": bool(about.get("swap")),
            "distinct": about.get("distinct", "target"),
        }
    elif not sha256:
        raise ToolkitError(
            f'"{path}" does not say which pairs it learned from. Give --data '
            "PAIRS.tsv, a file of source<TAB>target lines."
        )
    if given and Path(given).expanduser().is_file():
        pairs, empty = read_pairs(given)
        return [p[::-1] for p in pairs] if about["swap"] else pairs, empty
    data = load_pairs(given or metadata["data"], **about)
    if not given and data.sha256 != sha256:
        raise DataError(
            f'The pairs of "{data.source}" are not those that "{path}" '
            f"learned from: their sha256 is {data.sha256[:16]}..., and was "
            f"{sha256[:16]}.... Name those to measure on: --data PAIRS.tsv"
        )
    return list(data.test), 0


def _of_file(model: runtime.Model) -> tuple[Write, int]:
    """Returns the function that translates, and its most tokens."""
    from export import runtime
    from recipes._cli.exported import in_runtime

    with in_runtime():
        translator = runtime.Translator(model)

    def write(texts):
        with in_runtime():
            return translator.write(texts)

    return write, model.outputs["tokens"][0][-1]


def _of_run(path: Path, metadata: dict) -> tuple[Write, int]:
    """Returns the same of the Keras model of a run."""
    from recipes._cli.models import load_model

    model = load_model(path)
    from recipes._run.translation import writer

    source, target = tokenizers_of(path, metadata)
    search = model.get_layer("search")
    config = search.model.get_config()
    for side, tokenizer in (("source", source), ("target", target)):
        size = config[f"{side}_vocabulary"]
        if len(tokenizer) != size:
            raise ToolkitError(
                f'The {side} tokenizer of "{path}" has {len(tokenizer)} '
                f"tokens, its model {size}: they are of different runs. Copy "
                "the whole run again, or train anew."
            )
    write = writer(model, source, target, metadata["text"]["reverse_source"])
    return write, search.max_length
