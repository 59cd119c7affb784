"""Exported files that translate; imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from export import runtime
from toolkit._backend import silence
from toolkit.data.encoded_pairs import source_rows
from toolkit.errors import DataError, ToolkitError
from toolkit.text import UNKNOWN, load_tokenizer


class Translator:
    """An exported encoder-decoder with its search.

    Args:
        path: the file.

    Raises:
        ToolkitError: it is missing or damaged, or does not translate.
    """

    def __init__(self, path: Path):
        try:
            with silence():  # delegates greet
                self.model = runtime.load(path)
        except runtime.ModelError as error:
            raise ToolkitError(str(error)) from error
        text = self.model.metadata.get("text")
        if not text or "tokens" not in self.model.outputs:
            raise ToolkitError(
                f'"{path}" does not translate: it holds no tokenizers and no '
                "search. `toolkit train seq2seq --export onnx,litert` writes "
                "such a file."
            )
        try:
            self.target = load_tokenizer(text["target"])
            self.source = load_tokenizer(text["source"])
        except (DataError, KeyError, TypeError) as error:
            raise ToolkitError(
                f'The tokenizers of "{path}" are damaged: {error} Copy it '
                "again, or export it anew."
            ) from error
        self.reversed = bool(text.get("reverse_source"))

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Returns the targets of some sources.

        Raises:
            DataError: a text that is empty, or holds nothing that is known.
        """
        for text in texts:
            if not np.any(self.source.encode(text) != UNKNOWN):
                raise DataError(
                    "A text must hold something that the model knows. "
                    f"Received: {text!r:.80}."
                )
        source = source_rows(texts, self.source, self.reversed)
        try:
            with silence():
                found = self.model.run({"source": source})
        except runtime.InputError as error:
            raise DataError(str(error)) from error
        return [self.target.decode(row) for row in found["tokens"]]
