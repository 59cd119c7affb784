"""Analogies, held against gensim question by question."""

import numpy as np
import pytest

from tests.conftest import SHARED
from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import analogies as module
from toolkit.evaluation import evaluate_analogies, read_analogies
from toolkit.text import Vocabulary, WordVectors

CASES = (str.lower, str.title, str.upper)


def planted(seed, pairs=12, kinds=4, size=16, noise=0.4, others=300):
    """Words in relations, with noise: some questions go wrong.

    Spellings differ between words and questions, many words have several,
    and some words of the questions are unknown.
    """
    rng = np.random.default_rng(seed)
    words, rows, lines = {}, [], []

    def add(word, vector):
        if word not in words:
            words[word] = len(words)
            rows.append(vector)

    for kind in range(kinds):
        name = f"gram{kind}-x" if kind % 2 else f"kind {kind}"
        lines.append(f": {name}")
        step = rng.normal(size=size)
        names = [(f"a{kind}x{i}", f"b{kind}y{i}") for i in range(pairs)]
        for left, right in names[:-1]:  # the last pair is unknown
            here = rng.normal(size=size)
            for word, vector in ((left, here), (right, here + step)):
                for case in rng.permutation(3)[: rng.integers(1, 4)]:
                    near = vector + noise * rng.normal(size=size)
                    add(CASES[case](word), near)
        for i, j in rng.integers(0, pairs, (60, 2)):
            four = (*names[i], *names[j])
            lines.append(" ".join(CASES[rng.integers(3)](w) for w in four))
    for i in range(others):
        add(f"w{i}", rng.normal(size=size))
    order = rng.permutation(len(words))
    names = list(words)
    vectors = WordVectors(
        Vocabulary([names[i] for i in order]), np.array(rows)[order]
    )
    return vectors, "\n".join(lines) + "\n"


def gensims(vectors, path, method, **options):
    from gensim.models import KeyedVectors

    class Multiplying(KeyedVectors):
        """gensim 4.4 ignores `similarity_function`."""

        most_similar = KeyedVectors.most_similar_cosmul

    kind = Multiplying if method == "3cosmul" else KeyedVectors
    peer = kind(vectors.size)
    peer.add_vectors(list(vectors.vocabulary), vectors.vectors)
    return peer.evaluate_word_analogies(str(path), **options)


def check_against_gensim(vectors, path, method, restrict=300_000, fold=True):
    score, sections = gensims(
        vectors, path, method, restrict_vocab=restrict, case_insensitive=fold
    )
    found = evaluate_analogies(
        vectors,
        read_analogies(path),
        method=method,
        restrict_vocabulary=restrict,
        case_insensitive=fold,
    )
    assert found.accuracy == score
    for ours, theirs in zip(
        (*found.sections, found.total), sections, strict=True
    ):
        right, wrong = len(theirs["correct"]), len(theirs["incorrect"])
        assert (ours.correct, ours.asked) == (right, right + wrong)
        assert ours.name in (theirs["section"], "total")
    return found


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_numbers_are_those_of_gensim(tmp_path, method, fold, seed):
    vectors, text = planted(seed)
    path = tmp_path / "questions.txt"
    path.write_text(text)
    found = check_against_gensim(vectors, path, method, fold=fold)
    assert found.total.asked > (100 if fold else 10)
    assert found.total.skipped and found.syntactic.asked
    assert 0.05 < found.accuracy < 0.95


@pytest.mark.parametrize("restrict", [1, 60, 200, None])
def test_restriction_is_that_of_gensim(tmp_path, restrict):
    vectors, text = planted(2, others=100)
    path = tmp_path / "questions.txt"
    path.write_text(text)
    found = check_against_gensim(vectors, path, "3cosadd", restrict)
    assert bool(found.total.asked) == (restrict != 1)


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_spellings_that_fill_gensims_window(tmp_path, method):
    """Up to 15 spellings of each word, close to one another."""
    rng = np.random.default_rng(0)
    words, rows, known = [], [], []
    for i in range(30):
        here = rng.normal(size=5)
        stem = f"wor{'abcdefghijklmnopqrstuvwxyz'[i % 26]}{i}"
        known.append(stem)
        spellings = {
            "".join(rng.choice([c.lower(), c.upper()]) for c in stem)
            for _ in range(rng.integers(1, 16))
        }
        for word in sorted(spellings):
            words.append(word)
            rows.append(here + 0.3 * rng.normal(size=5))
    order = rng.permutation(len(words))
    vectors = WordVectors(
        Vocabulary([words[i] for i in order]), np.array(rows)[order]
    )
    four = rng.choice(known, (400, 4))
    four[::3, 3] = four[::3, 1]  # the answer is a word of the question
    path = tmp_path / "questions.txt"
    path.write_text(
        ": all\n" + "\n".join(" ".join(question) for question in four)
    )
    check_against_gensim(vectors, path, method)
    few = [
        i for i, word in enumerate(vectors.vocabulary) if "a" in word.lower()
    ]
    small = WordVectors(
        Vocabulary([vectors.vocabulary.words[i] for i in few]),
        vectors.vectors[few],
    )
    stems = sorted({word.lower() for word in small.vocabulary})
    path.write_text(
        ": few\n" + "\n".join(" ".join(q) for q in rng.choice(stems, (40, 4)))
    )
    check_against_gensim(small, path, method)


@pytest.mark.parametrize("spellings", [0, 3, 4, 5, 6])
def test_five_spellings_fill_the_window(tmp_path, spellings):
    """The answer is right, but other spellings of a word lie closer."""
    more = ["Cold", "COld", "COLd", "COLD", "cOLD", "coLD"][:spellings]
    vectors = WordVectors(
        Vocabulary(["a", "b", "cold", "d", *more]),
        np.array(
            [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1.2]]
            + [[-1, 1, 1]] * spellings
        ),
    )
    path = tmp_path / "questions.txt"
    path.write_text(": s\na b cold d\n")
    found = check_against_gensim(vectors, path, "3cosadd")
    assert found.total.correct == (spellings < 5)


def test_blocks_hold_so_many_words_at_most():
    vectors, text = planted(0)
    known = [
        (0, [[vectors.vocabulary.find(w) or 0] for w in question])
        for _, some in as_questions(text)
        for question in some
    ]
    for most in (3, 7, 1000):
        blocks = list(module._blocks(known, most))
        assert [one for block in blocks for one in block] == known
        for block in blocks:
            asked = {group[0] for _, four in block for group in four[:3]}
            assert len(asked) <= most
        assert len(blocks) < len(known) and (len(blocks) == 1) == (most > 7)


def test_blocks_of_any_size_give_the_same(monkeypatch):
    vectors, text = planted(3)
    questions = as_questions(text)
    expected = evaluate_analogies(vectors, questions)
    monkeypatch.setattr(module, "COSINES", 1)
    assert evaluate_analogies(vectors, questions) == expected
    monkeypatch.setattr(module, "COSINES", 10 * len(vectors))
    assert evaluate_analogies(vectors, questions) == expected


def as_questions(text):
    sections = []
    for line in text.splitlines():
        if line.startswith(": "):
            sections.append((line[2:], []))
        else:
            sections[-1][1].append(tuple(line.split()))
    return sections


def test_the_word_with_the_highest_score_is_the_answer():
    vectors, text = planted(4)
    for method in ("3cosadd", "3cosmul"):
        for name, questions in as_questions(text)[:2]:
            known = [q for q in questions if all(w in vectors for w in q)]
            right = 0
            for *three, expected in known:
                best = vectors.analogy(*three, 1, method)[0][0]
                right += best == expected
            (found,) = evaluate_analogies(
                vectors,
                [(name, questions)],
                method=method,
                case_insensitive=False,
            ).sections
            assert (found.correct, found.asked) == (right, len(known))


def test_of_equal_answers_the_first_wins():
    points = np.eye(4)[[0, 1, 2, 3, 3]]
    questions = [("s", [("a", "b", "c", "d"), ("a", "b", "c", "e")])]
    for words in ("abcde", "abced"):
        vectors = WordVectors(Vocabulary(list(words)), points)
        (found,) = evaluate_analogies(vectors, questions).sections
        assert (found.correct, found.asked) == (1, 2)
        first = evaluate_analogies(vectors, [("s", questions[0][1][:1])])
        assert first.total.correct == (words == "abcde")


def test_vectors_of_zeros_answer_nothing():
    points = [[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 0], [-1, 0]]
    vectors = WordVectors(Vocabulary(list("abcde")), points)
    for method in ("3cosadd", "3cosmul"):
        found = evaluate_analogies(
            vectors, [("s", [("a", "b", "c", "e")])], method=method
        )
        assert found.total.correct == 1


def test_table_of_the_results():
    vectors, text = planted(0)
    found = evaluate_analogies(vectors, as_questions(text))
    lines = found.table().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.split("  ")[0] for line in lines] == [
        "section", "kind 0", "gram1-x", "kind 2", "gram3-x", "semantic",
        "syntactic", "total",
    ]  # fmt: skip
    total = lines[-1].split()
    assert [int(n) for n in total[1:4]] == [
        found.total.correct, found.total.asked, found.total.skipped,
    ]  # fmt: skip
    assert found.semantic.asked + found.syntactic.asked == found.total.asked
    assert found.semantic.asked == sum(s.asked for s in found.sections[::2])


def test_questions_are_read(tmp_path):
    path = tmp_path / "q"
    path.write_bytes(
        ": a b\r\n\n Über b\tc d \n: empty\n: gram1\n1 2 3 4".encode()
    )
    assert read_analogies(path) == [
        ("a b", [("Über", "b", "c", "d")]),
        ("empty", []),
        ("gram1", [("1", "2", "3", "4")]),
    ]


def test_the_published_questions_are_read():
    path = SHARED / "word_eval" / "questions-words.txt"
    if not path.is_file():
        pytest.skip("the published questions are not beside this checkout")
    sections = read_analogies(path)
    assert len(sections) == 14
    assert sum(len(questions) for _, questions in sections) == 19_544


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b": s\na b c\n", "q, line 2: must be four words.*3 words: 'a b c'"),
        (b": s\na b c d\n\na b c d e\n", "q, line 4: .* 5 words"),
        (b"\na b c d\n", "q, line 2: stands before the first section"),
        (b": s\na b c d\n: \n", "q, line 3: the section has no name"),
        (b":s\na b c d\n", "q, line 1: must be four words, or `: name`"),
        (b": s\na b c d\na b \xff d\n", "q, line 3: is not UTF-8"),
        (b": s\n", "q: there is no question"),
        (b"", "q: there is no question"),
    ],
)
def test_damaged_questions_are_refused_by_line(tmp_path, content, message):
    (tmp_path / "q").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_analogies(tmp_path / "q")


def test_settings_and_paths_are_checked(tmp_path):
    vectors = WordVectors(Vocabulary(["a"]), [[1.0]])
    with pytest.raises(DataError, match="nowhere: No such file"):
        read_analogies(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match='method "3cosmull". Did you mean'):
        evaluate_analogies(vectors, [], method="3cosmull")
    for wrong in (0, -1, 1.5):
        with pytest.raises(ConfigError, match=f"at least 1.*: {wrong}"):
            evaluate_analogies(vectors, [], restrict_vocabulary=wrong)
