"""Many texts through a model that translates; imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import DataError, ToolkitError
from toolkit.text import load_tokenizer
from toolkit.text.token_vocabularies import Tokenizer

BATCH = 64  # sources translated at once


def translate(
    write: Callable[[list[str]], list[str]], sources: Sequence[str]
) -> list[str]:
    """Returns the targets that a model writes, in the order of the sources.

    Args:
        write: returns the targets of a few sources.
        sources: any number of them.
    """
    # Long ones beside long ones: the loop of a batch ends with its longest.
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    written: dict[int, str] = {}
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        found = write([sources[i] for i in some])
        written.update(zip(some, found, strict=True))
    return [written[i] for i in range(len(sources))]


def tokenizers_of(
    path: Path, metadata: Mapping[str, Any]
) -> tuple[Tokenizer, Tokenizer]:
    """Returns the tokenizers of source and target that a run or file holds.

    Args:
        path: the run or file, for messages.
        metadata: what it says of itself.

    Raises:
        ToolkitError: it holds none, or they are damaged.
    """
    text = metadata.get("text")
    if not isinstance(text, dict):
        raise ToolkitError(
            f'"{path}" does not translate: it holds no tokenizers. `toolkit '
            "train seq2seq --export onnx,litert` makes what does."
        )
    try:
        return load_tokenizer(text.get("source")), load_tokenizer(
            text.get("target")
        )
    except DataError as error:
        raise ToolkitError(
            f'The tokenizers of "{path}" are damaged: {error} Copy it again, '
            "or train anew: toolkit train seq2seq"
        ) from error
