"""The example of docs/seq2seq.md runs as it stands."""

import re

from tests.conftest import ROOT


def test_example_learns_dates(capsys):
    page = (ROOT / "docs" / "seq2seq.md").read_text()
    (example,) = re.findall(r"```python run\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(example, names)
    assert " -> " in capsys.readouterr().out
    pairs, encode = names["pairs"].test[:40], names["source"].encode
    right = sum(
        names["target"].decode(names["search"](encode(text)[None])["tokens"][0])
        == expected
        for text, expected in pairs
    )
    assert right >= 32
