"""Word vectors for the Projector of TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.io import atomic_write
from toolkit.text import WordVectors
from toolkit.text.vocabulary import writable

CONFIG = "projector_config.pbtxt"
TENSORS = "tensors.tsv"
METADATA = "metadata.tsv"
NAME = "words"


def write_projector(
    directory: str | os.PathLike,
    word_vectors: WordVectors,
    most: int = 10_000,
) -> None:
    """Writes what TensorBoard's Projector tab shows: vectors and their words.

    TensorBoard looks in its `--logdir` and in the directories below it that
    hold events. Beside the events of a run, as in `RUN/tensorboard/train`, the
    vectors are found from there, from the run and from the directory of all
    runs. tensors.tsv and metadata.tsv also load at projector.tensorflow.org.

    Args:
        directory: where the three files go; created if missing.
        word_vectors: words, the most frequent first, with their counts if
            known, else their ranks.
        most: how many words to write at most.

    Raises:
        DataError: a word that holds white space; no file is written.
        OSError: the disk is full or not writable.
    """
    directory = Path(directory)
    vocabulary = word_vectors.vocabulary
    words = [word.decode() for word in writable(vocabulary.words[:most])]
    if vocabulary.counts is None:
        head, values = "rank", range(1, len(words) + 1)
    else:
        head, values = "count", vocabulary.counts[:most].tolist()
    rows = word_vectors.vectors[:most].tolist()
    line = "\t".join(["%.6g"] * word_vectors.size)
    atomic_write(
        directory / TENSORS,
        "".join(f"{line}\n" % tuple(row) for row in rows),
    )
    # With one column the first line would be a word.
    atomic_write(
        directory / METADATA,
        f"word\t{head}\n"
        + "".join(
            f"{word}\t{value}\n"
            for word, value in zip(words, values, strict=True)
        ),
    )
    # Last, so that it never names files that are not there.
    atomic_write(
        directory / CONFIG,
        f"""embeddings {{
  tensor_name: "{NAME}"
  tensor_path: "{TENSORS}"
  metadata_path: "{METADATA}"
}}
""",
    )
