"""Exported files that translate; imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from export import runtime
from toolkit._backend import silence
from toolkit.errors import DataError, ToolkitError
from toolkit.text import END, UNKNOWN, load_tokenizer


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
        rows = [self._encode(text) for text in texts]
        source = np.zeros((len(rows), max(map(len, rows))), np.int32)
        for row, ids in zip(source, rows, strict=True):
            row[: len(ids)] = ids
        try:
            with silence():
                found = self.model.run({"source": source})
        except runtime.InputError as error:
            raise DataError(str(error)) from error
        return [self.target.decode(row) for row in found["tokens"]]

    def _encode(self, text: str) -> np.ndarray:
        ids = self.source.encode(text)
        if not np.any(ids != UNKNOWN):
            raise DataError(
                "A text must hold something that the model knows. Received: "
                f"{text!r:.80}."
            )
        return np.append(ids[::-1] if self.reversed else ids, END)
