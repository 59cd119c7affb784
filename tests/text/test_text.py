"""Vocabularies and sampling."""

import numpy as np
import pytest

from toolkit.errors import ConfigError, DataError
from toolkit.text import (
    CharacterVocabulary,
    RunningText,
    generate,
    sample_token,
)


def test_text_comes_back_from_its_numbers():
    text = "Ein Übermut,\n\t😀 zwei."
    vocabulary = CharacterVocabulary.of(text)
    numbers = vocabulary.encode(text)
    assert numbers.dtype == np.int32 and len(numbers) == len(text)
    assert vocabulary.decode(numbers) == text
    assert list(vocabulary.characters) == sorted(set(text))
    shuffled = CharacterVocabulary(reversed(vocabulary.characters))
    assert shuffled.decode(shuffled.encode(text)) == text


def test_strange_characters_are_named():
    vocabulary = CharacterVocabulary("abc")
    with pytest.raises(DataError, match='3 characters.*"x", "\\\\n".*"abc"'):
        vocabulary.encode("axbx\n")
    with pytest.raises(DataError, match='^1 character is not.*: "x". It'):
        vocabulary.encode("ax")
    # The byte 0xff of a command line: no text, so it is shown escaped.
    with pytest.raises(DataError, match=r'1 character is not.*: "\\udcff"'):
        vocabulary.encode("a\udcff")
    with pytest.raises(DataError, match="0 to 2. Received: 3"):
        vocabulary.decode([0, 3])
    with pytest.raises(DataError, match="at least one"):
        CharacterVocabulary.of("")
    with pytest.raises(DataError, match="once"):
        CharacterVocabulary("aa")
    for wrong in (["a", "bc"], ["a", 1], ["a", ""]):
        with pytest.raises(DataError, match="single characters. Received: "):
            CharacterVocabulary(wrong)


def shares(count=20_000, **options):
    rng = np.random.default_rng(0)
    logits = np.log([0.1, 0.2, 0.3, 0.4])
    drawn = [sample_token(logits, rng, **options) for _ in range(count)]
    return np.bincount(drawn, minlength=4) / count


def test_tokens_are_drawn_with_their_probabilities():
    np.testing.assert_allclose(shares(), [0.1, 0.2, 0.3, 0.4], atol=0.015)
    cold = np.array([0.1, 0.2, 0.3, 0.4]) ** 2
    np.testing.assert_allclose(
        shares(temperature=0.5), cold / cold.sum(), atol=0.015
    )


def test_smallest_temperature_is_greedy_and_the_largest_is_even():
    rng = np.random.default_rng(0)
    for logits in ([1.0, 5.0, -3.0], [-700.0, -600.0, -900.0]):
        for temperature in (5e-324, 1e-320, 1e-300):
            for top_k in (0, 2):
                token = sample_token(logits, rng, temperature, top_k)
                assert token == 1
    np.testing.assert_allclose(shares(temperature=1e300), 0.25, atol=0.015)


def test_top_k_leaves_the_likeliest_only():
    np.testing.assert_allclose(
        shares(top_k=2), [0, 0, 3 / 7, 4 / 7], atol=0.015
    )
    np.testing.assert_array_equal(shares(200, top_k=1), [0, 0, 0, 1])
    np.testing.assert_allclose(shares(top_k=9), shares())


def test_same_seed_draws_the_same():
    logits = np.random.default_rng(1).normal(size=50)

    def draw(seed):
        rng = np.random.default_rng(seed)
        return [sample_token(logits, rng) for _ in range(20)]

    assert draw(3) == draw(3) != draw(4)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ConfigError, match="--temperature must be above 0"):
        sample_token([1.0], np.random.default_rng(0), temperature)
    with pytest.raises(ConfigError, match="--top-k.*Received: -1"):
        sample_token([1.0], np.random.default_rng(0), top_k=-1)


@pytest.mark.parametrize("seed", [-1, 1.5, None, "3", True])
def test_seed_must_be_a_number_of_at_least_0(seed):
    with pytest.raises(ConfigError, match=f"--seed.*Received: {seed!r}"):
        generate(lambda tokens: np.zeros(2), [0], 1, seed=seed)
    assert len(list(generate(lambda t: np.zeros(2), [0], 3, seed=2**40))) == 3


def test_words_stand_one_blank_apart_from_the_prompt():
    words = ["<unk>", "<eos>", "the", "cat"]
    text = RunningText(words)
    for prompt, expected in (
        ("the", " cat\nthe cat"),
        ("the ", "cat\nthe cat"),
        ("", "cat\nthe cat"),
    ):
        assert "".join(text.pieces([3, 1, 2, 3], prompt)) == expected
    letters = CharacterVocabulary("a ")
    assert "".join(letters.pieces([1, 0], "a ")) == " a"
    with pytest.raises(DataError, match="4"):
        list(text.pieces([4]))
