"""What a run translates: pairs, tokenizers, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from export.runtime import TRANSLATION
from recipes._run.evaluation import write_evaluation
from recipes._run.run import Run
from recipes._run.translating import translate
from toolkit.data import (
    bucket_pairs,
    encode_pairs,
    load_pairs,
    source_rows,
)
from toolkit.errors import ConfigError, DataError
from toolkit.evaluation import translation_metrics
from toolkit.io import atomic_path
from toolkit.models import decoding_model
from toolkit.text import (
    START,
    UNKNOWN,
    CharacterTokenizer,
    SubwordTokenizer,
    WordTokenizer,
)
from toolkit.text.token_vocabularies import Tokenizer

SUBWORDS = 8_000
DATA_SEED = 0  # so that models of different seeds have the same test pairs
ROOM = 1.5  # longest target that is written, by the longest one in training
DRY_RUN = 64  # test pairs
SHOWN = 20  # translations in the report
HEAT_MAPS = 3
SAMPLES = 3  # real inputs for comparisons


class TranslationData:
    """Pairs of texts as numbers.

    Args:
        config: of the recipe.

    Attributes:
        distinct: side whose sentences are in one split only.
        pairs: the texts, in three splits.
        source: tokenizer of the sources.
        target: tokenizer of the targets.
        train: encoded.
        validation: encoded.
        buckets: of the training pairs.
        max_length: most tokens of a target that is written, with the end.
    """

    def __init__(self, config: Any):
        self.config = config
        # A copy of the recipe may be older than the setting.
        self.distinct = getattr(config, "distinct", "target")
        self.pairs = load_pairs(
            config.data,
            languages=config.languages or None,
            swap=config.swap,
            max_pairs=config.max_pairs,
            distinct=self.distinct,
            seed=DATA_SEED,
        )
        sources, targets = zip(*self.pairs.train, strict=True)
        self.source = _tokenizer(config, "sources", sources)
        self.target = _tokenizer(config, "targets", targets)
        if config.beam_width > len(self.target):
            raise ConfigError(
                f"--beam-width must be at most {len(self.target)}, as many as "
                f"the target has tokens. Received: {config.beam_width}"
            )
        self.train = self._encode("training", self.pairs.train)
        self.validation = self._encode("validation", self.pairs.validation)
        self.buckets = bucket_pairs(self.train, batch_size=config.batch_size)
        self.max_length = int(ROOM * self.train.target_lengths.max())

    def _encode(self, name: str, pairs: Sequence[tuple[str, str]]):
        try:
            return encode_pairs(
                pairs,
                self.source,
                self.target,
                max_length=self.config.max_length,
                reverse_source=self.config.reverse_source,
            )
        except DataError as error:
            raise DataError(
                f'The {name} pairs of "{self.pairs.source}": {error} Raise '
                "--max-length; 0 keeps all."
            ) from error

    def describe(self) -> str:
        """Returns lines: pairs, tokens, batches, sha256, notes."""
        pairs = self.pairs
        notes = list(pairs.notes)
        if self.validation.dropped:
            notes.append(
                f"{self.validation.dropped:,} validation pairs with more than "
                f"{self.config.max_length} tokens were dropped, too; the test "
                "keeps all of its pairs."
            )
        lines = [
            f"{len(pairs.train):,} pairs to train on, "
            f"{len(pairs.validation):,} to validate, {len(pairs.test):,} to "
            f"test; {len(self.source):,} source and {len(self.target):,} "
            f"target tokens; sha256 {pairs.sha256[:16]}",
            self.buckets.summary(),
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in notes)])

    def encode(self, texts) -> np.ndarray:
        """Returns sources as the encoder reads them, int32 `(texts, time)`."""
        return source_rows(texts, self.source, self.config.reverse_source)

    @property
    def target_counts(self) -> np.ndarray:
        """How often each target token is to be written in training."""
        counts = np.bincount(self.train.target, minlength=len(self.target))
        counts[START] = 0
        return counts

    @property
    def metadata(self) -> dict:
        """What a model says of its texts."""
        return {
            "source": self.source.describe(),
            "target": self.target.describe(),
            "reverse_source": self.config.reverse_source,
            "longest_source": int(self.train.source_lengths.max()),
            "pairs": {  # finds the test split again
                "languages": self.config.languages or None,
                "swap": self.config.swap,
                "max_pairs": self.config.max_pairs,
                "distinct": self.distinct,
                "seed": DATA_SEED,
                "sha256": self.pairs.sha256,
            },
        }


def _tokenizer(config: Any, side: str, texts: Sequence[str]) -> Tokenizer:
    try:
        return _learned(config, side, texts)
    except (ConfigError, DataError) as error:
        raise type(error)(
            f"The {side} give no vocabulary of {config.tokens} (--vocabulary "
            f"{config.vocabulary}, --min-count {config.min_count}): {error}"
        ) from error


def _learned(config: Any, side: str, texts: Sequence[str]) -> Tokenizer:
    if config.tokens == "subwords":
        return SubwordTokenizer.of(
            texts, vocabulary_size=config.vocabulary or SUBWORDS, at_most=True
        )
    limits = {
        "min_count": config.min_count,
        "max_vocabulary": config.vocabulary or None,
    }
    if config.tokens == "words":
        lower = config.lower in (side, "both")
        return WordTokenizer.of(texts, lower=lower, **limits)
    return CharacterTokenizer.of(texts, **limits)


def evaluate_translation(run: Run, data: TranslationData) -> dict[str, float]:
    """Translates the test sources with the search that leaves in files.

    Writes evaluation.json and samples/inputs.npy. The run's
    model becomes the one that translates; encoder and decoder are inside.

    Args:
        run: a run with its trained model.
        data: the pairs.

    Returns:
        Metrics by name.
    """
    config, trained = data.config, run.model
    run.model = decoding_model(
        trained,
        data.max_length,
        config.beam_width,
        config.length_penalty,
        suppress_tokens=[UNKNOWN],
        name=run.recipe,
    )
    test = data.pairs.test[:DRY_RUN] if run.dry_run else data.pairs.test
    sources, references = zip(*test, strict=True)
    write = writer(run.model, data.source, data.target, config.reverse_source)
    found = translate(write, sources)
    metrics = translation_metrics(found, references)
    signature = metrics.pop("bleu_signature")
    del metrics["sentences"]  # told as the count
    run.metadata = {
        "task": TRANSLATION,
        "data": data.pairs.source,
        "text": data.metadata,
        "signatures": ["encoder", "decoder"],
    }
    run.samples = data.encode([sources[i] for i in _spread(test, SAMPLES)])
    with atomic_path(run.path / "samples", directory=True) as folder:
        np.save(folder / "inputs.npy", run.samples)
    exact = metrics["exact_match"]
    mapped = [sources[i] for i in _spread(test, HEAT_MAPS)]
    write_evaluation(
        run,
        task=TRANSLATION,
        description="Writes the target of a source, token by token.",
        headline=f"BLEU {metrics['bleu']:.2f}, {exact:.1%} exact",
        tiles={
            "BLEU": f"{metrics['bleu']:.2f}",
            "exact": f"{exact:.1%}",
            "search": f"beam {config.beam_width}"
            if config.beam_width > 1
            else "greedy",
        },
        metrics=metrics,
        split="test",
        count=len(test),
        examples="pairs",
        loss="loss, nats per token",
        data={
            "source": data.pairs.source,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(test),
        },
        sha256=data.pairs.sha256,
        bleu_signature=signature,
        left_out=data.train.dropped,
        attention=attention(trained, data, mapped),
        translations=[
            [sources[i], found[i], references[i]] for i in _spread(test, SHOWN)
        ],
    )
    run.save_model()
    return metrics


def _spread(pairs: Sequence, count: int) -> list[int]:
    """Returns the places of some pairs; files are often sorted by length."""
    last, count = len(pairs) - 1, min(count, len(pairs))
    return np.linspace(0, last, count).astype(int).tolist()


def attention(trained, data: TranslationData, sources) -> list[dict]:
    """Returns what the report draws of a few translations, as JSON has it.

    Nothing of a model without attention.

    Args:
        trained: from `models.seq2seq`.
        data: for its tokenizers.
        sources: some texts.
    """
    found: list[dict] = []
    if data.config.attention == "none":
        return found
    search = decoding_model(trained, data.max_length, suppress_tokens=[UNKNOWN])
    for text in sources:
        read = data.encode([text])
        (written,) = np.asarray(search.predict_on_batch(read)["tokens"])
        written = written[written > 0]
        target = np.concatenate([[START], written[:-1]])[None]
        (weights,) = np.asarray(trained.attention_weights(read, target))
        found.append(
            {
                "source": data.source.tokens(read[0]),
                "target": data.target.tokens(written),
                "weights": np.round(weights, 4).tolist(),
            }
        )
    return found


def writer(
    model: keras.Model,
    source: Tokenizer,
    target: Tokenizer,
    reverse_source: bool = False,
) -> Callable[[list[str]], list[str]]:
    """Returns the function from sources to the targets that a model writes.

    Args:
        model: from `models.decoding_model`.
        source: tokenizer of the sources.
        target: tokenizer of the targets.
        reverse_source: whether the source is read from its end.
    """

    def write(texts):
        rows = source_rows(texts, source, reverse_source)
        tokens = np.asarray(model.predict_on_batch(rows)["tokens"])
        return [target.decode(row) for row in tokens]

    return write
