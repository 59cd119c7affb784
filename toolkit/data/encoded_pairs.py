"""Pairs of sentences as numbers, one behind the other in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.errors import DataError
from toolkit.text.token_table import END, START
from toolkit.text.token_vocabularies import Tokenizer
from toolkit.whole_numbers import check_whole


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs as numbers; pair `i` is the slice from `starts[i]` on.

    Attributes:
        source: int32, all sources in a row, each with its end if it has one.
        source_starts: int64 `(pairs,)`.
        source_lengths: int64 `(pairs,)`.
        target: int32, all targets in a row, each as `<s> ... </s>`.
        target_starts: int64 `(pairs,)`.
        target_lengths: int64 `(pairs,)`, steps of the decoder: one less than
            the tokens, since start is only read and end only written.
        dropped: how many pairs were longer than `max_length`.
        max_length: as given; 0 for any length.
    """

    source: np.ndarray
    source_starts: np.ndarray
    source_lengths: np.ndarray
    target: np.ndarray
    target_starts: np.ndarray
    target_lengths: np.ndarray
    dropped: int = 0
    max_length: int = 0

    def __len__(self) -> int:
        return len(self.source_lengths)


def encode_pairs(
    pairs: Sequence[tuple[str, str]],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    *,
    max_length: int = 0,
    end_source: bool = True,
    reverse_source: bool = False,
) -> EncodedPairs:
    """Encodes pairs for an encoder-decoder.

    Args:
        pairs: of source and target, such as `PairData.train`.
        source_tokenizer: one of `toolkit.text`.
        target_tokenizer: another, or the same.
        max_length: tokens of either side at most, without start and end;
            longer pairs are dropped and counted. 0 for any length.
        end_source: whether an end follows the source.
        reverse_source: whether the source is read from its last token to its
            first (the end stays at the end).

    Raises:
        ConfigError: a `max_length` below 0.
        DataError: no pairs, all of them too long, or a source without tokens
            that gets no end either.

    Example:
    >>> from toolkit.data import encode_pairs
    >>> from toolkit.text import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer("abc")
    >>> encoded = encode_pairs([("abc", "ca"), ("b", "abca")], tokenizer,
    ...     tokenizer, max_length=3, reverse_source=True)
    >>> encoded.source.tolist(), encoded.target.tolist(), encoded.dropped
    ([6, 5, 4, 2], [1, 6, 4, 2], 1)

    Source of the reversal: I. Sutskever, O. Vinyals, Q. Le: Sequence to
    sequence learning with neural networks (2014), section 3.3.
    """
    check_whole("max_length", max_length, 0)
    if not len(pairs):
        raise DataError("There are no pairs to encode.")
    tail = np.array([END] if end_source else [], np.int32)
    around = np.array([START], np.int32), np.array([END], np.int32)
    sources, targets, lengths = [], [], []
    for source, target in pairs:
        first = source_tokenizer.encode(source)
        second = target_tokenizer.encode(target)
        lengths.append(max(len(first), len(second)))
        if max_length and lengths[-1] > max_length:
            continue
        if not len(first) and not end_source:
            raise DataError(
                f"The source {source!r} has no tokens; leave it out, or give "
                "end_source=True."
            )
        first = first[::-1] if reverse_source else first
        sources.append(np.concatenate([first, tail]))
        targets.append(np.concatenate([around[0], second, around[1]]))
    if not sources:
        raise DataError(
            f"All {len(pairs)} pairs are longer than max_length={max_length}; "
            f"the shortest has {min(lengths)} tokens."
        )
    return EncodedPairs(
        *_laid_out(sources),
        *_laid_out(targets, one_less=1),
        dropped=len(pairs) - len(sources),
        max_length=max_length,
    )


def source_rows(
    texts: Sequence[str], tokenizer: Tokenizer, reverse_source: bool = False
) -> np.ndarray:
    """Returns sources as an encoder reads them, without targets.

    Args:
        texts: at least one.
        tokenizer: of the sources.
        reverse_source: as for `encode_pairs`.

    Returns:
        int32 `(texts, time)`, each with its end, then padding.

    Example:
    >>> from toolkit.data import source_rows
    >>> from toolkit.text import CharacterTokenizer
    >>> source_rows(["abc", "b"], CharacterTokenizer("abc"), True).tolist()
    [[6, 5, 4, 2], [5, 2, 0, 0]]
    """
    step = -1 if reverse_source else 1
    found = [np.append(tokenizer.encode(one)[::step], END) for one in texts]
    rows = np.zeros((len(found), max(map(len, found))), np.int32)
    for row, ids in zip(rows, found, strict=True):
        row[: len(ids)] = ids
    return rows


def _laid_out(
    rows: list[np.ndarray], one_less: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns all rows behind one another, their starts and lengths."""
    lengths = np.array([len(row) for row in rows], np.int64)
    return (
        np.concatenate(rows),
        np.cumsum(lengths) - lengths,
        lengths - one_less,
    )
