"""Vocabularies and prompts of language models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import ConfigError, DataError, ToolkitError
from toolkit.text import CharacterVocabulary, RunningText
from toolkit.text.characters import quoted

TextVocabulary = CharacterVocabulary | RunningText


def vocabulary_of(path: Path, metadata: Mapping[str, Any]) -> TextVocabulary:
    """Returns the vocabulary that a run or a file holds.

    Args:
        path: the run or file, for messages.
        metadata: what it says of itself: `vocabulary`, characters; or words,
            where it says what `tokens` they are.

    Raises:
        ToolkitError: it is none.
    """
    tokens, found = metadata.get("tokens"), metadata.get("vocabulary")
    try:
        if not isinstance(found, list):
            raise DataError(f"It must be a list. Received: {found!r:.60}.")
        return (
            RunningText(found, tokens) if tokens else CharacterVocabulary(found)
        )
    except (ConfigError, DataError) as error:
        recipe = "language_model" if tokens else "char_rnn"
        raise ToolkitError(
            f'The vocabulary of "{path}" is damaged: {error} Copy it again, or '
            f"train anew: toolkit train {recipe}"
        ) from error


def encode_prompt(vocabulary: TextVocabulary, prompt: str) -> np.ndarray:
    """Returns the tokens that a text begins with, int32 `(length,)`.

    Args:
        vocabulary: of the model.
        prompt: that of a new line if empty.

    Raises:
        DataError: something in it is not known, or there is no word in it.
    """
    tokens = vocabulary.encode(prompt or vocabulary.beginning)
    if not len(tokens):
        raise DataError(
            "The prompt holds no word to begin with. Received: "
            f"{quoted(prompt)}."
        )
    return tokens


def check_vocabulary(
    path: Path,
    vocabulary: TextVocabulary,
    shapes: list[tuple[int | None, ...]],
    fix: str,
) -> None:
    """Raises unless a model gives a score to each token.

    Args:
        path: the run or file, for messages.
        vocabulary: what is said to be its own.
        shapes: of the model's outputs.
        fix: what to do about it.

    Raises:
        ToolkitError: it gives more or less of them, or something else.
    """
    if len(shapes) != 1 or shapes[0][-1] != len(vocabulary):
        raise ToolkitError(
            f'The vocabulary of "{path}" has {len(vocabulary)} tokens, but '
            f"its model's output has the shape "
            f"{', '.join(str(tuple(shape)) for shape in shapes)}: they are of "
            f"different models. {fix}"
        )


def spelled(vocabulary: TextVocabulary, tokens: np.ndarray) -> list[str]:
    """Returns each token of a text as it is spelled, `<eos>` among them.

    Raises:
        DataError: a number that is none of the vocabulary.
    """
    if isinstance(vocabulary, CharacterVocabulary):
        return list(vocabulary.decode(tokens))
    return vocabulary.vocabulary.decode(tokens)
