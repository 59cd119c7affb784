"""How many analogies word vectors answer: man is to king as woman to what."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.errors import DataError
from toolkit.evaluation.word_tests import (
    check_restriction,
    fold,
    numbered_lines,
    word_groups,
)
from toolkit.text.word_vectors import WordVectors, analogy_scores, check_method

SYNTACTIC = "gram"  # how the names of sections about grammar begin
COSINES = 1 << 25  # held at once: 128 MiB
WINDOW = 5  # words that gensim looks through for an answer

Question = tuple[str, str, str, str]
Sections = Sequence[tuple[str, Sequence[Question]]]


@dataclass(frozen=True)
class SectionResult:
    """How the questions of a section were answered.

    Attributes:
        name: of the section.
        correct: answered with the expected word.
        asked: questions whose words are all known.
        skipped: questions with a word out of the vocabulary.
    """

    name: str
    correct: int
    asked: int
    skipped: int

    @property
    def accuracy(self) -> float:
        """Share of the asked ones in [0, 1]; 0 if none was asked."""
        return self.correct / self.asked if self.asked else 0.0


@dataclass(frozen=True)
class AnalogyResult:
    """How many analogies were answered.

    Attributes:
        sections: in the order of the file.
    """

    sections: tuple[SectionResult, ...]

    @property
    def total(self) -> SectionResult:
        """All sections together."""
        return _sum("total", self.sections)

    @property
    def semantic(self) -> SectionResult:
        """Sections whose names do not begin with `gram`."""
        return _sum("semantic", self._kind(False))

    @property
    def syntactic(self) -> SectionResult:
        """Sections whose names begin with `gram`."""
        return _sum("syntactic", self._kind(True))

    @property
    def accuracy(self) -> float:
        """Share of all questions asked, in [0, 1]."""
        return self.total.accuracy

    def table(self) -> str:
        """Returns the numbers as lines of text."""
        rows = [*self.sections, self.semantic, self.syntactic, self.total]
        width = max(len(row.name) for row in rows)
        lines = [f"{'section':{width}}  correct   asked  skipped  accuracy"]
        for row in rows:
            share = f"{row.accuracy:.1%}" if row.asked else "-"
            lines.append(
                f"{row.name:{width}}  {row.correct:7d}  {row.asked:6d}  "
                f"{row.skipped:7d}  {share:>8}"
            )
        return "\n".join(lines)

    def _kind(self, syntactic: bool) -> list[SectionResult]:
        return [
            section
            for section in self.sections
            if section.name.startswith(SYNTACTIC) == syntactic
        ]


def read_analogies(
    path: str | os.PathLike,
) -> list[tuple[str, list[Question]]]:
    """Reads questions in the format of `questions-words.txt`.

    A line `: name` begins a section; any other holds four words, of which the
    fourth is the answer. Blank lines do not count.

    Returns:
        Pairs of a section's name and its questions.

    Raises:
        DataError: no such file, no question, or a line that does not fit;
            names it.

    Source: code.google.com/archive/p/word2vec, questions-words.txt.
    """
    sections: list[tuple[str, list[Question]]] = []
    for number, line in numbered_lines(path):
        words = line.split()
        if words[0] == ":":
            if len(words) == 1:
                raise DataError(
                    f"{path}, line {number}: the section has no name; write "
                    "`: name`."
                )
            sections.append((" ".join(words[1:]), []))
        elif len(words) != 4:
            raise DataError(
                f"{path}, line {number}: must be four words, or `: name` of a "
                f"section. Received {len(words)} words: {line.strip()!r}."
            )
        elif not sections:
            raise DataError(
                f"{path}, line {number}: stands before the first section; "
                "begin the file with a line `: name`."
            )
        else:
            sections[-1][1].append(tuple(words))
    if not any(questions for _, questions in sections):
        raise DataError(f"{path}: there is no question in it.")
    return sections


def evaluate_analogies(
    word_vectors: WordVectors,
    questions: Sections,
    *,
    method: str = "3cosadd",
    restrict_vocabulary: int | None = 300_000,
    case_insensitive: bool = True,
) -> AnalogyResult:
    """Asks word vectors analogies and counts the right answers.

    The answer to `a b c` is the word with the highest score of
    `WordVectors.analogy(a, b, c)`. The rules are those of gensim's
    `evaluate_word_analogies`: of several spellings of a word the first, which
    is the most frequent, is asked about; none of a question's words is an
    answer in any spelling, and if five of them score higher than any other
    word, the question is answered wrongly; a question with an unknown word is
    skipped.

    Args:
        word_vectors: in the order of frequency.
        questions: of `read_analogies`, or pairs like those.
        method: `3cosadd` or `3cosmul`.
        restrict_vocabulary: how many words are known, the first ones; None
            for all. They are the possible answers too (3CosMul in gensim
            scores all words).
        case_insensitive: whether `Paris` and `paris` are one word.

    Raises:
        ConfigError: a `method` or a `restrict_vocabulary` that is none.

    Example:
    >>> from toolkit.evaluation import evaluate_analogies
    >>> from toolkit.text import Vocabulary, WordVectors
    >>> words = Vocabulary(["king", "queen", "man", "woman", "tree"])
    >>> points = [[2, 1, 0], [2, -1, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]]
    >>> found = evaluate_analogies(
    ...     WordVectors(words, points),
    ...     [("family", [("Man", "King", "Woman", "Queen"),
    ...                  ("man", "king", "boy", "prince")])])
    >>> print(found.table())
    section    correct   asked  skipped  accuracy
    family           1       1        1    100.0%
    semantic         1       1        1    100.0%
    syntactic        0       0        0         -
    total            1       1        1    100.0%

    Source: as of `WordVectors.analogy`.
    """
    check_method(method)
    check_restriction(restrict_vocabulary)
    folded = [
        (section, tuple(fold(word, case_insensitive) for word in question))
        for section, (_, some) in enumerate(questions)
        for question in some
    ]
    groups = word_groups(
        word_vectors.vocabulary.words[:restrict_vocabulary],
        {word for _, question in folded for word in question},
        case_insensitive,
    )
    known = [
        (section, [groups[word] for word in question])
        for section, question in folded
        if all(groups[word] for word in question)
    ]
    correct, asked = np.zeros((2, len(questions)), int)
    units = word_vectors.normalized[:restrict_vocabulary]
    zeros = word_vectors.zeros[word_vectors.zeros < len(units)]
    for block in _blocks(known, max(3, COSINES // len(units))):
        numbers = sorted({g[0] for _, four in block for g in four[:3]})
        row = {number: place for place, number in enumerate(numbers)}
        cosines = units[numbers] @ units.T
        for section, (first, second, third, expected) in block:
            scores = analogy_scores(
                *(cosines[row[g[0]]] for g in (first, second, third)), method
            )
            scores[zeros] = -np.inf
            answer = _answer(scores, (first, second, third))
            correct[section] += answer in expected
            asked[section] += 1
    return AnalogyResult(
        tuple(
            SectionResult(
                name, int(correct[i]), int(asked[i]), len(some) - int(asked[i])
            )
            for i, (name, some) in enumerate(questions)
        )
    )


def _answer(scores: np.ndarray, groups: Sequence[list[int]]) -> int | None:
    """Returns the number of the word that is the answer; writes in `scores`.

    Args:
        scores: `(words,)`.
        groups: numbers of all spellings of each of the three words.
    """
    asked = {group[0] for group in groups}
    others = list({n for group in groups for n in group} - asked)
    found = scores[others]
    scores[list(asked)] = scores[others] = -np.inf
    best = int(scores.argmax())
    if len(others) < WINDOW and scores[best] > -np.inf:
        return best
    # Other spellings of the three words may fill gensim's window.
    ranked = np.argsort(-found, kind="stable")[:WINDOW]
    if not len(ranked):
        return None
    last = ranked[-1]
    full = len(ranked) == WINDOW and found[last] > scores[best]
    return others[last] if full or scores[best] == -np.inf else best


def _blocks(known: list, most: int) -> Iterator[list]:
    """Yields questions in blocks that ask about at most so many words."""
    block, words = [], set()
    for one in known:
        more = {group[0] for group in one[1][:3]}
        if len(words | more) > most:
            yield block
            block, words = [], set()
        block.append(one)
        words |= more
    if block:
        yield block


def _sum(name: str, sections: Sequence[SectionResult]) -> SectionResult:
    return SectionResult(
        name,
        sum(section.correct for section in sections),
        sum(section.asked for section in sections),
        sum(section.skipped for section in sections),
    )
