"""What a run found out about words: neighbours, maps and relations."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup

from recipes._report import word_explorer
from recipes._report.figures import noting_glyphs, svg
from recipes._report.files import MOST_WORDS, RunFiles
from recipes._report.section import Part, Section
from toolkit import plots
from toolkit.errors import DataError
from toolkit.evaluation import relation_table
from toolkit.text import WordVectors

RELATIONS = "relations.txt"
MAPPED = 72  # words of the static map; more are hard to read
LONGEST = 20  # characters of a word on a static map
FEWEST = 4  # pairs of a family that show a relation

Pairs = list[tuple[str, str]]


def section(run: RunFiles) -> Section | None:
    """The fixed queries, maps, a relation, and a map to search."""
    if run.vectors is None:
        return None
    vectors = run.vectors
    queries = (run.evaluation or {}).get("queries", [])
    family = best_family(vectors)
    parts = [
        *_queries(queries),
        word_explorer.part(vectors, _named(vectors, queries, family)),
        *_map(vectors, queries),
        *_relation(vectors, family),
    ]
    asked = f"all {len(vectors):,} words"
    if len(vectors) == MOST_WORDS:
        asked = f"the {MOST_WORDS:,} most frequent words"
    return Section(
        id="words",
        title="Words",
        text=f"Each word is {vectors.size} numbers, learned from the words "
        "around it. Two words are near each other if the cosine between their "
        f"vectors is high; this page looks among {asked}.",
        parts=parts,
        style=word_explorer.asset("words.css"),
        script=Markup("\n").join(
            map(word_explorer.asset, ("word_map.js", "words.js"))
        ),
    )


def best_family(vectors: WordVectors) -> tuple[str, Pairs]:
    """Returns the family of relations with the most pairs that are known.

    Returns:
        Its name and the known pairs; of equally good families the first.
    """
    text = resources.files("recipes._report").joinpath(RELATIONS)
    families = []
    for line in text.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, pairs = line.partition(": ")
            split = (tuple(pair.split(":")) for pair in pairs.split())
            known = [p for p in split if p[0] in vectors and p[1] in vectors]
            families.append((name, known))
    return max(families, key=lambda family: len(family[1]))


def chosen(
    vectors: WordVectors, queries: Sequence[dict[str, Any]]
) -> dict[str, str]:
    """Returns words for the map, each with the query that it belongs to.

    Each query gives, in turns, itself, the expected words that it found, the
    others that it found and the other expected ones, until there are enough.
    """
    lines = []
    for query in queries:
        if query["word"] in vectors:
            expected, found = query["expected"], query["found"]
            line = [
                query["word"],
                *(word for word in found if word in expected),
                *(word for word in found if word not in expected),
                *expected,
            ]
            lines.append(
                [w for w in line if w in vectors and len(w) <= LONGEST]
            )
    words: dict[str, str] = {}
    for turn in range(max(map(len, lines), default=0)):
        for line in lines:
            if turn < len(line) and len(words) < MAPPED:
                words.setdefault(line[turn], line[0])
    return words


def _queries(queries: Sequence[dict[str, Any]]) -> list[Part]:
    """The table of the fixed queries."""
    if not queries:
        return []
    known = [query for query in queries if query["found"]]
    right = sum(
        bool(set(query["found"]) & set(query["expected"])) for query in known
    )
    text = (
        f"An expected word is among the nearest in {right} of {len(known)} "
        "queries; such words are marked."
    )
    if not any(query["expected"] for query in queries):
        return [
            Part(
                title="Nearest words",
                head=("word", "nearest, nearest first"),
                rows=[
                    (
                        Markup("<strong>{}</strong>").format(query["word"]),
                        ", ".join(query["found"]),
                    )
                    for query in known
                ],
                words=True,
                text="Of frequent words of the corpus.",
            )
        ]
    if len(known) < len(queries):
        missing = ", ".join(q["word"] for q in queries if not q["found"])
        text += f" Words that the corpus lacks do not count: {missing}."
    return [
        Part(
            title="Nearest words",
            head=("word", "nearest, nearest first", "expected", "right"),
            rows=[
                (
                    Markup("<strong>{}</strong>").format(query["word"]),
                    _marked(query["found"], query["expected"]),
                    ", ".join(query["expected"]),
                    _answer(set(query["found"]) & set(query["expected"])),
                )
                for query in known
            ],
            words=True,
            text=text,
        )
    ]


def _map(vectors: WordVectors, queries: Sequence[dict[str, Any]]) -> list[Part]:
    """The words of the queries in a plane."""
    groups = chosen(vectors, queries)
    if len(groups) < 2:
        return []
    figures, text = _figure(
        vectors,
        list(groups),
        "words of the queries in the plane of their principal components",
        groups=list(groups.values()),
    )
    return [
        Part(
            title="Map of the queries",
            figures=figures,
            large=True,
            text=text
            or "The words of the queries, their neighbours and what was "
            "expected, a colour and mark for each query; the vectors at "
            "length 1, along their two principal components.",
        )
    ]


def _relation(vectors: WordVectors, family: tuple[str, Pairs]) -> list[Part]:
    """Arrows between the words of pairs, and what they make of others."""
    name, pairs = family
    if len(pairs) < FEWEST:
        return []
    words = list(dict.fromkeys(word for pair in pairs for word in pair))
    figures, text = _figure(
        vectors,
        words,
        f"arrows from {name}, in the plane of the principal components",
        arrows=pairs,
    )
    relation, expected = pairs[0], dict(pairs[1:])
    table = relation_table(vectors, ":".join(relation), list(expected))
    answers = [(w, [a for a, _ in row], row) for w, row in table.rows]
    first = sum(found[:1] == [expected[word]] for word, found, _ in answers)
    among = sum(expected[word] in found for word, found, _ in answers)
    text = text or (
        "Arrows that point the same way are a relation that the vectors "
        "hold. Of the families of pairs that came with the toolkit, this is "
        "the one of which the corpus knows the most."
    )
    return [
        Part(title=f"From {name}", figures=figures, narrow=True, text=text),
        Part(
            head=(
                "word",
                f"what is to it as {relation[1]} is to {relation[0]}",
                "expected",
                "right",
            ),
            rows=[
                (
                    Markup("<strong>{}</strong>").format(word),
                    _marked(found, [expected[word]], [s for _, s in row]),
                    expected[word],
                    _answer(expected[word] in found),
                )
                for word, found, row in answers
            ],
            words=True,
            text=f"Nearest to v({relation[1]}) - v({relation[0]}) + v(word), "
            "with its cosine; the three words themselves are left out. The "
            f"expected word comes first in {first} of {len(answers)}, and is "
            f"among the three in {among}.",
        ),
    ]


def _named(
    vectors: WordVectors,
    queries: Sequence[dict[str, Any]],
    family: tuple[str, Pairs],
) -> list[str]:
    """The known words of the tables, those that were asked for first."""
    words = [query["word"] for query in queries]
    words += [word for pair in family[1] for word in pair]
    for query in queries:
        words += [*query["expected"], *query["found"]]
    return [word for word in dict.fromkeys(words) if word in vectors]


def _figure(
    vectors: WordVectors, words: list[str], description: str, **options: Any
) -> tuple[list[Markup], str]:
    """Returns a map of some words; or none, and the reason."""
    rows = vectors.vocabulary.encode(words)
    try:
        # The map to search has the browser's fonts.
        with noting_glyphs():
            figure = plots.embedding_map(
                vectors.normalized[rows], words, **options
            )
            return [svg(figure, description)], ""
    except DataError as error:
        return [], f"There is no map: {error}"


def _marked(
    words: Sequence[str],
    expected: Sequence[str],
    scores: Sequence[float] | None = None,
) -> Markup:
    """Returns a list of words, the expected ones marked."""
    scores = [None] * len(words) if scores is None else scores
    return Markup(", ").join(
        Markup("<mark>{}</mark>{}" if word in expected else "{}{}").format(
            word, "" if score is None else f" {score:.2f}"
        )
        for word, score in zip(words, scores, strict=True)
    )


def _answer(right: object) -> str:
    return "yes" if right else "no"
