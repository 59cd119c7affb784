"""The example of docs/language_models.md runs as it stands."""

import re

from tests.conftest import ROOT


def test_example_learns_and_is_measured_exactly(capsys):
    page = (ROOT / "docs" / "language_models.md").read_text()
    (example,) = re.findall(r"```python run\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(example, names)
    perplexity = int(capsys.readouterr().out.split()[0])
    chance = len(names["words"])
    assert 100 < perplexity < chance / 3
