"""What a run translates: pairs, tokenizers, and what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np

from recipes._run.evaluation import write_evaluation
from recipes._run.run import Run
from toolkit.data import bucket_pairs, encode_pairs, load_pairs
from toolkit.data.encoded_pairs import source_rows
from toolkit.evaluation import translation_metrics
from toolkit.io import atomic_path
from toolkit.models import decoding_model
from toolkit.text import (
    START,
    CharacterTokenizer,
    SubwordTokenizer,
    WordTokenizer,
)

TASK = "translation"
SUBWORDS = 8_000
ROOM = 1.5  # longest target that is written, by the longest one in training
BATCH = 64  # sources translated at once
SHOWN = 20  # translations in the report
HEAT_MAPS = 3
SAMPLES = 3  # real inputs for comparisons


class TranslationData:
    """Pairs of texts as numbers.

    Args:
        config: of the recipe.

    Attributes:
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
        self.pairs = load_pairs(
            config.data,
            languages=config.languages or None,
            swap=config.swap,
            max_pairs=config.max_pairs,
            seed=config.seed,
        )
        sources, targets = zip(*self.pairs.train, strict=True)
        self.source, self.target = (
            _tokenizer(config, texts) for texts in (sources, targets)
        )
        self.train, self.validation = (
            encode_pairs(
                pairs,
                self.source,
                self.target,
                max_length=config.max_length,
                reverse_source=config.reverse_source,
            )
            for pairs in (self.pairs.train, self.pairs.validation)
        )
        self.buckets = bucket_pairs(self.train, batch_size=config.batch_size)
        self.max_length = int(ROOM * self.train.target_lengths.max())

    def describe(self) -> str:
        """Returns lines: pairs, tokens, batches, sha256, notes."""
        pairs = self.pairs
        lines = [
            f"{len(pairs.train):,} pairs to train on, "
            f"{len(pairs.validation):,} to validate, {len(pairs.test):,} to "
            f"test; {len(self.source):,} source and {len(self.target):,} "
            f"target tokens; sha256 {pairs.sha256[:16]}",
            self.buckets.summary(),
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in pairs.notes)])

    def encode(self, texts) -> np.ndarray:
        """Returns sources as the encoder reads them, int32 `(texts, time)`."""
        return source_rows(texts, self.source, self.config.reverse_source)

    @property
    def metadata(self) -> dict:
        """What a model says of its texts."""
        return {
            "source": self.source.describe(),
            "target": self.target.describe(),
            "reverse_source": self.config.reverse_source,
        }


def _tokenizer(config: Any, texts):
    if config.tokens == "subwords":
        return SubwordTokenizer.of(
            texts, vocabulary_size=config.vocabulary or SUBWORDS
        )
    kind = WordTokenizer if config.tokens == "words" else CharacterTokenizer
    return kind.of(
        texts,
        min_count=config.min_count,
        max_vocabulary=config.vocabulary or None,
    )


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
        name=run.recipe,
    )
    test = data.pairs.test[:BATCH] if run.dry_run else data.pairs.test
    sources, references = zip(*test, strict=True)
    found = translate(run.model, data, sources)
    metrics = translation_metrics(found, references)
    signature = metrics.pop("bleu_signature")
    del metrics["sentences"]  # told as the count
    run.metadata = {
        "task": TASK,
        "data": data.pairs.source,
        "text": data.metadata,
        "signatures": ["encoder", "decoder"],
    }
    run.samples = data.encode(sources[:SAMPLES])
    with atomic_path(run.path / "samples", directory=True) as folder:
        np.save(folder / "inputs.npy", run.samples)
    exact = metrics["exact_match"]
    looks = (
        [] if config.attention == "none" else attention(trained, data, sources)
    )
    write_evaluation(
        run,
        task=TASK,
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
        attention=looks,
        translations=[
            list(row)
            for row in zip(
                sources[:SHOWN], found[:SHOWN], references[:SHOWN], strict=True
            )
        ],
    )
    run.save_model()
    return metrics


def attention(trained, data: TranslationData, sources) -> list[dict]:
    """Returns what the report draws of a few translations, as JSON has it.

    Args:
        trained: from `models.seq2seq`.
        data: for its tokenizers.
        sources: the first ones are taken.
    """
    search = decoding_model(trained, data.max_length)
    found = []
    for text in sources[:HEAT_MAPS]:
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


def translate(model, data: TranslationData, sources) -> list[str]:
    """Returns the targets that a decoding model writes."""
    # Long ones beside long ones: the loop of a batch ends with its longest.
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    written: dict[int, str] = {}
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        rows = data.encode([sources[i] for i in some])
        tokens = np.asarray(model.predict_on_batch(rows)["tokens"])
        for i, row in zip(some, tokens, strict=True):
            written[i] = data.target.decode(row)
    return [written[i] for i in range(len(sources))]
