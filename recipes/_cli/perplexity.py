"""The perplexity of any text, by the language model of a run or a file."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recipes._run.writing import (
    TextVocabulary,
    check_vocabulary,
    spelled,
    vocabulary_of,
)
from toolkit.errors import ConfigError, DataError, ToolkitError
from toolkit.text import CharacterVocabulary

if TYPE_CHECKING:
    from export import runtime


def evaluate(
    path: Path, model: runtime.Model | None, metadata: dict, options
) -> None:
    """Prints how surprised a language model is by a text.

    Args:
        path: a run or a file.
        model: of the file; None of a run.
        metadata: what it says of itself.
        options: `data`, a text file or a folder of them; `html`, a page to
            write; and `json`.

    Raises:
        ConfigError: no text.
        DataError: one that is missing, empty, or of unknown characters.
        ToolkitError: a file that takes whole sequences, or a vocabulary that
            is damaged or that of another model.
    """
    if not options.data:
        raise ConfigError(
            "A language model is measured on any text: give --data FILE. Its "
            "numbers on the test text are in the evaluation.json of its run."
        )
    from toolkit.data.texts import read_text
    from toolkit.evaluation import perplexity_metrics

    text = read_text(options.data)
    vocabulary = vocabulary_of(path, metadata)
    tokens, unknown, unit = _encode(text, vocabulary, metadata, options.data)
    losses_of = (_of_file if model else _of_run)(model or path, vocabulary)
    losses = losses_of(tokens)
    found = {
        "count": len(losses),
        **perplexity_metrics(losses),
        "unknown_share": unknown,
    }
    if options.html:
        _write_page(path, vocabulary, tokens, losses_of, options)
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{options.data}: {len(losses):,} {unit}, perplexity "
        f"{found['perplexity']:.2f} ({found['loss']:.4f} nats each)"
        + (f", {unknown:.1%} not in the vocabulary" if unknown else "")
    )


def _encode(
    text: str, vocabulary: TextVocabulary, metadata: dict, source: str
) -> tuple[np.ndarray, float, str]:
    """Returns a text's tokens, the share that is unknown, and their name."""
    if metadata.get("tokens"):
        from toolkit.data import encode_text

        ends = metadata.get("ends")
        if ends not in ("lines", "paragraphs"):
            raise ToolkitError(
                "The metadata of the language model is damaged: `ends` must "
                f"be lines or paragraphs. Received: {ends!r}. Export or train "
                "it anew."
            )
        tokens, unknown = encode_text(
            text, vocabulary.vocabulary, tokens=metadata["tokens"], ends=ends
        )
        unit = "words"
    else:
        try:
            tokens = vocabulary.encode(text)
        except DataError as error:
            raise DataError(
                f'"{source}": {error} This model has no character for unknown '
                "ones: take them out of the text."
            ) from error
        unknown, unit = 0.0, "characters"
    if len(tokens) < 2:
        raise DataError(f'"{source}" holds fewer than two {unit}.')
    return tokens, unknown, unit


def _of_run(path: Path, vocabulary: TextVocabulary) -> Callable:
    """Returns what gives the losses of a text by the Keras model of a run."""
    from recipes._cli.models import load_model

    model = load_model(path)
    from toolkit.evaluation import token_losses

    check_vocabulary(
        path,
        vocabulary,
        [output.shape for output in model.outputs],
        "Copy the whole run again, or train anew.",
    )
    return functools.partial(token_losses, model)


def _of_file(model: runtime.Model, vocabulary: TextVocabulary) -> Callable:
    """Returns what gives the losses of a text by a file, chunk by chunk."""
    from export import runtime
    from recipes._cli.exported import in_runtime
    from toolkit.evaluation import chunk_losses

    with in_runtime():
        stream = runtime.stream(model)
        found = stream.run(
            np.zeros((stream.batch or 1, stream.steps or 1), np.int32)
        )
    check_vocabulary(
        model.path,
        vocabulary,
        [array.shape for array in found.values()],
        "Export it anew from its run: toolkit export RUN",
    )

    def read(tokens):
        with in_runtime():
            (logits,) = stream.run(tokens).values()
        return logits

    return functools.partial(
        chunk_losses,
        read,
        stream.reset,
        vocabulary=len(vocabulary),
        batch=stream.batch,
        steps=stream.steps,
    )


def _write_page(
    path: Path, vocabulary, tokens: np.ndarray, losses_of: Callable, options
) -> None:
    """Writes the surprise of a text's first tokens, read in one stream."""
    from recipes._report.surprise import SHOWN, write_surprise_page

    first = tokens[: SHOWN + 1]
    write_surprise_page(
        options.html,
        spelled(vocabulary, first),
        losses_of(first, streams=1),
        unit="character"
        if isinstance(vocabulary, CharacterVocabulary)
        else "word",
        text=options.data,
        model=str(path),
        total=len(tokens) - 1,
    )
