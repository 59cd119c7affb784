"""The example of docs/language_models.md runs as it stands."""

import pytest

from tests.models.examples import run_example


def check(names, output, share):
    """Holds the perplexity below a share of that of chance."""
    perplexity = int(output.split()[0])
    assert 100 < perplexity < share * len(names["words"])


def test_example_is_measured_exactly(capsys):
    names = run_example("language_models", epochs=1, max_words=20_000)
    check(names, capsys.readouterr().out, share=1)


# Slow: three epochs on all the words that the page names.
@pytest.mark.slow
def test_example_learns_and_is_measured_exactly(capsys):
    names = run_example("language_models")
    check(names, capsys.readouterr().out, share=1 / 3)
