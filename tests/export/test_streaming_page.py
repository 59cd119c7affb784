"""The example of docs/streaming.md runs as it stands."""

import re

import numpy as np
import pytest

from tests.conftest import ROOT


# Slow: trains the page's model; test_streaming has every call of it.
@pytest.mark.slow
def test_example_hears_words_frame_by_frame(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "streaming.md").read_text()
    blocks = re.findall(r"```python run\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    names = {}
    exec("\n".join(blocks), names)
    said = capsys.readouterr().out.splitlines()
    ends = np.array(names["answers"])[19::20]
    assert (ends == names["spoken"][19::20]).sum() >= 18
    assert len(said) == 20 and said[0].split()[0] in names["WORDS"]
    assert names["right"] > 0.9
