"""From a source string to pairs of sentences in three splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.dates import date_pairs
from toolkit.data.pair_files import (
    PARTS,
    read_folder,
    read_pairs,
    read_tfds_pairs,
)
from toolkit.data.pair_splits import shared, swallowed, take_apart
from toolkit.data.texts import EMBEDDED, TFDS
from toolkit.errors import ConfigError, DataError, closest
from toolkit.whole_numbers import check_whole

Pair = tuple[str, str]
EMBEDDED_PAIRS = 20_000


@dataclass(frozen=True)
class PairData:
    """Pairs of a source and a target text, in three splits.

    Attributes:
        train: what the model learns from.
        validation: what chooses between epochs and settings.
        test: what is looked at once, at the end.
        source: the source string.
        sha256: of all pairs as lines `source<TAB>target` in UTF-8, with an
            empty line behind each split; hexadecimal.
        notes: what a user should know of them.
    """

    train: Sequence[Pair]
    validation: Sequence[Pair]
    test: Sequence[Pair]
    source: str
    sha256: str
    notes: tuple[str, ...] = ()


def load_pairs(
    source: str = EMBEDDED,
    *,
    languages: str | None = None,
    swap: bool = False,
    max_pairs: int = 0,
    validation: int | None = None,
    test: int | None = None,
    distinct: str = "target",
    seed: int = 0,
    data_dir: str | None = None,
) -> PairData:
    """Loads pairs of sentences and settles their splits.

    Splits of the source's own are kept; those it does not have are taken from
    its training pairs by the hash of a sentence, so that no seed and no order
    moves them and all pairs with one sentence are in one split.

    Args:
        source: `embedded` (dates as people write them and in ISO 8601, see
            `toolkit.data.dates`), `tfds:NAME` of a translation set, the path
            of a file of `source<TAB>target` lines (also .gz), or of a folder
            with such files called train, validation and test (.tsv, .tsv.gz).
        languages: `SOURCE:TARGET` for `tfds:`, such as `fr:en`; by default
            the direction that the set has.
        swap: whether source and target change places.
        max_pairs: how many to take at most of a file or of a training split,
            the first ones; 0 for all, which means 20,000 of the embedded.
        validation: how many pairs are set apart; by default 1,000 or 5 %,
            whichever is less. The last sentence may bring a few more.
        test: as `validation`.
        distinct: the side, after the swap, of which no sentence is in two
            splits: `target`, `source` or `both`.
        seed: of the embedded dates.
        data_dir: TFDS data directory; by default TFDS_DATA_DIR, else
            `~/tensorflow_datasets`.

    Raises:
        ConfigError: an option that does not fit.
        DataError: the source does not exist, is damaged, or has too few pairs.

    Example:
    >>> from toolkit.data import load_pairs
    >>> data = load_pairs("embedded", max_pairs=2000)
    >>> len(data.train), len(data.validation), len(data.test)
    (1800, 100, 100)
    >>> data.test[0]
    ('SUN 29 JAN 2023', '2023-01-29')
    """
    check_whole("max_pairs", max_pairs, 0)
    if languages is not None and not source.startswith(TFDS):
        raise ConfigError(
            "`languages` chooses those of a tfds: set; swap=True turns other "
            f"pairs round. Received: languages={languages!r} for {source!r}."
        )
    parts, skipped = _read(source, languages, max_pairs, seed, data_dir)
    if max_pairs:
        parts["train"] = parts["train"][:max_pairs]
    if swap:
        parts = {
            name: [(target, text) for text, target in pairs]
            for name, pairs in parts.items()
        }
    notes = [f"{skipped:,} empty lines were skipped."] if skipped else []
    total = sum(map(len, parts.values()))
    repeats = total - len({pair for part in parts.values() for pair in part})
    if repeats:
        notes.append(f"{repeats:,} of {total:,} pairs repeat an earlier one.")
    wanted = {}
    for name, number in (("test", test), ("validation", validation)):
        if name not in parts:
            wanted[name] = number
        elif number is not None:
            raise ConfigError(
                f'"{source}" has a {name} split of its own; leave `{name}` '
                f"out. Received: {name}={number}."
            )
    given = [name for name in PARTS[1:] if name in parts]
    try:
        made = take_apart(parts["train"], wanted, distinct)
        parts |= made
        notes += swallowed(made, wanted, distinct)
    except DataError as error:
        raise DataError(f'"{source}": {error}') from error
    for name in given:
        if count := shared(parts["train"], parts[name], distinct):
            side = "sentence" if distinct == "both" else distinct
            notes.append(
                f"{count:,} of {len(parts[name]):,} {name} pairs have a "
                f"{side} that training has too; the splits are the source's."
            )
    return PairData(
        *(parts[name] for name in PARTS),
        source,
        _sha256(parts[name] for name in PARTS),
        tuple(notes),
    )


def _read(
    source: str,
    languages: str | None,
    max_pairs: int,
    seed: int,
    data_dir: str | None,
) -> tuple[dict[str, list[Pair]], int]:
    """Returns pairs by split, and how many empty lines were skipped."""
    if source == EMBEDDED:
        return {"train": date_pairs(max_pairs or EMBEDDED_PAIRS, seed)}, 0
    if source.startswith(TFDS):
        name = source.removeprefix(TFDS)
        return read_tfds_pairs(name, languages, max_pairs, data_dir), 0
    path = Path(source).expanduser()
    if path.is_dir():
        return read_folder(path)
    if not path.exists():
        raise DataError(
            f'There is no data source "{source}".'
            f"{closest(source, [EMBEDDED])} Give embedded, tfds:NAME (such as "
            "tfds:ted_hrlr_translate/pt_to_en), or the path of a file of "
            "tab-separated pairs or of a folder with train.tsv."
        )
    pairs, skipped = read_pairs(path)
    return {"train": pairs}, skipped


def _sha256(parts: Iterable[Sequence[Pair]]) -> str:
    found = hashlib.sha256()
    for pairs in parts:
        for pair in pairs:
            found.update(("\t".join(pair) + "\n").encode())
        found.update(b"\n")
    return found.hexdigest()
