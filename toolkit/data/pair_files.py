"""Sentence pairs in files of tab-separated values, and TFDS translations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from toolkit.data.texts import read_text
from toolkit.errors import ConfigError, DataError, closest

Pair = tuple[str, str]
PARTS = ("train", "validation", "test")
SUFFIXES = (".tsv", ".tsv.gz")


def read_pairs(path: str | Path) -> tuple[list[Pair], int]:
    """Reads lines of `source<TAB>target`; further columns do not count.

    Blanks around a sentence are no part of it.

    Args:
        path: of a file in UTF-8, gzipped or not.

    Returns:
        The pairs, and how many empty lines were skipped.

    Raises:
        DataError: missing, empty or damaged, or a line that is no pair or no
            UTF-8; names it.
    """
    pairs, skipped = [], 0
    lines = _read(path).split("\n")
    if not lines[-1]:
        lines.pop()  # what ends the last line begins no other
    for number, line in enumerate(lines, 1):
        if not line.strip() and "\t" not in line:
            skipped += 1
            continue
        columns = [one.strip() for one in line.split("\t")]
        if len(columns) < 2:
            raise DataError(
                f"{path}, line {number}: must be a source, a tab and a "
                f"target. There is no tab in {line[:60]!r}."
            )
        for side, text in zip(("source", "target"), columns, strict=False):
            if not text:
                raise DataError(
                    f"{path}, line {number}: the {side} is empty in "
                    f"{line[:60]!r}."
                )
        pairs.append((columns[0], columns[1]))
    if not pairs:
        raise DataError(
            f"{path}: there is no pair of sentences in it. Give lines of "
            "source<TAB>target."
        )
    return pairs, skipped


def _read(path: str | Path) -> str:
    try:
        return read_text(path)
    except DataError as error:
        cause = error.__cause__
        if not isinstance(cause, UnicodeDecodeError):
            raise
        line = cause.object.count(b"\n", 0, cause.start) + 1
        raise DataError(f"{path}, line {line}: {error}") from cause


def read_folder(folder: Path) -> tuple[dict[str, list[Pair]], int]:
    """Reads `train`, `validation` and `test`, each .tsv or .tsv.gz.

    Returns:
        Pairs by part, and how many empty lines were skipped.

    Raises:
        DataError: no file to train on, two for one part, or one that is
            damaged.
    """
    parts, skipped = {}, 0
    for part in PARTS:
        files = [
            folder / f"{part}{suffix}"
            for suffix in SUFFIXES
            if (folder / f"{part}{suffix}").is_file()
        ]
        if len(files) > 1:
            raise DataError(
                f"{folder}: {files[0].name} and {files[1].name} are both "
                f"there; keep one for {part}."
            )
        if files:
            parts[part], empty = read_pairs(files[0])
            skipped += empty
    if "train" not in parts:
        raise DataError(
            f'"{folder}" holds no train.tsv or train.tsv.gz; beside it may '
            "stand validation and test."
        )
    return parts, skipped


def read_tfds_pairs(
    name: str, languages: str | None, most: int, data_dir: str | None
) -> dict[str, list[Pair]]:
    """Reads a translation set of TensorFlow Datasets.

    Args:
        name: as TFDS has it.
        languages: `SOURCE:TARGET`; None takes TFDS's own direction.
        most: how many pairs of the training split; 0 for all.
        data_dir: by default TFDS_DATA_DIR, else `~/tensorflow_datasets`.

    Returns:
        Pairs by part.

    Raises:
        ConfigError: languages that the set does not have; names those.
        DataError: an unknown set, one without translations or a split called
            train, or one that is neither prepared nor to be downloaded.
    """
    from toolkit.data.tfds_images import open_builder, prepare

    tfds, builder = open_builder(name, data_dir)
    features = builder.info.features
    if not isinstance(features, tfds.features.Translation):
        names = dict(getattr(features, "items", dict().items)())
        raise DataError(
            f'"tfds:{name}" is no translation set: its features are '
            f"{', '.join(names) or features}; needed is "
            "tfds.features.Translation."
        )
    source, target = _languages(
        name, languages, sorted(features.languages), builder.info
    )
    prepare(tfds, builder, name, data_dir)
    if "train" not in builder.info.splits:
        raise DataError(
            f'"tfds:{name}" has no split called train. It has: '
            f"{', '.join(builder.info.splits)}."
        )

    def texts(part: str) -> Iterator[Pair]:
        examples = tfds.as_numpy(
            builder.as_dataset(split=part, shuffle_files=False)
        )
        for number, example in enumerate(examples):
            pair = tuple(
                example[one].decode().strip() for one in (source, target)
            )
            if not all(pair):
                raise DataError(
                    f'"tfds:{name}", {part}, example {number}: a sentence is '
                    f"empty: {pair}."
                )
            yield pair

    return {
        part: list(
            itertools.islice(texts(part), most or None)
            if part == "train"
            else texts(part)
        )
        for part in PARTS
        if part in builder.info.splits
    }


def _languages(
    name: str, wanted: str | None, known: list[str], info
) -> tuple[str, str]:
    """Returns the languages of source and target."""
    if wanted is None:
        pair = info.supervised_keys or known
    else:
        pair = tuple(wanted.split(":"))
    if len(pair) == 2 and len(set(pair)) == 2 and set(pair) <= set(known):
        return tuple(pair)
    near = "".join(closest(one, known) for one in pair if one not in known)
    raise ConfigError(
        f'`languages` must be SOURCE:TARGET, two of those of "tfds:{name}": '
        f"{', '.join(known)}.{near if wanted else ''} Received: {wanted!r}."
    )
