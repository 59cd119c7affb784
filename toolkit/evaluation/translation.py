"""How well sentences agree with those that people wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import ConfigError, DataError, unknown

TOKENIZE = ("13a", "intl", "char", "zh", "none")
References = Sequence[str] | Sequence[Sequence[str]]


@dataclass(frozen=True)
class BleuResult:
    """BLEU of a corpus.

    Attributes:
        score: in [0, 100].
        precisions: of runs of 1 to 4 tokens, in percent.
        brevity_penalty: in [0, 1].
        signature: settings and version, to be published beside the score.
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    signature: str


def bleu(
    hypotheses: Sequence[str],
    references: References,
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
) -> BleuResult:
    """Computes BLEU of a whole corpus by sacreBLEU.

    Args:
        hypotheses: what a model wrote.
        references: what people wrote, in the same order; a string each, or a
            list of several.
        tokenize: how sacreBLEU cuts texts: `13a` (as WMT does), `intl`,
            `char`, `zh`, or `none` where blanks part the tokens already.
        lowercase: whether case does not count.

    Raises:
        ConfigError: a `tokenize` that is none.
        DataError: no sentences, numbers that differ, or no reference.

    Example:
    >>> from toolkit.evaluation import bleu
    >>> found = bleu(["the cat sat on a mat"], ["the cat sat on the mat"])
    >>> round(found.score, 2), found.brevity_penalty
    (53.73, 1.0)

    Source: K. Papineni et al.: BLEU: a method for automatic evaluation of
    machine translation (2002); M. Post: A call for clarity in reporting BLEU
    scores (2018).
    """
    from sacrebleu.metrics import BLEU

    if tokenize not in TOKENIZE:
        raise ConfigError(unknown("tokenize", tokenize, TOKENIZE))
    several = _checked(hypotheses, references)
    most = max(map(len, several))
    streams = [
        [some[i] if i < len(some) else None for some in several]
        for i in range(most)
    ]
    # force: no warning where a sentence looks as if it were cut already.
    metric = BLEU(tokenize=tokenize, lowercase=lowercase, force=True)
    found = metric.corpus_score(list(hypotheses), streams)
    return BleuResult(
        score=found.score,
        precisions=tuple(found.precisions),
        brevity_penalty=found.bp,
        signature=str(metric.get_signature()),
    )


def exact_match(hypotheses: Sequence[str], references: References) -> float:
    """Returns the share of sentences that are a reference, in [0, 1].

    Args:
        hypotheses: what a model wrote.
        references: as for `bleu`.

    Raises:
        DataError: no sentences, numbers that differ, or no reference.

    Example:
    >>> from toolkit.evaluation import exact_match
    >>> exact_match(["Va !", "Cours."], [["Va !", "Allez !"], ["Courez."]])
    0.5
    """
    several = _checked(hypotheses, references)
    right = sum(
        text in some for text, some in zip(hypotheses, several, strict=True)
    )
    return right / len(several)


def translation_metrics(
    hypotheses: Sequence[str],
    references: References,
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
) -> dict[str, float | int | str]:
    """Returns BLEU and the share of sentences that are right.

    Args:
        hypotheses: what a model wrote.
        references: as for `bleu`.
        tokenize: as for `bleu`.
        lowercase: as for `bleu`; an exact match keeps to the case.

    Returns:
        `bleu`, in [0, 100]; `exact_match`, in [0, 1]; `sentences`; and
        `bleu_signature`.

    Raises:
        ConfigError: a `tokenize` that is none.
        DataError: no sentences, numbers that differ, or no reference.

    Example:
    >>> from toolkit.evaluation import translation_metrics
    >>> found = translation_metrics(["a b c d", "e"], ["a b c d", "f"])
    >>> round(found["bleu"], 1), found["exact_match"], found["sentences"]
    (94.6, 0.5, 2)
    """
    found = bleu(hypotheses, references, tokenize=tokenize, lowercase=lowercase)
    return {
        "bleu": found.score,
        "exact_match": exact_match(hypotheses, references),
        "sentences": len(hypotheses),
        "bleu_signature": found.signature,
    }


def _checked(
    hypotheses: Sequence[str], references: References
) -> list[tuple[str, ...]]:
    """Returns the references of each sentence.

    Raises:
        DataError: no sentences, numbers that differ, or no reference.
    """
    for name, texts in (
        ("hypotheses", hypotheses), ("references", references),
    ):  # fmt: skip
        if isinstance(texts, str):
            raise DataError(
                f"`{name}` must be several texts, such as a list. Received: "
                f"{texts[:40]!r}."
            )
    if len(hypotheses) != len(references):
        raise DataError(
            f"There are {len(hypotheses)} hypotheses and {len(references)} "
            "references; each sentence needs its own."
        )
    if not len(hypotheses):
        raise DataError("There are no sentences to compare.")
    several = [
        (some,) if isinstance(some, str) else tuple(some) for some in references
    ]
    for number, some in enumerate(several):
        if not some:
            raise DataError(f"Sentence {number} has no reference.")
    return several
