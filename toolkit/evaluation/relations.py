"""A relation, shown by what it makes of other words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import ConfigError
from toolkit.text.word_vectors import WordVectors

Answers = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class RelationTable:
    """What is to other words as the second of a pair is to the first.

    Attributes:
        relation: the pair, such as `("france", "paris")`.
        rows: pairs of a word and its answers, which are pairs of a word and
            its score, the best first.
    """

    relation: tuple[str, str]
    rows: tuple[tuple[str, Answers], ...]

    def table(self) -> str:
        """Returns one line for each word, the answers in columns."""
        cells = [
            [word, *(f"{answer} {score:.2f}" for answer, score in answers)]
            for word, answers in self.rows
        ]
        columns = max(len(row) for row in cells)
        widths = [
            max(len(row[i]) for row in cells if i < len(row))
            for i in range(columns)
        ]
        lines = [
            "   ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=False))
            for row in cells
        ]
        head = f"{self.relation[0]} : {self.relation[1]}"
        return "\n".join(line.rstrip() for line in [head, *lines])


def relation_table(
    word_vectors: WordVectors,
    relation: str,
    words: Sequence[str],
    k: int = 3,
    method: str = "3cosadd",
) -> RelationTable:
    """Carries the relation of two words over to others.

    Args:
        word_vectors: where the words are.
        relation: two words, such as `france:paris`.
        words: others like the first, such as `["italy", "japan"]`.
        k: how many answers for each.
        method: see `WordVectors.analogy`.

    Raises:
        DataError: a word that is unknown.
        ConfigError: a relation that is not two words, no words, or a `k` or a
            `method` that is none.

    Example:
    >>> from toolkit.evaluation import relation_table
    >>> from toolkit.text import Vocabulary, WordVectors
    >>> words = Vocabulary(["france", "paris", "italy", "rome", "bread"])
    >>> points = [[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]]
    >>> vectors = WordVectors(words, points)
    >>> print(relation_table(vectors, "france:paris", ["italy"], 2).table())
    france : paris
    italy   rome 0.96   bread 0.65

    Source: Mikolov, Chen, Corrado, Dean: Efficient estimation of word
    representations in vector space (2013), table 8.
    """
    pair = tuple(part.strip() for part in relation.split(":"))
    if len(pair) != 2 or not all(pair):
        raise ConfigError(
            "A relation is two words, such as france:paris. Received: "
            f"{relation!r}."
        )
    if isinstance(words, str) or not len(words):
        raise ConfigError(
            '`words` must be a list of at least one word, such as ["italy"]. '
            f"Received: {words!r}."
        )
    return RelationTable(
        pair,
        tuple(
            (word, tuple(word_vectors.analogy(*pair, word, k, method)))
            for word in words
        ),
    )
