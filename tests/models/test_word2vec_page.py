"""The example of docs/word2vec.md runs as it stands."""

import numpy as np
import pytest

from tests.models.examples import run_example


# Slow: compiles and trains on a whole corpus. Its steps are in the quick tests
# of skip_gram, pretrained_embedding and the recipe.
@pytest.mark.slow
def test_example_goes_from_text_to_a_classifier(capsys):
    names = run_example("word2vec")
    near = capsys.readouterr().out.split()
    vectors = names["vectors"]
    assert len(near) == 10 and set(near) <= set(vectors.vocabulary.words)
    embedding = names["classifier"].layers[0]
    found = embedding(names["words"](["dict"])).numpy()
    np.testing.assert_array_equal(found[0, 0], vectors["dict"])
    np.testing.assert_allclose(np.sum(names["shares"], -1), [1, 1], rtol=1e-6)
