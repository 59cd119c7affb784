"""Language models that write: one step after another, from any source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import ConfigError, DataError, ToolkitError
from toolkit.text import CharacterVocabulary, RunningText, generate

TextVocabulary = CharacterVocabulary | RunningText


class Writer:
    """Writes text with a model that keeps its state from step to step.

    Args:
        step: takes tokens, int32 `(n,)`; returns the logits after the last.
        begin: lets the model begin anew.
        vocabulary: of the model.
    """

    def __init__(
        self,
        step: Callable[[np.ndarray], np.ndarray],
        begin: Callable[[], Any],
        vocabulary: TextVocabulary,
    ):
        self.step = step
        self.begin = begin
        self.vocabulary = vocabulary

    def write(self, prompt: str, length: int, **settings: Any) -> Iterator[str]:
        """Yields pieces of text that go on from a prompt, read anew.

        Args:
            prompt: what the text begins with; a new line if empty.
            length: characters or words to write.
            settings: as for `toolkit.text.generate`.

        Raises:
            DataError: something of the prompt that is not known.
            ConfigError: a setting out of range.
        """
        self.begin()
        start = self.vocabulary.encode(prompt or self.vocabulary.beginning)
        tokens = generate(self.step, start, length, **settings)
        return (self.vocabulary.decode([token]) for token in tokens)


def writer_of_file(path: Path) -> Writer:
    """Returns the writer of an exported language model; no TensorFlow.

    Args:
        path: a file with a signature of chunks. That of whole sequences would
            have to read the text anew for every character.

    Raises:
        ToolkitError: the file is missing, damaged, or no language model, or
            its vocabulary is that of another.
    """
    from export import runtime
    from toolkit._backend import silence

    try:
        with silence():  # delegates greet
            stream = runtime.stream(path)
    except runtime.ModelError as error:
        raise ToolkitError(str(error)) from error
    metadata = stream.model.metadata
    if not metadata.get("vocabulary") or len(stream.inputs) != 1:
        raise ToolkitError(
            f'"{path}" is no language model: it holds no vocabulary. '
            "`toolkit train char_rnn --export onnx,litert` writes one."
        )

    vocabulary = vocabulary_of(path, metadata)
    if stream.steps not in (None, 1):
        raise ToolkitError(
            f'"{path}" reads {stream.steps} tokens at a time, and a text '
            "is written one by one. Export it with --chunk 1, or an open one."
        )
    try:
        with silence():  # the first call greets, too
            found = stream.run(np.zeros((1, 1), np.int32))
    except runtime.InputError as error:
        raise ToolkitError(
            f'"{path}" cannot write a text: {error} Export it anew, without '
            "--batch."
        ) from error
    check_vocabulary(
        path,
        vocabulary,
        [array.shape for array in found.values()],
        "Export it anew from its run: toolkit export RUN",
    )

    def step(tokens):
        # A file for chunks of one step reads a prompt step by step.
        size = stream.steps or len(tokens)
        for start in range(0, len(tokens), size):
            found = stream.run(tokens[None, start : start + size])
        (logits,) = found.values()
        return logits[0, -1]

    return Writer(step, stream.reset, vocabulary)


def vocabulary_of(path: Path, metadata: Mapping[str, Any]) -> TextVocabulary:
    """Returns the vocabulary that a run or a file holds.

    Args:
        path: the run or file, for messages.
        metadata: what it says of itself: `vocabulary`, characters; or words,
            where it says what `tokens` they are.

    Raises:
        ToolkitError: it is none.
    """
    try:
        if metadata.get("tokens"):
            return RunningText(metadata["vocabulary"], metadata["tokens"])
        return CharacterVocabulary(metadata["vocabulary"])
    except (ConfigError, DataError, TypeError) as error:  # a number, say
        raise ToolkitError(
            f'The vocabulary of "{path}" is damaged: {error} Copy it again, or '
            "train anew: toolkit train char_rnn"
        ) from error


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
