"""The example of docs/seq2seq.md runs as it stands."""

import pytest

from tests.models.examples import run_example


def test_example_runs(capsys):
    names = run_example("seq2seq", epochs=1, max_pairs=600, units=8)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{names['text']} -> ")
    assert line.endswith(f" ({names['expected']})")


# Slow: eight epochs; a run of the recipe learns the same in the quick suite.
@pytest.mark.slow
def test_example_learns_dates(capsys):
    names = run_example("seq2seq")
    assert " -> " in capsys.readouterr().out
    pairs, encode = names["pairs"].test[:40], names["source"].encode
    right = sum(
        names["target"].decode(names["search"](encode(text)[None])["tokens"][0])
        == expected
        for text, expected in pairs
    )
    assert right >= 32
