"""The perplexity of any text, by the language model of a run."""

from __future__ import annotations

import json
from pathlib import Path

from recipes._cli.models import load_model
from recipes._run.writing import check_vocabulary, vocabulary_of
from toolkit.errors import ConfigError, DataError


def evaluate(path: Path, metadata: dict, options) -> None:
    """Prints how surprised a language model is by a text.

    Args:
        path: a run.
        metadata: what it says of itself.
        options: `data`, a text file or a folder of them, and `json`.

    Raises:
        ConfigError: no text.
        DataError: one that is missing, empty, or of unknown characters.
    """
    if not options.data:
        raise ConfigError(
            "A language model is measured on any text: give --data FILE. Its "
            "numbers on the test text are in the evaluation.json of its run."
        )
    from toolkit.data import encode_text
    from toolkit.data.texts import read_text
    from toolkit.evaluation import perplexity_metrics, token_losses

    text = read_text(options.data)
    vocabulary = vocabulary_of(path, metadata)
    if metadata.get("tokens"):
        tokens, unknown = encode_text(
            text,
            vocabulary.vocabulary,
            tokens=metadata["tokens"],
            ends=metadata["ends"],
        )
        unit = "words"
    else:
        tokens, unknown, unit = vocabulary.encode(text), 0.0, "characters"
    if len(tokens) < 2:
        raise DataError(f'"{options.data}" holds fewer than two {unit}.')
    model = load_model(path)
    check_vocabulary(
        path,
        vocabulary,
        [output.shape for output in model.outputs],
        "Copy the whole run again, or train anew.",
    )
    losses = token_losses(model, tokens)
    found = {
        "count": len(losses),
        **perplexity_metrics(losses),
        "unknown_share": unknown,
    }
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{options.data}: {len(losses):,} {unit}, perplexity "
        f"{found['perplexity']:.2f} ({found['loss']:.4f} nats each)"
        + (f", {unknown:.1%} not in the vocabulary" if unknown else "")
    )
