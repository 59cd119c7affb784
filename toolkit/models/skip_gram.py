"""The skip-gram model of word2vec."""

from __future__ import annotations

import numpy as np

from toolkit.errors import ConfigError
from toolkit.models.skip_gram_model import SkipGram


def skip_gram(
    counts,
    vector_size: int = 100,
    objective: str = "negative_sampling",
    *,
    window: int = 5,
    negative: int = 5,
    ns_exponent: float = 0.75,
    sample: float = 1e-3,
    workers: int = 2,
    seed: int = 0,
    name: str = "skip_gram",
) -> SkipGram:
    """Builds a skip-gram model, which learns vectors of words from text.

    A word's vector is to tell which words stand around it: for each word c
    and each word o at most `b` places away, with `b` drawn from 1 to
    `window`, the loss is

    ```
    negative_sampling:     -log sigmoid(u_o . v_c)
                           - sum over drawn n of log sigmoid(-u_n . v_c)
    hierarchical_softmax:  -log of the product over the path to o in a Huffman
                           tree of sigmoid(+-u_node . v_c)
    softmax:               -log(exp(u_o . v_c) / sum over w: exp(u_w . v_c))
    ```

    It is trained with `fit` on blocks of word numbers (int32, with -1 between
    sentences, as of `data.text_block_batches`). Dropping frequent words,
    drawing windows and negatives are the model's own business.

    `compile()` chooses how:

    - With plain SGD (the default, learning rate 0.025) the fast path works on
      tokens instead of pairs, hundreds of steps in one compiled loop, with
      `workers` loops side by side. A learning rate means what it means in
      word2vec: of a single pair.
    - With any other optimizer, or `fast=False`, all pairs of a block make one
      step, and the loss is their sum. Give it small blocks.

    Args:
        counts: how often each word comes in the corpus, int `(words,)`.
        vector_size: length of a vector.
        objective: `negative_sampling`, `hierarchical_softmax`, or `softmax`
            for small vocabularies.
        window: largest distance of a pair.
        negative: drawn words for each pair; of negative sampling.
        ns_exponent: words are drawn with probability `counts ** ns_exponent`.
        sample: share of the text above which a word is dropped at times; 0
            drops none.
        workers: parts of a block that are trained on at the same time, each
            on one core. Another number gives other vectors; what they learn
            is less the more there are (on 5 million words of Wikipedia, the
            mean of four measures after 3 epochs is .349 with 2, .309 with 4
            and .307 with 8; gensim's is .317).
        seed: of everything that is drawn.
        name: the model's name.

    Returns:
        A built model. Called with word numbers, int `(batch, ...)`, it returns
        their vectors, float32 `(batch, ..., vector_size)`.

    Raises:
        ConfigError: an argument outside its range.

    Example:
    >>> import numpy as np
    >>> from toolkit.data import text_block_batches
    >>> from toolkit.models import skip_gram
    >>> text = np.random.default_rng(0).integers(0, 50, 20_000)
    >>> model = skip_gram(np.bincount(text), vector_size=16)
    >>> model.compile()
    >>> blocks = text_block_batches(text, block=4096, steps=10)
    >>> done = model.fit(blocks, epochs=2, steps_per_epoch=5,
    ...                  shuffle=False, verbose=0)
    >>> model(np.array([3, 14])).shape
    TensorShape([2, 16])

    Source: T. Mikolov, K. Chen, G. Corrado, J. Dean: Efficient estimation of
    word representations in vector space (2013a); T. Mikolov, I. Sutskever,
    K. Chen, G. Corrado, J. Dean: Distributed representations of words and
    phrases and their compositionality (2013b).
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or len(counts) < 2 or not np.all(counts >= 0):
        raise ConfigError(
            "`counts` must hold how often each of at least 2 words comes, "
            f"none below 0. Received: an array of shape {counts.shape}."
        )
    if not counts.sum():
        raise ConfigError("`counts` must not all be 0.")
    model = SkipGram(
        len(counts),
        vector_size,
        objective,
        window=window,
        negative=negative,
        ns_exponent=ns_exponent,
        sample=sample,
        workers=workers,
        seed=seed,
        counts=counts,
        name=name,
    )
    model.build((None,))
    return model
