"""BLEU against a count by hand, and exact matches."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import bleu, exact_match, translation_metrics


def runs(words, length):
    return Counter(
        tuple(words[i : i + length]) for i in range(len(words) - length + 1)
    )


def counted(hypotheses, references):
    """BLEU by its definition, of texts whose tokens are parted by blanks."""
    logs = []
    for length in (1, 2, 3, 4):
        right = total = 0
        for text, some in zip(hypotheses, references, strict=True):
            found = runs(text.split(), length)
            known = Counter()
            for one in some:
                known |= runs(one.split(), length)
            right += sum((found & known).values())
            total += sum(found.values())
        logs.append(math.log(right / total))
    ours = sum(len(text.split()) for text in hypotheses)
    theirs = sum(
        min(
            (len(one.split()) for one in some),
            key=lambda n: (abs(n - len(text.split())), n),
        )
        for text, some in zip(hypotheses, references, strict=True)
    )
    penalty = min(1.0, math.exp(1 - theirs / ours))
    return 100 * penalty * math.exp(sum(logs) / 4), penalty


def sentences(seed):
    rng = np.random.default_rng(seed)
    hypotheses, references = [], []
    for _ in range(60):
        words = [f"w{i}" for i in rng.integers(0, 6, rng.integers(5, 12))]
        some = []
        for _ in range(rng.integers(1, 4)):
            kept = rng.random(len(words)) < 0.9
            some.append(" ".join(itertools.compress(words, kept)) + " w7 w8")
        hypotheses.append(" ".join(words))
        references.append(some)
    return hypotheses, references


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bleu_is_what_its_definition_counts(seed):
    hypotheses, references = sentences(seed)
    found = bleu(hypotheses, references)
    score, penalty = counted(hypotheses, references)
    assert found.score == pytest.approx(score) and 5 < score < 95
    assert found.brevity_penalty == pytest.approx(penalty)
    first = [some[0] for some in references]
    score, penalty = counted(hypotheses, [[one] for one in first])
    found = bleu(hypotheses, first)
    assert found.score == pytest.approx(score)
    assert found.brevity_penalty == pytest.approx(penalty)
    mean = np.log(found.precisions).mean()
    assert found.score == pytest.approx(penalty * math.exp(mean))


def test_corpus_is_not_the_mean_of_its_sentences():
    pairs = ["a b c d e", "f g"], ["a b c d e", "f h i j k l m n"]
    each = [bleu([a], [b]).score for a, b in zip(*pairs, strict=True)]
    assert abs(bleu(*pairs).score - np.mean(each)) > 1


def test_signature_tells_the_settings():
    texts = ["Go home now, please!"]
    plain = bleu(texts, texts)
    assert plain.score == pytest.approx(100)
    for part in ("nrefs:1", "case:mixed", "tok:13a", "version:"):
        assert part in plain.signature
    lower = [text.lower() for text in texts]
    assert bleu(lower, texts).score < 80
    found = bleu(lower, texts, lowercase=True, tokenize="char")
    assert found.score == pytest.approx(100)
    assert "case:lc" in found.signature and "tok:char" in found.signature
    two = bleu(texts, [[*texts, "Go."]])
    assert "nrefs:2" in two.signature


def test_marks_are_tokens_unless_blanks_part_them():
    texts = ["Go home now, please"], ["Go home now , please"]
    assert bleu(*texts).score == pytest.approx(100)
    assert bleu(*texts, tokenize="none").score < 80


def test_exact_match_takes_any_reference():
    hypotheses = ["a", "b", "c", "D"]
    assert exact_match(hypotheses, ["a", "x", "c", "d"]) == 0.5
    several = [["x", "a"], ("b",), ["ccc"], ["d"]]
    assert exact_match(hypotheses, several) == 0.5
    assert exact_match(["a"], ["aa"]) == 0.0  # not a part of it


def test_metrics_are_those_of_both():
    hypotheses, references = sentences(0)
    hypotheses[3] = references[3][0]
    found = translation_metrics(hypotheses, references, lowercase=True)
    result = bleu(hypotheses, references, lowercase=True)
    assert found == {
        "bleu": result.score,
        "exact_match": exact_match(hypotheses, references),
        "sentences": 60,
        "bleu_signature": result.signature,
    }
    assert found["exact_match"] > 0


@pytest.mark.parametrize("measure", [bleu, exact_match, translation_metrics])
def test_texts_that_cannot_be_compared_are_refused(measure):
    with pytest.raises(DataError, match="2 hypotheses and 1 references"):
        measure(["a", "b"], ["a"])
    with pytest.raises(DataError, match="no sentences to compare"):
        measure([], [])
    with pytest.raises(DataError, match="Sentence 1 has no reference"):
        measure(["a", "b"], [["a"], []])
    with pytest.raises(DataError, match="`hypotheses` must be several.*'a b'"):
        measure("a b", ["a", " ", "b"])
    with pytest.raises(DataError, match="`references` must be several"):
        measure(["a"], "a")


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match='tokenize "13b".*"13a".*intl'):
        bleu(["a"], ["a"], tokenize="13b")
