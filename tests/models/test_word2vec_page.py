"""The example of docs/word2vec.md runs as it stands."""

import re

import numpy as np

from tests.conftest import ROOT


def test_example_goes_from_text_to_a_classifier(capsys):
    page = (ROOT / "docs" / "word2vec.md").read_text()
    (example,) = re.findall(r"```python run\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(example, names)
    near = capsys.readouterr().out.split()
    vectors = names["vectors"]
    assert len(near) == 10 and set(near) <= set(vectors.vocabulary.words)
    embedding = names["classifier"].layers[0]
    found = embedding(names["words"](["dict"])).numpy()
    np.testing.assert_array_equal(found[0, 0], vectors["dict"])
    np.testing.assert_allclose(np.sum(names["shares"], -1), [1, 1], rtol=1e-6)
