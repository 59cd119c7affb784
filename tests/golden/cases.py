"""Small trainings of every recipe: settings, data and where to stop them.

They serve the golden records and `make same-as`. All paths are relative to
the working directory, where `write_data` puts what they read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FORMATS = "saved_model,onnx,litert"
SLIM_FORMATS = "saved_model,onnx"
TOPICS = (
    "apple pear plum cherry grape melon",
    "iron copper zinc silver gold lead",
    "crow finch robin wren eagle hawk",
)
SENTENCES = (
    "the cat sat on the mat",
    "a dog ran after the red ball",
    "seven birds sang in my old house",
)


@dataclass(frozen=True)
class Case:
    """One small training.

    Attributes:
        name: of the case; several cases may be of one recipe.
        recipe: what is trained.
        settings: of the command line, without `--epochs`.
        epochs: passes over the data.
        stop: epoch and calls of training in it after which a second run is
            interrupted; None for no second run.
        exports: further exports, each by folder: arguments of
            `toolkit export`.
        slim: whether the record holds no state of its optimizer, and no file
            of LiteRT; for large models.
    """

    name: str
    recipe: str
    settings: tuple[str, ...]
    epochs: int
    stop: tuple[int, int] | None
    exports: dict[str, tuple[str, ...]] = field(default_factory=dict)
    slim: bool = False

    @property
    def data(self) -> Path | None:
        """The file or folder that is read; None for embedded data."""
        if "--data" not in self.settings:
            return None
        return Path(self.settings[self.settings.index("--data") + 1])

    def train(self, epochs: int | None = None) -> list[str]:
        """Returns the arguments of `toolkit` that train it."""
        return [
            "train",
            self.recipe,
            *self.settings,
            "--epochs",
            str(epochs or self.epochs),
            "--export",
            SLIM_FORMATS if self.slim else FORMATS,
        ]


def _case(name, text, epochs, stop, recipe=None, slim=False, **exports):
    exports = {
        folder: tuple(arguments.split())
        for folder, arguments in exports.items()
    }
    settings = tuple(text.split())
    return Case(name, recipe or name, settings, epochs, stop, exports, slim)


CASES = {
    case.name: case
    for case in (
        _case("lenet5", "--batch-size 16 --dropout 0.1", 2, (0, 1)),
        _case(
            "lenet5_published",
            "--preset published --batch-size 128",
            1,
            None,
            "lenet5",
            slim=True,
        ),
        _case(
            "autoencoder",
            "--architecture tied --hidden 24 --code 4 --noise 0.1 "
            "--batch-size 16",
            4,
            (1, 1),
        ),
        _case(
            "autoencoder_convolutional",
            "--architecture convolutional --filters 4,6 --hidden 16 --code 2 "
            "--batch-size 128",
            2,
            None,
            "autoencoder",
        ),
        # An epoch is one call; the stop is in the middle of a row of many.
        _case(
            "encoder_8_3_8", "--inputs 4 --hidden 2 --pattern 2", 60, (4, 3)
        ),
        _case(
            "face_recognition",
            "--data data/faces --training 80",
            4,
            (1, 1),
        ),
        _case(
            "char_rnn",
            "--data data/sentences/sentences.train.txt --cell peephole_lstm "
            "--units 24 --embedding 8 --window 8 --batch-size 8 "
            "--dropout 0.1 --learning-rate 0.02",
            4,
            (1, 1),
            internal="--to litert --states internal --chunk 1",
        ),
        _case(
            "language_model",
            "--data data/sentences --units 16 --window 8 --batch-size 4 "
            "--sampled 8 --dropout 0.1 --optimizer adam "
            "--learning-rate 0.03",
            6,
            (2, 1),
        ),
        _case(
            "language_model_tree",
            "--data data/sentences --units 16 --window 12 --batch-size 8 "
            "--cell elman --tied false --objective hierarchical_softmax "
            "--dropout 0.0 --optimizer adam --learning-rate 0.03",
            4,
            None,
            "language_model",
        ),
        _case(
            "seq2seq",
            "--data data/dates.tsv --units 24 --embedding 12 "
            "--attention additive --beam-width 2 --batch-size 16 "
            "--dropout 0.05 --learning-rate 0.02",
            10,
            (3, 2),
        ),
        _case(
            "sequence_classifier",
            "--cell gru --bidirectional true --units 12 --shortest 0.5 "
            "--size 8 --batch-size 16 --dropout 0.1",
            2,
            (1, 1),
        ),
        _case(
            "sequence_classifier_lstm",
            "--cell lstm --units 12 --layers 2 --size 8 --batch-size 128",
            1,
            None,
            "sequence_classifier",
            streaming="--to onnx,litert --streaming",
        ),
        _case("softmax_regression", "--batch-size 16", 3, (1, 1)),
        _case(
            "word2vec",
            "--data data/topics.txt --vector-size 12 --batch-words 2048 "
            "--sample 0",
            2,
            (1, 2),
        ),
        _case(
            "word2vec_tree",
            "--data data/topics.txt --vector-size 12 --batch-words 2048 "
            "--objective hierarchical_softmax",
            1,
            None,
            "word2vec",
        ),
    )
}  # fmt: skip


def write_data(folder: Path) -> None:
    """Writes what the cases read: texts, pairs and head pictures.

    Args:
        folder: takes `data`.
    """
    rng = np.random.default_rng(0)
    sentences = folder / "data" / "sentences"
    sentences.mkdir(parents=True)
    for name, count in (("train", 300), ("valid", 60), ("test", 60)):
        chosen = (SENTENCES[i] for i in rng.integers(0, 3, count))
        (sentences / f"sentences.{name}.txt").write_text(
            "".join(f"{sentence}\n" for sentence in chosen)
        )
    topics = [topic.split() for topic in TOPICS]
    (folder / "data" / "topics.txt").write_text(
        "".join(
            " ".join(rng.choice(topics[rng.integers(3)], 8)) + "\n"
            for _ in range(1500)
        )
    )
    (folder / "data" / "dates.tsv").write_text(
        "".join(f"{human}\t{iso}\n" for human, iso in _dates(rng, 800))
    )
    _write_faces(folder / "data" / "faces" / "faces_4", rng)


def _dates(rng, count: int):
    """Returns distinct dates, as people write them and as ISO 8601."""
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    days = rng.choice(12 * 28 * 40, count, replace=False)
    for day in map(int, days):
        year, rest = 1980 + day // 336, day % 336
        month, number = rest // 28, rest % 28 + 1
        yield (
            f"{number} {months[month]} {year}",
            f"{year}-{month + 1:02}-{number:02}",
        )


def _write_faces(folder: Path, rng) -> None:
    """Writes ellipses with eyes where each pose has them, as PGM."""
    rows, columns = np.mgrid[:30, :32]
    eyes = {"left": (13, 10), "right": (13, 22), "straight": (13, 16),
            "up": (7, 16)}  # fmt: skip
    for person in ("ada", "bob", "cyd", "dee"):
        (folder / person).mkdir(parents=True)
        width, ground = rng.integers(8, 12), rng.integers(20, 90)
        for pose, (row, column) in eyes.items():
            for expression in ("happy", "sad", "angry", "neutral"):
                for worn in ("open", "sunglasses"):
                    inside = ((rows - 15) / 13) ** 2 + (
                        (columns - column) / width
                    ) ** 2 < 1
                    image = np.where(inside, 170, ground)
                    band = 1 if worn == "open" else 3
                    dark = (np.abs(rows - row) <= band) & (
                        np.abs(np.abs(columns - column) - 4) <= band
                    )
                    image = np.where(inside & dark, 30, image)
                    image = image + 8 * rng.integers(0, 2, image.shape)
                    name = f"{person}_{pose}_{expression}_{worn}_4.pgm"
                    (folder / person / name).write_bytes(
                        b"P5\n32 30\n255\n" + image.astype(np.uint8).tobytes()
                    )
