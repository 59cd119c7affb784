"""From text to words, a block at a time and no Python per word."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable

import numpy as np

from toolkit.errors import ConfigError, unknown

TOKENS = ("words", "whitespace", "text8")
OTHER, LETTER, JOINER, LAYOUT = range(4)  # kinds of characters
JOINERS = "'-\u200c\u200d"  # the last two join letters of Persian and Hindi
SPELLED = {"\u2019": "'", "\u2010": "-", "\u2011": "-", "\u00ad": ""}
KINDS = 0x40000  # no letters lie behind; the last of them is no character
DIGITS = "zero one two three four five six seven eight nine".split()
# What `str.split` takes for whitespace and is not ASCII.
SPACES = "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def tokenizer(
    tokens: str = "words", mark: str = ""
) -> Callable[[str], list[str]]:
    """Returns the function that makes a list of words of a text.

    Args:
        tokens: one of `TOKENS`:

            - `words`: lower case; runs of letters, digits and combining marks
              of any script. An apostrophe, a hyphen or a zero-width joiner
              belongs to the word if a letter or digit stands on either side
              of it ("don't", "well-known", "2-3"); anything else separates:
              "3.14" and "snake_case" are two words each. Curly apostrophes
              and Unicode's hyphens become ' and -, soft hyphens vanish. A
              script without spaces, such as Chinese, needs to be segmented
              first: a run of it is one word. Nothing is composed: give NFC.
            - `whitespace`: `str.split`, as is.
            - `text8`: the last step of Matt Mahoney's preparation of text8:
              A-Z become a-z, digits are spelled out ("42" is "four two"),
              whatever is not a-z separates, letters with accents too. Markup
              must be gone already.
        mark: a word that stays as it is, such as `<unk>` in a text that was
            prepared.

    Raises:
        ConfigError: no such name.

    Example:
    >>> from toolkit.text import tokenizer
    >>> tokenizer("words")("Don't stop: 'Well-known' words -- 42!")
    ["don't", 'stop', 'well-known', 'words', '42']
    >>> tokenizer("text8")("Don't stop: 42!")
    ['don', 't', 'stop', 'four', 'two']

    Source: wikifil.pl in M. Mahoney, About the Test Data,
        https://mattmahoney.net/dc/textdata.html
    """
    separate = separator(tokens, mark)
    if tokens == "whitespace":
        return str.split
    return lambda text: (
        separate(text).replace(b"\0", b" ").decode("utf-8").split()
    )


def separator(tokens: str = "words", mark: str = "") -> Callable[[str], bytes]:
    """Returns the function that leaves words and whitespace of a text.

    Its result is UTF-8 in which only ASCII whitespace separates words. New
    lines stay, and so do NUL characters, for a caller who marks the ends of
    sentences or documents by them. A text may be given in blocks that are
    cut at whitespace: the result is the same.

    Args:
        tokens: as for `tokenizer`.
        mark: as for `tokenizer`.

    Raises:
        ConfigError: no such name.

    Example:
    >>> from toolkit.text.tokens import separator
    >>> separator("words")("Yes, Sir.").split()
    [b'yes', b'sir']
    """
    if tokens not in TOKENS:
        raise ConfigError(unknown("tokens", tokens, TOKENS))
    if tokens == "whitespace":
        return _whitespace
    separate = {"words": _words, "text8": _text8}[tokens]
    if not mark:
        return separate
    kept = f" {mark} ".encode()
    return lambda text: kept.join(map(separate, text.split(mark)))


def _words(text: str) -> bytes:
    text = text.lower()
    ascii_only = text.isascii()
    if not ascii_only:
        for character, plain in SPELLED.items():
            text = text.replace(character, plain)
    codec, kind = ("ascii", np.uint8) if ascii_only else ("utf-32-le", "<u4")
    points = np.frombuffer(text.encode(codec, "surrogatepass"), kind)
    kinds = np.take(_kinds(), points, mode="clip")
    letters = kinds == LETTER
    kept = letters | (kinds == LAYOUT)
    kept[1:-1] |= (kinds == JOINER)[1:-1] & letters[:-2] & letters[2:]
    separated = np.where(kept, points, points.dtype.type(ord(" "))).tobytes()
    return separated if ascii_only else separated.decode(codec).encode("utf-8")


@functools.cache
def _kinds() -> np.ndarray:
    """Returns the kinds of all characters, uint8 `(KINDS,)`; takes 30 ms."""
    kinds = np.fromiter(
        (
            LETTER if unicodedata.category(chr(point))[0] in "LMN" else OTHER
            for point in range(KINDS)
        ),
        np.uint8,
        KINDS,
    )
    kinds[[ord(joiner) for joiner in JOINERS]] = JOINER
    kinds[[0, ord("\n")]] = LAYOUT
    return kinds


def _whitespace(text: str) -> bytes:
    if not text.isascii():
        for space in SPACES:
            text = text.replace(space, " ")
    return text.encode("utf-8", "surrogatepass")


def _text8(text: str) -> bytes:
    separated = text.encode("utf-8", "replace").translate(_text8_table())
    for digit, name in enumerate(DIGITS):
        separated = separated.replace(b"%d" % digit, b" %s " % name.encode())
    return separated


@functools.cache
def _text8_table() -> bytes:
    kept = b"abcdefghijklmnopqrstuvwxyz0123456789\n\0"
    table = bytearray(b" " * 256)
    for byte in kept:
        table[byte] = byte
    for upper in range(ord("A"), ord("Z") + 1):
        table[upper] = upper + 32
    return bytes(table)
