"""Word vectors as a model to be exported, and what its files say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.runtime import ANALOGY, NEIGHBOURS, WORD_VECTORS

if TYPE_CHECKING:
    import keras

    from toolkit.text import WordVectors

SAMPLES = 32  # the most frequent words, for comparisons


def query_model(
    vectors: WordVectors, k: int = 10
) -> tuple[keras.Model, dict[str, Any], np.ndarray]:
    """Returns a model of word vectors, what files say of it, and samples.

    In a recipe:

        run.model, about, run.samples = query_model(vectors)
        run.metadata = {**about, "data": source, "metrics": metrics}
        run.save_model()
        run.export(formats)

    Args:
        vectors: of all words.
        k: answers that the files give to a question; no more than there are
            words.

    Returns:
        The model as `toolkit.models.word_queries` builds it; metadata, for
        `run.metadata`, with the task, the words and the signatures; and int32
        `(samples,)`, the numbers of the first words, for `run.samples`.
    """
    from toolkit.models import word_queries

    count = len(vectors)
    metadata = {
        "task": WORD_VECTORS,
        "vocabulary": list(vectors.vocabulary),
        "signatures": [NEIGHBOURS, ANALOGY],
    }
    samples = np.arange(min(SAMPLES, count), dtype=np.int32)
    model = word_queries(vectors.vectors, min(k, count))
    return model, metadata, samples
