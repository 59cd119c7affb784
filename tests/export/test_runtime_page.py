"""The example of docs/runtime.md runs as it stands."""

import re

from export import metadata
from export.metadata import WRITTEN
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "runtime.md").read_text()


def test_example_prints_what_was_given(tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(block, {})
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "['brown', 'black', 'polar'] {'commit': '1e3'}"


def test_table_names_every_field_that_a_user_may_give():
    known = set(metadata.describe()) - WRITTEN - {"name", "faces"}
    table = PAGE[PAGE.index("| key") : PAGE.index("Values of another")]
    assert known <= set(re.findall(r"`(\w+)`", table))
