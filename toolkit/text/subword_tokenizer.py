"""Pieces of words as the tokens of an encoder-decoder."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from toolkit.errors import ConfigError, DataError, unknown
from toolkit.text.token_table import (
    END,
    PAD,
    SPECIAL,
    START,
    UNKNOWN,
    as_ids,
    check_texts,
    entry,
    sentence,
)
from toolkit.whole_numbers import check_whole

METHODS = ("unigram", "bpe")
THREADS = 2  # the sums of several threads depend on their number
SHORTEST = 10  # bytes; SentencePiece allows no lower limit of a sentence


class SubwordTokenizer:
    """Cuts words into pieces by a model of the `sentencepiece` package.

    The special tokens are 0 `<pad>`, 1 `<s>` (start), 2 `</s>` (end) and 3
    `<unk>`, as in `CharacterTokenizer` and `WordTokenizer`. A text is put
    into Unicode's form NFKC and every run of blanks becomes one.

    Args:
        model: the content of a SentencePiece model file whose special tokens
            have the numbers above.

    Attributes:
        model: as given, bytes.

    Raises:
        DataError: what is no such model.

    Example:
    >>> from toolkit.text import SubwordTokenizer
    >>> texts = ["the cat sat", "the cats sat on the mats"]
    >>> tokenizer = SubwordTokenizer.of(texts, vocabulary_size=20, method="bpe")
    >>> ids = tokenizer.encode("the mat sat")
    >>> tokenizer.tokens(ids)
    ['▁the', '▁', 'm', 'at', '▁s', 'at']
    >>> tokenizer.decode(ids)
    'the mat sat'

    Source: T. Kudo, J. Richardson: SentencePiece (2018); unigram: T. Kudo,
    Subword regularization (2018); bpe: R. Sennrich, B. Haddow, A. Birch:
    Neural machine translation of rare words with subword units (2016).
    """

    kind = "subwords"

    def __init__(self, model: bytes):
        from sentencepiece import SentencePieceProcessor

        self.model = bytes(model)
        try:
            if not self.model:
                raise RuntimeError("it is empty")
            self._processor = SentencePieceProcessor(model_proto=self.model)
        except RuntimeError as error:
            raise DataError(f"No SentencePiece model: {error}.") from error
        numbers = (
            self._processor.pad_id(),
            self._processor.bos_id(),
            self._processor.eos_id(),
            self._processor.unk_id(),
        )
        if numbers != (PAD, START, END, UNKNOWN):
            raise DataError(
                "A SentencePiece model must have pad, start, end and unknown "
                f"as 0, 1, 2 and 3. Received: {numbers}. Train it with "
                "pad_id=0, bos_id=1, eos_id=2 and unk_id=3."
            )

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        *,
        vocabulary_size: int = 8_000,
        method: str = "unigram",
        character_coverage: float = 1.0,
        at_most: bool = False,
    ) -> SubwordTokenizer:
        """Trains a model; the same texts give the same one.

        Args:
            texts: several strings.
            vocabulary_size: tokens, the four special ones counted.
            method: `unigram` or `bpe`.
            character_coverage: share of the texts' characters that are
                known, in (0, 1]; 0.9995 suits texts of thousands of
                different ones.
            at_most: whether texts too short for that many tokens give as many
                as they can, instead of an error.

        Raises:
            ConfigError: a setting out of range, or one string.
            DataError: empty texts, or texts that give no vocabulary of that
                size; names the one they give. With `at_most` only a size too
                small for the single characters.
        """
        from sentencepiece import SentencePieceTrainer

        check_texts(texts)
        check_whole("vocabulary_size", vocabulary_size, len(SPECIAL) + 1)
        if method not in METHODS:
            raise ConfigError(unknown("method", method, METHODS))
        if not 0.0 < character_coverage <= 1.0:
            raise ConfigError(
                "`character_coverage` must be in (0, 1]. Received: "
                f"character_coverage={character_coverage}."
            )
        texts = [text for text in texts if text.strip()]
        if not texts:
            raise DataError("The texts are empty; there is nothing to cut.")
        written = io.BytesIO()
        longest = max(len(text.encode()) for text in texts)
        try:
            SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=written,
                model_type=method,
                vocab_size=vocabulary_size,
                character_coverage=character_coverage,
                hard_vocab_limit=not at_most,
                # Longer ones would be left out without a word.
                max_sentence_length=max(longest + 1, SHORTEST),
                num_threads=THREADS,
                pad_id=PAD,
                bos_id=START,
                eos_id=END,
                unk_id=UNKNOWN,
                pad_piece=SPECIAL[PAD],
                bos_piece=SPECIAL[START],
                eos_piece=SPECIAL[END],
                unk_piece=SPECIAL[UNKNOWN],
                unk_surface=SPECIAL[UNKNOWN],
                minloglevel=2,
            )
        except RuntimeError as error:
            raise DataError(_reason(str(error), vocabulary_size)) from error
        return cls(written.getvalue())

    @classmethod
    def from_description(
        cls, description: Mapping[str, Any]
    ) -> SubwordTokenizer:
        """Returns the tokenizer that `describe` described.

        Raises:
            DataError: a damaged description.
        """
        text = entry(description, "model", str)
        try:
            model = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(
                "The description of a tokenizer is damaged: "
                f'"model" is no base64: {error}.'
            ) from error
        expected = entry(description, "sha256", str)
        found = hashlib.sha256(model).hexdigest()
        if found != expected:
            raise DataError(
                'The description of a tokenizer is damaged: "model" has the '
                f"sha256 {found}, not {expected}."
            )
        return cls(model)

    def describe(self) -> dict[str, Any]:
        """Returns all that makes the tokenizer, fit for JSON.

        `model` is the SentencePiece model file in base64.
        """
        return {
            "kind": self.kind,
            "model": base64.b64encode(self.model).decode(),
            "sha256": hashlib.sha256(self.model).hexdigest(),
        }

    def __len__(self) -> int:
        return self._processor.get_piece_size()

    def encode(self, text: str) -> np.ndarray:
        """Returns the numbers of a text's pieces, int32 `(length,)`.

        No special token is added; a piece with unknown characters is 3.
        """
        return np.array(self._processor.encode(text), np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text up to the first end, without pad and start.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        return self._processor.decode(sentence(ids, len(self)))

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Returns the piece of each number; "▁" stands for a blank.

        Raises:
            DataError: a number that is none of the vocabulary.
        """
        return self._processor.id_to_piece(as_ids(ids, len(self)))

    def unknown(self, text: str) -> int:
        """Returns how many tokens of a text are unknown."""
        return int(np.count_nonzero(self.encode(text) == UNKNOWN))


def _reason(message: str, size: int) -> str:
    """Returns what an error of SentencePiece's training means."""
    most = re.search(r"Vocabulary size too high .* a value <= (\d+)", message)
    if most:
        return (
            f"The texts are too short for vocabulary_size={size}; "
            f"{most[1]} is the largest that they give."
        )
    least = re.search(r"smaller than required_chars\. \d+ vs (\d+)", message)
    if least:
        return (
            f"vocabulary_size={size} does not hold the single characters of "
            f"the texts; give at least {least[1]}, or a lower "
            "character_coverage."
        )
    return f"SentencePiece cannot learn from these texts: {message}"
