"""From the description in a model file to a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.errors import DataError, unknown
from toolkit.text.character_tokenizer import CharacterTokenizer
from toolkit.text.subword_tokenizer import SubwordTokenizer
from toolkit.text.word_tokenizer import WordTokenizer

Tokenizer = CharacterTokenizer | SubwordTokenizer | WordTokenizer
TOKENIZERS = {
    one.kind: one
    for one in (CharacterTokenizer, SubwordTokenizer, WordTokenizer)
}


def load_tokenizer(description: Mapping[str, Any]) -> Tokenizer:
    """Returns the tokenizer that its method `describe` described.

    Args:
        description: a dictionary, such as JSON gives it back.

    Raises:
        DataError: no such kind, or a damaged description.

    Example:
    >>> import json
    >>> from toolkit.text import WordTokenizer, load_tokenizer
    >>> text = json.dumps(WordTokenizer.of(["Go!"]).describe())
    >>> load_tokenizer(json.loads(text)).encode("Go!").tolist()
    [5, 4]
    """
    if not isinstance(description, Mapping) or "kind" not in description:
        raise DataError(
            "The description of a tokenizer must be a dictionary with a "
            f'"kind". Received: {description!r:.60}.'
        )
    kind = description["kind"]
    if kind not in TOKENIZERS:
        raise DataError(unknown("kind of tokenizer", kind, TOKENIZERS))
    return TOKENIZERS[kind].from_description(description)
