"""surprise.json: how a language model takes the first tokens of a text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from recipes._run.run import Run
from recipes._run.writing import spelled
from toolkit.evaluation import token_losses

if TYPE_CHECKING:
    from recipes._run.language import CharacterData, WordData

FILE = "surprise.json"
KEPT = {"character": 800, "word": 400}


def keep_surprise(run: Run, data: CharacterData | WordData) -> None:
    """Writes the surprise of the test text's first tokens, for the page.

    They are read in one stream, so that each is predicted from all before it.

    Args:
        run: a run with its trained model.
        data: the text.
    """
    tokens = data.test[: KEPT[data.unit] + 1]
    losses = token_losses(run.model, tokens, streams=1)
    bits = losses.astype(np.float64) / math.log(2)
    run.write_json(
        FILE,
        {
            "unit": data.unit,
            "tokens": spelled(data.vocabulary, tokens),
            "bits": np.round(bits, 4).tolist(),
            "total": len(data.test) - 1,
        },
    )
