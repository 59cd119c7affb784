"""Runs exported models without TensorFlow; one file, copy it anywhere.

    from runtime import load
    load("lenet5.onnx").predict("digit.png")     # [("7", 0.998), ...]
    load("autoencoder.onnx").anomaly("x.png")    # {"score": 3.1, ...}
    load("word2vec.onnx").neighbours("king")     # [("queen", 0.78), ...]
    load("seq2seq.onnx").translate("3 May 1998")            # "1998-05-03"
    stream("char_rnn.tflite").generate("The ", length=50)   # text that goes on

    python runtime.py lenet5.onnx digit.png
    python runtime.py word2vec.tflite --analogy man king woman
    python runtime.py seq2seq.tflite --text "3 May 1998"
    python runtime.py char_rnn.tflite --prompt "The " --length 50

Needs numpy, pillow for pictures, sentencepiece for subwords, and the runtime of
the file's format: onnxruntime for .onnx, ai-edge-litert for .tflite, tensorflow
for a SavedModel directory.
"""

from __future__ import annotations

import argparse
import base64
import copy
import difflib
import functools
import hashlib
import io
import itertools
import json
import math
import re
import reprlib
import sys
import threading
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DEFAULT_SIGNATURE = "serving_default"
STREAMING = "streaming"
# Tasks
WORD_VECTORS, LANGUAGE_MODEL, TRANSLATION = (
    "word_vectors", "text_generation", "translation",
)  # fmt: skip
NEIGHBOURS, ANALOGY = "neighbours", "analogy"  # signatures of word vectors
ROWS = 65_536  # vectors looked up at once
CANDIDATES = 5_000  # spellings that an unknown word is held against
NO_ANSWER = -1.5  # no cosine is below it; a graph writes -2 into empty places
SHORTEST = 1e-12  # a sum of unit vectors below it is zeros but for rounding
CLASSES_SHOWN, WORDS_SHOWN = 3, 10  # on the command line
STRANGE_SHOWN = 10  # characters in a message
PAD, START, END, UNKNOWN = range(4)  # of a text that is translated
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
UNKNOWN_WORD, END_OF_LINE = "<unk>", "<eos>"  # of a running text
SPELLED = {"\u2019": "'", "\u2010": "-", "\u2011": "-", "\u00ad": ""}
LAST_LETTER = 0x40000  # combining marks behind it count as no letters
DIGITS = "zero one two three four five six seven eight nine".split()
METADATA = "metadata.json"
FORMAT_VERSION = "format_version"  # a file of this toolkit says it
MOST_METADATA = 2**28  # bytes
MOST_PIXELS = 2**27  # of a picture
MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV")  # of a picture
CHECKSUM, SHA256 = "checksum", "sha256:"
# In an .onnx file the checksum is of the whole file, with zeros in its place:
# the entry (0x72, 83 bytes) of this name (0x0A, 8 bytes) with a text of 71
# bytes (0x12) lies behind the graph.
ONNX_CHECKSUM = b"\x72\x53\x0a\x08checksum\x12\x47sha256:"
NO_CHECKSUM = b"0" * 64
# Width, height and the largest value, behind blanks and comments of any length
BETWEEN = rb"(?:\s|#[^\r\n]*[\r\n])+"
PGM_HEADER = re.compile(rb"P\d" + 2 * (BETWEEN + rb"\d+") + BETWEEN + rb"(\d+)")
ZIP_OF_METADATA = re.compile(rb"PK\x03\x04.{26}metadata\.json", re.DOTALL)
NO_CLASSES = {  # what a file is for that does not classify, by task
    WORD_VECTORS: "holds word vectors, no classes. Ask with `neighbours`, "
    "`analogy` or `vector` (--neighbours WORD).",
    TRANSLATION: "translates, it does not classify. Ask with `translate` "
    "(--text TEXT).",
    LANGUAGE_MODEL: "is a language model, no classifier. It goes on with a "
    "text: `stream(path).generate(prompt)`, or toolkit generate.",
}
NUMPY_NAMES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    "tensor(string)": "str",
}


class ModelError(ValueError):
    """A file that cannot be run: missing, damaged or of another kind."""


class InputError(ValueError):
    """An input that does not fit the model."""


class Model:
    """An exported model in its runtime; `load` makes it.

    A model may be shared by several threads, with its twins of
    `with_signature`: each call gets the answer to its own inputs, of any batch
    size. ONNX Runtime and TensorFlow compute several calls at once; LiteRT's
    interpreter holds one call at a time, so that the others wait. For parallel
    answers from LiteRT, `load` the file once per thread.

    Attributes:
        path: the file.
        metadata: what the file says of itself; empty if it says nothing.
        inputs: (shape, dtype) by input name; open sizes are strings or -1.
        outputs: the same of the outputs.
        signatures: names of all the callables in the file; `load` takes one.
        signature: the one that is loaded; None if the file names none.
    """

    def __init__(
        self,
        path: Path,
        metadata: dict[str, Any],
        signatures: Iterable[str] = (),
        signature: str | None = None,
    ):
        self.path = path
        self.metadata = metadata
        fault = metadata_fault(metadata)
        if fault and FORMAT_VERSION in metadata:
            raise _damaged_metadata(path, fault)
        self._fault = fault  # of another tool's entries, told when they matter
        self.signatures = tuple(signatures)
        self.signature = signature
        self.inputs: dict[str, tuple[tuple, str]] = {}
        self.outputs: dict[str, tuple[tuple, str]] = {}
        # Held wherever a call could disturb another one; twins share it. A
        # thread that holds it may take it again: words ask the model.
        self._lock = threading.RLock()
        self._words: Words | None = None
        self._translator: Translator | None = None

    def run(self, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Runs the model once.

        Args:
            arrays: one array per input, by name.

        Returns:
            Outputs by name.

        Raises:
            InputError: a name, a rank or a size that does not fit.
        """
        if set(arrays) != set(self.inputs):
            raise InputError(
                f"The model takes the inputs {', '.join(self.inputs)}. "
                f"Received: {', '.join(map(str, arrays)) or 'none'}."
            )
        checked = {}
        for name, value in arrays.items():
            shape, dtype = self.inputs[name]
            value = _array(name, value, dtype)
            fits = not shape or (
                value.ndim == len(shape)
                and all(
                    not isinstance(wanted, int) or wanted < 0 or wanted == got
                    for wanted, got in zip(shape, value.shape, strict=True)
                )
            )
            if not fits:
                raise InputError(
                    f'The input "{name}" must have shape {list(shape)}. '
                    f"Received: {list(value.shape)}."
                )
            if 0 in value.shape:
                raise InputError(
                    f'The input "{name}" is empty: it has shape '
                    f"{list(value.shape)}. Give at least one of each."
                )
            checked[name] = value
        self._check_axes(checked)
        return self._run(checked)

    def _check_axes(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises if inputs that share an open axis differ along it."""
        if self._fault:
            return
        described = self.metadata.get("signatures") or {}
        inputs = described.get(self.signature, self.metadata).get("inputs", {})
        seen: dict[str, tuple[str, int]] = {}
        for name, value in arrays.items():
            shape = inputs.get(name, {}).get("shape", [])
            for axis, size in zip(shape, value.shape, strict=False):
                if not isinstance(axis, str):
                    continue
                other, wanted = seen.setdefault(axis, (name, size))
                if size != wanted:
                    raise InputError(
                        f'The input "{name}" has {axis} {size}, "{other}" has '
                        f"{axis} {wanted}. They must agree."
                    )

    def _run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def call(self, signature: str) -> None:
        """Calls a signature without inputs that changes the model's state.

        The state is that of the loaded file: all threads and twins share it.
        """
        raise ModelError(f'"{self.path}" has no memory to change.')

    def predict(
        self,
        image: Any,
        top: int | None = None,
        fit: bool = False,
        invert: bool = False,
        *,
        allow_nan: bool = False,
    ) -> Any:
        """Classifies a picture, or each of a list of pictures.

        Args:
            image: a file's path, a PIL image or a uint8 array `(height,
                width)` or `(height, width, channels)`; or a list of them.
            top: number of classes to return, at least 1; all by default, and
                where the model has fewer.
            fit: resize and convert pictures of another size or mode.
                Transparent parts become white.
            invert: swap dark and light first, for dark ink on light paper
                where the model learned light ink on dark ground.
            allow_nan: whether an answer that holds NaN is returned; else it is
                an error.

        Returns:
            Pairs (label, probability), the likeliest first; of a list, a list
            of those. Of a model without probabilities: (label, number). NaN,
            where it is allowed, comes last.

        Raises:
            InputError: a picture that cannot be read or does not fit, an empty
                list, a `top` below 1, or a model that is no classifier of
                pictures.
            ModelError: an answer holds NaN: the file is damaged, or its
                weights are no numbers.
        """
        _check_top(top)
        self._check_metadata()
        if hint := NO_CLASSES.get(self.metadata.get("task")):
            raise InputError(f'"{self.path}" {hint}')
        self._check_whole()
        if self.metadata.get("anomaly_threshold") is not None:
            raise InputError(
                f'"{self.path}" is no classifier: it gives pictures back. '
                "`anomaly` says how unusual one is, `run` takes arrays."
            )
        if not (self.metadata.get("labels") or self.metadata.get("activation")):
            raise self._numbers()
        many = isinstance(image, list | tuple)
        images = image if many else [image]
        rows = self._outputs(self._batch(images, fit, invert))
        classes = [self._classes(row) for row in rows]
        if not allow_nan:
            self._refuse_nan(classes, images)
        answers = [self._label(row, top) for row in classes]
        return answers if many else answers[0]

    def anomaly(
        self,
        image: Any,
        fit: bool = False,
        invert: bool = False,
        *,
        allow_nan: bool = False,
    ) -> Any:
        """Says how unusual a picture is to an autoencoder, or each of a list.

        Args:
            image: as for `predict`.
            fit: as for `predict`.
            invert: as for `predict`.
            allow_nan: as for `predict`; NaN is not above the threshold.

        Returns:
            A dict: `score`, the squared error of what the model makes of the
            picture, summed over its input values; `threshold`, which the
            model's file holds; `unusual`, whether the score is above it. Of a
            list, a list of those.

        Raises:
            InputError: a picture that cannot be read or does not fit, an empty
                list, or a model that is no autoencoder of pictures.
            ModelError: as for `predict`.
        """
        self._check_metadata()
        self._check_whole()
        threshold = self.metadata.get("anomaly_threshold")
        if threshold is None:
            raise InputError(
                f'"{self.path}" holds no threshold of anomaly: it is no '
                "autoencoder from a run. Use `predict` or `run`."
            )
        many = isinstance(image, list | tuple)
        images = image if many else [image]
        batch = self._batch(images, fit, invert)
        errors = np.square(self._outputs(batch).astype(np.float64) - batch)
        if not allow_nan:
            self._refuse_nan(errors, images)
        answers = [
            {
                "score": float(score),
                "threshold": float(threshold),
                "unusual": bool(score > threshold),
            }
            for score in errors.reshape(len(batch), -1).sum(axis=1)
        ]
        return answers if many else answers[0]

    def vector(self, word: str) -> np.ndarray:
        """Returns the vector of a word, float32 `(size,)`.

        Raises:
            InputError: a word that is unknown; offers the closest spellings.
                Or the model is none of word vectors.
        """
        return self._words_of().vector(word)

    def neighbours(self, word: str, k: int = 10) -> list[tuple[str, float]]:
        """Returns the words whose vectors point the most alike.

        A file with the signature `neighbours` answers from its own graph. A
        lone .onnx file of vectors, and a `k` above the graph's, takes all
        vectors out of the file, once, and computes the same in NumPy.

        Args:
            word: one of the model's; it is not among its neighbours.
            k: how many; fewer if there are no more.

        Returns:
            Pairs of a word and its cosine, the highest first.

        Raises:
            InputError: a word that is unknown or has a vector of zeros, a `k`
                that is none or more than this file can answer, or a model
                that is none of word vectors.
        """
        return self._words_of().neighbours(word, k)

    def analogy(
        self, first: str, second: str, third: str, k: int = 10
    ) -> list[tuple[str, float]]:
        """Returns what is to `third` as `second` is to `first`.

        They are the words nearest `second - first + third`, of vectors at
        length 1, but for the three (3CosAdd).

        Args:
            first: such as `man`.
            second: such as `king`.
            third: such as `woman`.
            k: as for `neighbours`.

        Returns:
            Pairs of a word and its cosine with that sum, the highest first.

        Raises:
            InputError: as for `neighbours`.
        """
        return self._words_of().analogy(first, second, third, k)

    def translate(self, text: Any) -> Any:
        """Translates a text, or each of a list.

        Search and tokenizers are in the file.

        Args:
            text: a string, or a list of them.

        Returns:
            What the model writes, a string; of a list, a list of those.

        Raises:
            InputError: a text that holds nothing that is known, or a model
                that does not translate.
            ModelError: tokenizers that are damaged or those of another model,
                or subwords without the package `sentencepiece`.
        """
        many = isinstance(text, list | tuple)
        found = self._translator_of().translate(text if many else [text])
        return found if many else found[0]

    def _translator_of(self) -> Translator:
        self._check_metadata()
        with self._lock:
            if self._translator is None:
                self._translator = Translator(self)
            return self._translator

    def _words_of(self) -> Words:
        self._check_metadata()
        with self._lock:
            if self._words is None:
                self._words = Words(self)
            return self._words

    def with_signature(self, signature: str) -> Model:
        """Returns the same file's callable of another name.

        Both use one runtime and one lock, and may be called from different
        threads.

        Raises:
            ModelError: the file has none of that name.
        """
        if signature not in self.signatures:
            raise _no_signature(self.path, signature, self.signatures)
        twin = copy.copy(self)
        with self._lock:
            twin._select(signature)
        return twin

    def _select(self, signature: str | None) -> None:
        """Sets what depends on the signature."""
        self.signature = signature
        self.inputs, self.outputs = {}, {}
        self._words = self._translator = None

    def _check_metadata(self) -> None:
        if self._fault:
            raise _damaged_metadata(self.path, self._fault)

    def _check_whole(self) -> None:
        """Raises for an inner model: the metadata speaks of the whole one."""
        if self.signatures and self.signature != _default(self.signatures):
            raise self._numbers()

    def _numbers(self) -> InputError:
        told = self.signature or DEFAULT_SIGNATURE
        inner = "" if told == DEFAULT_SIGNATURE else f', signature "{told}",'
        return InputError(
            f'"{self.path}"{inner} gives numbers, not classes. Use `run` with '
            "arrays; a classifier's file has `labels` or an `activation` in "
            "its metadata."
        )

    def _batch(self, images, fit: bool, invert: bool) -> np.ndarray:
        if not images:
            raise InputError(
                "There is no picture to ask about. Give at least one. "
                f"Received: {images!r}."
            )
        return np.stack(
            [self.preprocess(item, fit=fit, invert=invert) for item in images]
        )

    def _outputs(self, batch: np.ndarray) -> np.ndarray:
        """Returns the only output of a batch, also where its size is fixed."""
        (name,) = self.inputs
        shape = self.inputs[name][0]
        if shape and isinstance(shape[0], int) and shape[0] == 1:
            parts = [
                self.run({name: batch[i : i + 1]}) for i in range(len(batch))
            ]
            return np.concatenate([next(iter(p.values())) for p in parts])
        return next(iter(self.run({name: batch}).values()))

    def _refuse_nan(self, answers: Sequence, images: Sequence) -> None:
        """Raises if an answer holds NaN, and names the picture."""
        for place, answer in enumerate(answers):
            if np.isnan(answer).any():
                name = images[place]
                if not isinstance(name, str | Path):
                    name = f"picture {place + 1} of {len(images)}"
                raise _nan(
                    self.path,
                    f' to "{name}"',
                    " allow_nan=True (--allow-nan) returns such answers.",
                )

    def _classes(self, row: np.ndarray) -> np.ndarray:
        """Returns a number per class for an output of the model."""
        row = np.atleast_1d(row)
        if row.size == 1 and self.metadata.get("activation") == "sigmoid":
            row = np.array([1.0 - row[0], row[0]])
        if self.metadata.get("activation") == "shares":
            row = row / row.sum()
        if self.metadata.get("activation") == "penalties":
            row = _posteriors(row, self.metadata["rubbish_penalty"])
        return row

    def _label(self, row: np.ndarray, top: int | None) -> list:
        labels = self.metadata.get("labels") or range(row.size)
        if len(labels) != row.size:
            raise ModelError(
                f'"{self.path}" names {len(labels)} labels for {row.size} '
                "outputs."
            )
        best = np.argsort(-row, kind="stable")[:top]
        return [(str(labels[i]), float(row[i])) for i in best]

    def preprocess(
        self, image: Any, fit: bool = False, invert: bool = False
    ) -> np.ndarray:
        """Turns a picture into the model's input, as training did.

        Args:
            image: as for `predict`, a single one.
            fit: as for `predict`.
            invert: as for `predict`.

        Returns:
            float32 `(height, width, channels)`, or the rows of the picture as
            steps, `(height, width * channels)`, where the model reads those.
        """
        self._check_metadata()
        rules = self.metadata.get("preprocessing")
        if not rules or rules.get("kind") != "image":
            raise InputError(
                f'"{self.path}" does not say how pictures become inputs. Use '
                "`run` with arrays."
            )
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise InputError(
                f'"{self.path}" has {len(self.inputs)} inputs and '
                f"{len(self.outputs)} outputs; `predict` takes one of each. "
                "Use `run`."
            )
        picture = _open(image, rules.get("grey_values") == "stored")
        picture = _to_mode(picture, rules["mode"], fit, image)
        picture = _to_size(picture, rules, fit, image)
        pixels = np.asarray(picture, np.uint8)
        if invert:
            pixels = 255 - pixels
        pixels = _pad(
            pixels.reshape(*pixels.shape[:2], -1), rules["size"], image
        )
        if rules.get("layout") == "rows":
            pixels = pixels.reshape(len(pixels), -1)
        return pixels.astype(np.float32) * np.float32(
            rules["scale"]
        ) + np.float32(rules["offset"])


class Stream:
    """A recurrent model that is fed chunk by chunk; `stream` makes it.

    Any cut into chunks gives what the whole sequence gives. Between two
    sequences it has to be told to `reset`.

    A stream is one sequence: feed it from one thread. Chunks of several
    threads do not mix up its states, since each waits for the one before, but
    they are taken in the order in which they happen to come. `generate` writes
    one text after the other, whichever threads ask. Several streams may share
    one loaded model, each in a thread of its own, where the states are inputs
    and outputs of the file. A file that keeps its states itself
    (`states="internal"`) keeps one set per `load`: load it once per stream.

    Attributes:
        model: the file's signature `streaming`.
        inputs: names of the inputs that a chunk has.
        states: explicit states by name; empty before the first chunk, and
            where the file keeps them itself.
        batch: sequences side by side; None if their number is open.
        steps: of a chunk; None if their number is open.
    """

    def __init__(self, model: Model):
        self.model = model
        self._lock = threading.RLock()  # around a step: read states, run, keep
        self._writer: Writer | None = None
        about = model.metadata["states"]
        self._next: dict[str, str] = about.get("next", {})
        self._reset = about.get("reset")
        self.inputs = [name for name in model.inputs if name not in self._next]
        self.states: dict[str, np.ndarray] = {}
        shape = model.inputs[about["sequences"][0]][0]
        self.batch, self.steps = (
            shape[axis] if _is_fixed(shape[axis]) else None for axis in (0, 1)
        )
        strange = {*self._next} - {*model.inputs}
        strange |= {*self._next.values()} - {*model.outputs}
        if strange:
            raise KeyError(min(strange))
        if self._reset:
            self.reset()

    def run(self, chunk: Any) -> dict[str, np.ndarray]:
        """Feeds a chunk.

        Args:
            chunk: an array `(batch, time, ...)`, or arrays by input name.

        Returns:
            Outputs by name: those of the steps of the chunk, or the state of
            things after it.

        Raises:
            InputError: a chunk without a step, of another length than the
                file's, or of another batch size than the one before.
        """
        if not isinstance(chunk, Mapping):
            chunk = {self.inputs[0]: chunk}
        arrays = {name: _array(name, value) for name, value in chunk.items()}
        given = sorted(set(arrays) & set(self._next))
        if given:
            raise InputError(
                f"The stream keeps the states {', '.join(given)} itself. Leave "
                "them out of the chunk; `states` holds them, to be exchanged."
            )
        with self._lock:
            states = self.states or self._zeros(arrays)
            found = self.model.run({**arrays, **states})
            self.states = {
                name: found.pop(after) for name, after in self._next.items()
            }
        return found

    def reset(self) -> None:
        """Begins a new sequence: all states are 0 again."""
        with self._lock:
            self.states = {}
            if self._reset:
                self.model.call(self._reset)

    def begin(self):
        """Resets, and returns `run`."""
        self.reset()
        return self.run

    def generate(
        self,
        prompt: str = "",
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        seed: int = 0,
    ) -> str:
        """Returns how a language model goes on with a text, begun anew.

        Args:
            prompt: what the text begins with, which is not returned; a new
                line if empty.
            length: how many characters or words to write.
            temperature: above 0; below 1 the likely gets likelier.
            top_k: draw from so many likeliest tokens; 0: all, 1: greedy.
            seed: a whole number of at least 0; the same one writes the same.

        Raises:
            InputError: something in the prompt that is not known, a setting
                out of range, or a model that is no language model.
            ModelError: a file that was exported for other chunks than one
                token of one text, or a vocabulary that is damaged or that of
                another model.
        """
        with self._lock:  # one text after the other
            settings = length, temperature, top_k, seed
            return "".join(self.write(prompt, *settings))

    def write(
        self,
        prompt: str = "",
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        seed: int = 0,
    ) -> Iterator[str]:
        """Yields what `generate` returns, token by token.

        The prompt is read at once; the stream serves one text at a time:
        take all of a text before the next one is begun.
        """
        with self._lock:
            if self._writer is None:
                self._writer = Writer(self)
        return self._writer.write(prompt, length, temperature, top_k, seed)

    def _zeros(self, arrays: Mapping) -> dict[str, np.ndarray]:
        batch = max((len(a) for a in arrays.values() if a.ndim), default=1)
        found = {}
        for name in self._next:
            shape, dtype = self.model.inputs[name]
            size = shape[0] if _is_fixed(shape[0]) else batch
            found[name] = np.zeros((size, *shape[1:]), dtype)
        return found


class Words:
    """What is asked of word vectors; `Model.neighbours` and others use it.

    May be shared by several threads, as the model may.

    Args:
        model: from a file with words in its metadata.

    Attributes:
        words: by their numbers.

    Raises:
        InputError: the file has none.
    """

    def __init__(self, model: Model):
        words = model.metadata.get("vocabulary")
        if model.metadata.get("task") != WORD_VECTORS or not words:
            raise InputError(
                f'"{model.path}" is no file of word vectors: it does not hold '
                "their words. `run` takes arrays."
            )
        if set(map(type, words)) != {str}:
            strange = next(w for w in words if not isinstance(w, str))
            raise _damaged_metadata(
                model.path,
                "`vocabulary` must hold texts. Received: "
                f"{_shown(strange)} among them.",
            )
        self.words: list[str] = words
        self._model = model
        self._parts: dict[str, Model | None] = {}
        self._numbers: dict[str, int] = {}
        self._units: np.ndarray | None = None
        self._zeros: np.ndarray | None = None

    def number(self, word: str) -> int:
        """Returns the number of a word; raises with the closest spellings."""
        with self._model._lock:
            if not self._numbers:
                self._numbers = {w: n for n, w in enumerate(self.words)}
        return _number(word, self._numbers, self._model.path)

    def vector(self, word: str) -> np.ndarray:
        """As `Model.vector`."""
        number = self.number(word)
        part = self._part(DEFAULT_SIGNATURE)
        if part is None:
            raise self._unanswered(DEFAULT_SIGNATURE)
        found = next(iter(_ask(part, [number]).values()))[0]
        if np.isnan(found).any():
            raise _nan(self._model.path, f" to {_quoted(word)}")
        return found

    def neighbours(self, word: str, k: int) -> list[tuple[str, float]]:
        """As `Model.neighbours`."""
        number = self.number(word)
        found = self._graph(NEIGHBOURS, [number], k)
        if found is None:
            found = self._highest(self.units()[number], [number], k)
        if not found:
            raise InputError(
                f'"{word}" has no neighbours: its vector, or that of every '
                "other word, is zeros."
            )
        return found

    def analogy(
        self, first: str, second: str, third: str, k: int
    ) -> list[tuple[str, float]]:
        """As `Model.analogy`."""
        numbers = [self.number(word) for word in (first, second, third)]
        found = self._graph(ANALOGY, numbers, k)
        if found is None:
            one, two, three = self.units()[numbers]
            query = two - one + three
            length = float(np.linalg.norm(query))
            query = query / max(length, SHORTEST)
            found = self._highest(query, numbers, k)
        if not found:
            raise InputError(
                f'"{second}" - "{first}" + "{third}" has no neighbours: the '
                "sum, or the vector of every other word, is zeros."
            )
        return found

    def units(self) -> np.ndarray:
        """Returns all vectors at length 1, float32; zeros stay zeros.

        Raises:
            InputError: the file does not give vectors away.
        """
        with self._model._lock:  # all vectors are taken out of the file once
            if self._units is None:
                self._units = self._all_units()
            return self._units

    def _all_units(self) -> np.ndarray:
        part = self._part(DEFAULT_SIGNATURE)
        if part is None:
            raise self._unanswered(DEFAULT_SIGNATURE)
        ((shape, _),) = part.inputs.values()
        step = shape[0] if shape and _is_fixed(shape[0]) else ROWS
        count = len(self.words)
        for start in range(0, count, step):
            numbers = np.arange(start, start + step, dtype=np.int32)
            numbers = np.minimum(numbers, count - 1)
            (rows,) = part.run(dict.fromkeys(part.inputs, numbers)).values()
            # Squares of float32 neither overflow nor vanish in float64.
            rows = rows[: count - start].astype(np.float64)
            lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
            if np.isnan(lengths).any():
                raise _nan(self._model.path)
            if not start:
                units = np.empty((count, rows.shape[1]), np.float32)
            units[start : start + step] = (
                rows / np.where(lengths, lengths, 1.0)[:, None]
            )
        return units

    def _part(self, signature: str) -> Model | None:
        """Returns a callable of the file; None if there is none."""
        model = self._model
        with model._lock:
            if signature not in self._parts:
                part = None
                if model.signature == signature:
                    part = model
                elif signature in model.signatures:
                    part = model.with_signature(signature)
                self._parts[signature] = part
            return self._parts[signature]

    def _graph(
        self, signature: str, numbers: list[int], k: int
    ) -> list[tuple[str, float]] | None:
        """Asks the file's own graph; returns None if it cannot tell."""
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise InputError(
                f"`k` must be a whole number of at least 1. Received: {k!r}."
            )
        part = self._part(signature)
        if part is None:
            if self._part(DEFAULT_SIGNATURE) is None:
                raise self._unanswered(signature)
            return None
        answer = _ask(part, numbers)
        found = [answer[name][0] for name in ("neighbours", "similarities")]
        if np.isnan(found[1]).any():
            asked = ", ".join(_quoted(self.words[n]) for n in numbers)
            raise _nan(part.path, f" to {asked}")
        inside = len(found[0])
        if inside and found[0].max() >= len(self.words):
            raise _damaged_metadata(
                part.path,
                f"`vocabulary` has {len(self.words)} words, but its model "
                f"answers with number {found[0].max()}.",
            )
        if inside < min(k, len(self.words)):
            if self._part(DEFAULT_SIGNATURE) is None:
                raise InputError(
                    f'"{part.path}" answers with {inside} words, as it was '
                    f"exported. Received: k={k}. Ask for fewer, or take the "
                    "file of the vectors themselves."
                )
            return None
        return [
            (self.words[number], float(value))
            for number, value in zip(*found, strict=True)
            if value > NO_ANSWER
        ][:k]

    def _highest(
        self, query: np.ndarray, left_out: list[int], k: int
    ) -> list[tuple[str, float]]:
        """Returns the words nearest a query of length 1; none to zeros."""
        units = self.units()
        if not query.any():
            return []
        scores = units @ query
        if self._zeros is None:
            self._zeros = np.flatnonzero(~units.any(axis=1))
        scores[left_out] = scores[self._zeros] = -np.inf
        k = min(k, int(np.count_nonzero(scores > -np.inf)))
        if not k:
            return []
        # Partition finds the k-th score; all that reach it are then sorted,
        # so that which of equal words are returned is settled.
        reach = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
        best = reach[np.argsort(-scores[reach], kind="stable")][:k]
        return [(self.words[n], float(scores[n])) for n in best]

    def _unanswered(self, signature: str) -> InputError:
        """Returns the error of a file without what a question needs."""
        path, held = self._model.path, self._model.signature
        stem = path.stem.removesuffix(f"_{held}")
        names = [stem + path.suffix]  # it answers everything
        if signature != DEFAULT_SIGNATURE:
            names.append(f"{stem}_{signature}{path.suffix}")
        twins = [str(path.with_name(name)) for name in names]
        beside = [f'"{twin}"' for twin in twins if Path(twin).is_file()]
        hint = f" Take {' or '.join(beside)}." if beside else ""
        return InputError(
            f'"{path}" holds the signature "{held}" alone and cannot answer '
            f"this.{hint}"
        )


def _number(word: str, numbers: Mapping[str, int], path: Path) -> int:
    """Returns the number of a word; raises with the closest spellings."""
    if word not in numbers:
        raise InputError(
            f"The word {_quoted(str(word))} is not among the {len(numbers):,} "
            f'of "{path}".{_offer(str(word), numbers)}'
        )
    return numbers[word]


def _offer(word: str, words: Iterable[str]) -> str:
    """Returns the closest spellings as a question; looks at few words."""
    folded = word.lower()
    first = (folded[:1], folded[:1].upper())
    near = (
        known
        for known in words
        if known.startswith(first) and abs(len(known) - len(word)) <= 2
    )
    options: dict[str, str] = {}
    for known in itertools.islice(near, CANDIDATES):
        options.setdefault(known.lower(), known)
    found = difflib.get_close_matches(folded, options)
    names = ", ".join(_quoted(options[one]) for one in found)
    return f" Did you mean {names}?" if names else " Choose another word."


class Translator:
    """What turns texts into texts; `Model.translate` uses it.

    May be shared by several threads, as the model may.

    Args:
        model: from a file with tokenizers in its metadata and a search in its
            graph.

    Attributes:
        source: tokenizer of what is read.
        target: tokenizer of what is written.

    Raises:
        InputError: the file has none.
        ModelError: they are damaged, or need a package that is not there.
    """

    def __init__(self, model: Model):
        text = model.metadata.get("text")
        if not text or "tokens" not in model.outputs:
            raise InputError(
                f'"{model.path}" does not translate: it holds no tokenizers '
                "and no search. `toolkit train seq2seq --export onnx,litert` "
                "writes such a file."
            )
        self._model = model
        self.source = _tokenizer(model.path, text, "source")
        self.target = _tokenizer(model.path, text, "target")
        self._step = -1 if text.get("reverse_source") else 1
        self._longest = text.get("longest_source")
        if not (self._longest is None or _is_whole(self._longest)):
            raise _damaged_metadata(
                model.path,
                "`longest_source` of `text` must be a whole number. Received: "
                f"{_shown(self._longest)}.",
            )

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Returns what the model writes for each text.

        Raises:
            InputError: a text that holds nothing that is known.
            ModelError: as for `Model.translate`.
        """
        for text in texts:
            if not isinstance(text, str) or not self._reads(text):
                raise InputError(
                    "A text must hold something that the model knows. "
                    f"Received: {text!r:.80}."
                )
        return self.write(texts)

    def _reads(self, text: str) -> bool:
        """Returns whether a text holds more than blanks and the unknown."""
        known = [one for one in self.source.encode(text) if one != UNKNOWN]
        return bool(self.source.decode(known).strip())

    def unknown(self, text: str) -> int:
        """Returns how many tokens of a text are unknown."""
        return self.source.encode(text).count(UNKNOWN)

    def longer(self, text: str) -> int:
        """Returns by how many tokens a text is longer than all in training.

        0 also of a file that does not say how long they were.
        """
        if not self._longest:
            return 0
        return max(0, len(self.source.encode(text)) + 1 - self._longest)

    def write(self, texts: Sequence[str]) -> list[str]:
        """As `translate`, of texts of which perhaps nothing is known."""
        if not len(texts):
            return []
        ((name, (shape, _)),) = self._model.inputs.items()
        batch, time = (n if _is_fixed(n) else None for n in shape)
        rows = self._rows(texts, time)
        batch = batch or len(rows)
        missing = -len(rows) % batch
        rows = np.concatenate([rows, np.repeat(rows[:1], missing, axis=0)])
        found: list[str] = []
        for start in range(0, len(rows), batch):
            tokens = self._search({name: rows[start : start + batch]})
            found += map(self._text, tokens)
        return found[: len(texts)]

    def _rows(self, texts: Sequence[str], time: int | None) -> np.ndarray:
        """Returns texts as the encoder reads them, int32 `(texts, time)`."""
        rows = [[*self.source.encode(t)[:: self._step], END] for t in texts]
        longest = max(map(len, rows))
        if time and longest > time:
            raise InputError(
                f"A text has {longest} tokens with its end; "
                f'"{self._model.path}" was exported for {time}. Shorten it, or '
                "export the model without --time."
            )
        found = np.full((len(rows), time or longest), PAD, np.int32)
        for place, row in zip(found, rows, strict=True):
            place[: len(row)] = row
        return found

    def _search(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        try:
            return self._model.run(arrays)["tokens"]
        except InputError as error:  # what it was given, it made itself
            raise ModelError(
                f"{error} Are the tokenizers in it those of another model? "
                "Export it anew from its run: toolkit export RUN"
            ) from error

    def _text(self, row: np.ndarray) -> str:
        ids = row.tolist()
        ids = ids[: ids.index(END)] if END in ids else ids
        ids = [one for one in ids if one not in (PAD, START)]
        wrong = [one for one in ids if not 0 <= one < len(self.target)]
        if wrong:
            raise ModelError(
                f'The tokenizer of the targets of "{self._model.path}" has '
                f"{len(self.target)} tokens, but its model wrote number "
                f"{wrong[0]}: they are of different models. Export it anew "
                "from its run: toolkit export RUN"
            )
        return self.target.decode(ids)


def _tokenizer(path: Path, text: Mapping[str, Any], side: str) -> Any:
    """Returns the tokenizer of the sources or targets of a file."""
    try:
        described = _entry(text, side, dict)
        kind = _entry(described, "kind", str)
        if kind not in TOKENIZERS:
            raise ValueError(f'it is of the unknown kind "{kind}".')
        return TOKENIZERS[kind](described)
    except ImportError as error:
        raise _missing(path, "sentencepiece") from error
    except (ValueError, RuntimeError) as error:  # sentencepiece raises these
        raise ModelError(
            f'The tokenizers of "{path}" are damaged, {side}: '
            f"{_first_line(error)} Copy it again, or export it anew."
        ) from error


def _entry(described: Mapping[str, Any], name: str, kind: type) -> Any:
    value = described.get(name) if isinstance(described, dict) else None
    if not isinstance(value, kind):
        raise ValueError(
            f'"{name}" must be a {kind.__name__}. Received: {value!r:.60}.'
        )
    return value


class _Tokens:
    """Tokens with the numbers from 4 on, behind the special ones."""

    def __init__(self, tokens: Iterable[str]):
        self._tokens = (*SPECIAL, *tokens)
        self._numbers = _numbered(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def encode(self, text: str) -> list[int]:
        """Returns the numbers of a text's tokens; 3 if unknown."""
        get = self._numbers.get
        return [get(token, UNKNOWN) for token in self._split(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of some numbers."""
        return self._join([self._tokens[one] for one in ids])

    def _split(self, text: str) -> Iterable[str]:
        return text

    def _join(self, tokens: list[str]) -> str:
        return "".join(tokens)


class _CharacterTokens(_Tokens):
    """As `toolkit.text.CharacterTokenizer`."""

    def __init__(self, described: Mapping[str, Any]):
        super().__init__(_entry(described, "characters", str))


class _WordTokens(_Tokens):
    """As `toolkit.text.WordTokenizer`."""

    def __init__(self, described: Mapping[str, Any]):
        super().__init__(_entry(described, "words", list))
        self._lower = _entry(described, "lower", bool)
        self._spacing = _entry(described, "spacing", dict)
        for mark, beside in self._spacing.items():
            pair = isinstance(beside, list | tuple) and len(beside) == 2
            if not pair or not all(isinstance(text, str) for text in beside):
                raise ValueError(
                    f'beside "{mark}" stand two texts. Received: '
                    f"{beside!r:.60}."
                )

    def _split(self, text: str) -> list[str]:
        text = text.lower() if self._lower else text
        if not text.isascii():
            text = _spelled(unicodedata.normalize("NFC", text))
        return _words_and_marks("" if text.isascii() else _marks()).findall(
            text
        )

    def _join(self, tokens: list[str]) -> str:
        parts: list[str] = []
        behind = ""  # what the last token has behind it
        opened = False
        for token in tokens:
            before, after = self._beside(token, opened)
            opened ^= token == '"'
            parts += [" " if parts and before and behind else "", token]
            behind = after
        return "".join(parts)

    def _beside(self, token: str, opened: bool) -> Sequence[str]:
        """Returns what stands before and behind a token, "" or " "."""
        if token == '"':
            return ("", " ") if opened else (" ", "")
        if not (any(map(str.isalnum, token)) or "_" in token):
            return self._spacing.get(token, (" ", " "))
        return (
            "" if token[0] in "'-" else " ",
            "" if token[-1] == "'" else " ",
        )


class _SubwordTokens:
    """As `toolkit.text.SubwordTokenizer`."""

    def __init__(self, described: Mapping[str, Any]):
        from sentencepiece import SentencePieceProcessor

        model = base64.b64decode(_entry(described, "model", str), validate=True)
        found = hashlib.sha256(model).hexdigest()
        if not model or found != _entry(described, "sha256", str):
            raise ValueError(f'"model" has the sha256 {found}, not its own.')
        self._processor = SentencePieceProcessor(model_proto=model)
        self.decode = self._processor.decode
        self.encode = self._processor.encode
        numbers = [
            getattr(self._processor, f"{name}_id")()
            for name in ("pad", "bos", "eos", "unk")
        ]
        if numbers != [PAD, START, END, UNKNOWN]:
            raise ValueError(f"its special tokens have the numbers {numbers}.")

    def __len__(self) -> int:
        return self._processor.get_piece_size()


TOKENIZERS = {
    "characters": _CharacterTokens,
    "words": _WordTokens,
    "subwords": _SubwordTokens,
}


class Writer:
    """A language model that writes; `Stream.write` uses it.

    Args:
        stream: of a file with a vocabulary in its metadata.

    Raises:
        InputError: the file has none.
        ModelError: as for `Stream.generate`.
    """

    def __init__(self, stream: Stream):
        metadata, self._path = stream.model.metadata, stream.model.path
        if not metadata.get("vocabulary") or len(stream.inputs) != 1:
            raise InputError(
                f'"{self._path}" is no language model: it holds no vocabulary. '
                "`toolkit train char_rnn --export onnx,litert` writes one."
            )
        self._stream = stream
        try:
            self._text = (
                _RunningWords if metadata.get("tokens") else _RunningCharacters
            )(metadata, self._path)
        except ValueError as error:
            raise ModelError(
                f'The vocabulary of "{self._path}" is damaged: {error} Copy it '
                "again, or export it anew."
            ) from error
        self._check_sizes()

    def write(
        self,
        prompt: str,
        length: int,
        temperature: float,
        top_k: int,
        seed: int,
    ) -> Iterator[str]:
        """As `Stream.write`."""
        _check_sampling(length, temperature, top_k, seed)
        if not isinstance(prompt, str):
            raise InputError(f"The prompt must be a text: {prompt!r:.80}.")
        numbers = self._text.encode(prompt or self._text.beginning)
        if not numbers:
            raise InputError(
                "The prompt holds no word to begin with. Received: "
                f"{_quoted(prompt)}."
            )
        self._stream.reset()
        logits = self._read(numbers)
        return self._pieces(prompt, logits, length, temperature, top_k, seed)

    def _pieces(self, before, logits, length, temperature, top_k, seed):
        rng = np.random.default_rng(seed)
        for left in reversed(range(length)):
            token = _draw(logits, rng, temperature, top_k)
            before = self._text.decode(token, before)
            yield before
            if left:
                logits = self._read([token])

    def _read(self, numbers: list[int]) -> np.ndarray:
        """Reads tokens; returns the logits after the last one."""
        # A file for chunks of one step reads a prompt step by step.
        size = self._stream.steps or len(numbers)
        for start in range(0, len(numbers), size):
            chunk = np.array([numbers[start : start + size]], np.int32)
            (logits,) = self._stream.run(chunk).values()
        if np.isnan(logits[0, -1]).any():
            raise _nan(self._path)
        return logits[0, -1]

    def _check_sizes(self) -> None:
        """Raises unless the file writes one token after another."""
        if self._stream.steps not in (None, 1):
            raise ModelError(
                f'"{self._path}" reads {self._stream.steps} tokens at a time, '
                "and a text is written one by one. Export it with --chunk 1, "
                "or an open one."
            )
        if self._stream.batch not in (None, 1):
            raise ModelError(
                f'"{self._path}" cannot write a text: it reads '
                f"{self._stream.batch} texts at a time. Export it anew, "
                "without --batch."
            )
        found = self._stream.run(np.zeros((1, 1), np.int32)).values()
        shapes = [array.shape for array in found]
        if len(shapes) != 1 or shapes[0][-1] != len(self._text):
            raise ModelError(
                f'The vocabulary of "{self._path}" has {len(self._text)} '
                f"tokens, but its model's output has the shape "
                f"{', '.join(map(str, shapes))}: they are of different "
                "models. Export it anew from its run: toolkit export RUN"
            )


class _RunningCharacters:
    """As `toolkit.text.CharacterVocabulary`."""

    def __init__(self, metadata: Mapping[str, Any], path: Path):
        self._tokens = _entry(metadata, "vocabulary", list)
        self._numbers = _numbered(self._tokens)
        self._path = path
        if any(len(one) != 1 for one in self._tokens):
            raise ValueError("it holds single characters, and others.")
        self.beginning = "\n" if "\n" in self._numbers else self._tokens[0]

    def __len__(self) -> int:
        return len(self._tokens)

    def encode(self, text: str) -> list[int]:
        """Returns the numbers of a text; raises for what is not known."""
        strange = [one for one in text if one not in self._numbers]
        if strange:
            found = list(dict.fromkeys(strange))
            names = ", ".join(map(_quoted, found[:STRANGE_SHOWN]))
            more = ", ..." if len(found) > STRANGE_SHOWN else ""
            are = "character is" if len(strange) == 1 else "characters are"
            raise InputError(
                f'{len(strange)} {are} not in the vocabulary of "{self._path}"'
                f": {names}{more}. It knows: {_quoted(''.join(self._tokens))}."
            )
        return [self._numbers[one] for one in text]

    def decode(self, number: int, before: str) -> str:
        """Returns the text of a number, whatever stands before it."""
        del before
        return self._tokens[number]


class _RunningWords:
    """As `toolkit.text.RunningText`."""

    beginning = "\n"

    def __init__(self, metadata: Mapping[str, Any], path: Path):
        self._tokens = _entry(metadata, "vocabulary", list)
        self._numbers = _numbered(self._tokens)
        self._path = path
        for mark in (UNKNOWN_WORD, END_OF_LINE):
            if mark not in self._numbers:
                raise ValueError(f"it lacks {mark}.")
        kind = _entry(metadata, "tokens", str)
        if kind not in SPLITS:
            raise ValueError(f'its words are of the unknown kind "{kind}".')
        self._split = SPLITS[kind]

    def __len__(self) -> int:
        return len(self._tokens)

    def encode(self, text: str) -> list[int]:
        """Returns the numbers of a text; raises for what is not known."""
        numbers = []
        for place, line in enumerate(text.split("\n")):
            if place:
                numbers.append(self._numbers[END_OF_LINE])
            for word in self._words(line):
                numbers.append(_number(word, self._numbers, self._path))
        return numbers

    def _words(self, line: str) -> list[str]:
        """Returns the words of a line, `<unk>` as it stands."""
        if self._split is str.split:
            return line.split()
        first, *others = map(self._split, line.split(UNKNOWN_WORD))
        return first + [w for part in others for w in (UNKNOWN_WORD, *part)]

    def decode(self, number: int, before: str) -> str:
        """Returns the text of a number, words apart by one blank."""
        word = self._tokens[number]
        if word == END_OF_LINE:
            return "\n"
        return f" {word}" if before and not before[-1].isspace() else word


def _words(text: str) -> list[str]:
    text = text.lower()
    letter = r"[^\W_]" if text.isascii() else rf"(?:[^\W_]|[{_marks()}])"
    return re.findall(
        rf"{letter}+(?:['\u200c\u200d-]{letter}+)*", _spelled(text)
    )


def _text8(text: str) -> list[str]:
    found = re.findall("[A-Za-z]+|[0-9]", text)
    return [DIGITS[int(x)] if x.isdigit() else x.lower() for x in found]


SPLITS = {"words": _words, "whitespace": str.split, "text8": _text8}


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    """Returns the numbers of tokens; raises for one that is none or twice."""
    for token in tokens:
        if not isinstance(token, str) or not token:
            raise ValueError(f"a token is no text: {token!r:.60}.")
    numbers = {token: number for number, token in enumerate(tokens)}
    if len(numbers) != len(tokens):
        twice = next(t for n, t in enumerate(tokens) if numbers[t] != n)
        raise ValueError(f"the token {_quoted(twice)} comes twice.")
    return numbers


def _spelled(text: str) -> str:
    for character, plain in SPELLED.items():
        text = text.replace(character, plain)
    return text


@functools.cache
def _marks() -> str:
    """Returns the combining marks of all scripts; takes 30 ms."""
    return "".join(
        chr(point)
        for point in range(LAST_LETTER)
        if unicodedata.category(chr(point))[0] == "M"
    )


@functools.cache
def _words_and_marks(marks: str) -> re.Pattern[str]:
    """Returns the pattern of the tokens of a text that is translated."""
    letter = rf"[\w{marks}]"
    suffix = rf"'(?:[stmdSTMD]|[rR][eE]|[vV][eE]|[lL][lL])(?!['\w{marks}])"
    return re.compile(
        rf"\d+(?:[.,:]\d+)+(?!{letter})"
        rf"|(?:[^\W\d_]\.){{2,}}"
        rf"|(?:(?<={letter})-)?{letter}+(?:(?!{suffix})'(?={letter}))?"
        rf"|(?<={letter}){suffix}"
        rf"|\.{{2,}}|\S"
    )


def _draw(
    logits: np.ndarray, rng: np.random.Generator, temperature: float, top_k: int
) -> int:
    """Draws a token with probabilities `softmax(logits / temperature)`."""
    scores = np.asarray(logits, np.float64)
    if top_k == 1:
        return int(scores.argmax())
    # The likeliest is at 0, so a tiny temperature leaves it alone, not NaN.
    with np.errstate(over="ignore"):
        scores = (scores - scores.max()) / temperature
    if top_k and top_k < len(scores):
        # The order of equal scores must not depend on the platform.
        order = np.argsort(-scores, kind="stable")
        scores[order[top_k:]] = -np.inf
    borders = np.cumsum(np.exp(scores))
    return int(
        np.searchsorted(borders, rng.random() * borders[-1], side="right")
    )


def _check_sampling(
    length: int, temperature: float, top_k: int, seed: int
) -> None:
    if not temperature > 0:  # NaN is not
        raise InputError(
            "`temperature` must be above 0; top_k=1 always takes the "
            f"likeliest. Received: temperature={temperature!r}."
        )
    for name, value in (("length", length), ("top_k", top_k), ("seed", seed)):
        whole = isinstance(value, int | np.integer)
        if not whole or isinstance(value, bool) or value < 0:
            raise InputError(
                f"`{name}` must be a whole number of at least 0. Received: "
                f"{name}={value!r}."
            )


def _quoted(text: str) -> str:
    """Returns a text with quotes; what cannot be printed is escaped."""
    shown = json.dumps(text, ensure_ascii=False)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def _ask(part: Model, numbers: list[int]) -> dict[str, np.ndarray]:
    """Asks once, with a number for each input, at whatever batch is fixed."""
    arrays = {}
    for name, number in zip(sorted(part.inputs), numbers, strict=True):
        shape = part.inputs[name][0]
        batch = shape[0] if shape and _is_fixed(shape[0]) else 1
        arrays[name] = np.full(batch, number, np.int32)
    return part.run(arrays)


def _array(name: str, value: Any, dtype: str | None = None) -> np.ndarray:
    """Returns an input as an array; whole numbers are not made of others."""
    try:
        raw = np.asarray(value)
        array = raw if dtype is None else raw.astype(dtype, copy=False)
    except (ValueError, TypeError) as error:
        raise InputError(
            f'The input "{name}" is no array of numbers: {_first_line(error)}'
        ) from error
    if array.dtype.kind in "iu" and raw.dtype.kind == "f":
        if not np.array_equal(raw, array):
            raise InputError(
                f'The input "{name}" takes whole numbers ({dtype}). Received: '
                f"{raw.ravel()[np.argmax(raw.ravel() != array.ravel())]}."
            )
    return array


def _is_fixed(size: Any) -> bool:
    return isinstance(size, int) and size >= 0


class OnnxModel(Model):
    """A .onnx file in ONNX Runtime."""

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        signature: str | None = None,
    ):
        try:
            import onnxruntime
        except ImportError as error:
            raise _missing(path, "onnxruntime") from error
        held = onnx_checksum(_content(path))
        if held and held[0] != held[1]:
            raise _changed(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are raised, too
        if threads:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes are private
            raise ModelError(
                f'ONNX Runtime cannot load "{path}": {_first_line(error)}'
            ) from error
        try:
            entries = self._session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError as error:
            raise _damaged_metadata(
                path, f"it is not UTF-8: {error}."
            ) from error
        metadata = read_entries(path, entries)
        held = metadata.get("signature") or DEFAULT_SIGNATURE
        if signature not in (None, held):
            raise _no_signature(path, signature, [held])
        super().__init__(path, metadata, [held], held)
        self._select(held)

    def _select(self, signature):
        super()._select(signature)
        for ours, theirs in (
            (self.inputs, self._session.get_inputs()),
            (self.outputs, self._session.get_outputs()),
        ):
            for item in theirs:
                name = NUMPY_NAMES.get(item.type, item.type[7:-1])
                ours[item.name] = (tuple(item.shape), name)

    def _run(self, arrays):
        try:
            values = self._session.run(list(self.outputs), arrays)
        except Exception as error:  # onnxruntime's own classes are private
            raise InputError(
                f'ONNX Runtime cannot run "{self.path}" on these inputs: '
                f"{_first_line(error)}"
            ) from error
        return dict(zip(self.outputs, values, strict=True))


class LiteRTModel(Model):
    """A .tflite file in the LiteRT interpreter."""

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        signature: str | None = None,
    ):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            try:
                from tflite_runtime.interpreter import Interpreter
            except ImportError as error:
                raise _missing(path, "ai-edge-litert") from error
        content = _content(path)
        if content[4:8] != b"TFL3":
            raise ModelError(
                f'"{path}" is not a LiteRT file: it has no TFL3 mark.'
            )
        metadata, end = read_appended(path, content)
        held = held_checksum(path, metadata, str)
        if held and held != checksum(memoryview(content)[:end]):
            raise _changed(path)
        try:
            self._interpreter = Interpreter(
                model_content=content, num_threads=threads
            )
            signatures = self._interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f'LiteRT cannot load "{path}": {_first_line(error)}'
            ) from error
        name = signature or (_default(signatures) if signatures else None)
        super().__init__(path, metadata, signatures, name)
        if signatures and name not in signatures:
            raise _no_signature(path, name, signatures)
        self._select(name)

    def _select(self, signature):
        super()._select(signature)
        self._names: dict[str, int] = {}
        if self.signatures:
            self._runner = self._interpreter.get_signature_runner(signature)
            details = (
                self._runner.get_input_details(),
                self._runner.get_output_details(),
            )
        else:  # a file made by a converter that writes no signatures
            self._runner = None
            details = tuple(
                {item["name"]: item for item in items}
                for items in (
                    self._interpreter.get_input_details(),
                    self._interpreter.get_output_details(),
                )
            )
        for ours, theirs in zip(
            (self.inputs, self.outputs), details, strict=True
        ):
            for name, item in theirs.items():
                shape = tuple(int(n) for n in item["shape_signature"])
                ours[name] = (shape, np.dtype(item["dtype"]).name)
                self._names[name] = item["index"]

    def call(self, signature):
        """Calls a signature without inputs."""
        with self._lock:
            try:
                self._interpreter.get_signature_runner(signature)()
            except (ValueError, RuntimeError) as error:
                raise ModelError(
                    f'LiteRT cannot call "{signature}" of "{self.path}": '
                    f"{_first_line(error)}"
                ) from error

    def _run(self, arrays):
        with self._lock:
            return self._run_alone(arrays)

    def _run_alone(self, arrays):
        """Sets the inputs, runs, reads the outputs: the caller has the lock."""
        try:
            if self._runner is not None:
                result = self._runner(**arrays)
                # The runner's arrays may be views of the interpreter's memory.
                return {k: np.array(v) for k, v in result.items()}
            for name, value in arrays.items():
                self._interpreter.resize_tensor_input(
                    self._names[name], value.shape
                )
            self._interpreter.allocate_tensors()
            for name, value in arrays.items():
                self._interpreter.set_tensor(self._names[name], value)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f'LiteRT cannot run "{self.path}" on these inputs: '
                f"{_first_line(error)}"
            ) from error
        return {
            name: self._interpreter.get_tensor(self._names[name])
            for name in self.outputs
        }


class SavedModel(Model):
    """A SavedModel directory in TensorFlow."""

    def __init__(self, path: Path, signature: str | None = None):
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ModelError(
                f'"{path}" is a SavedModel, which only TensorFlow runs, and '
                "TensorFlow is not installed. The .onnx and .tflite files of "
                "the same model run without it."
            ) from error
        metadata = read_folder(path)
        for name, held in (held_checksum(path, metadata, dict) or {}).items():
            file = path / name
            if not file.is_file() or checksum(_content(file)) != held:
                raise _changed(file)
        try:
            self._loaded = tf.saved_model.load(str(path))
        except Exception as error:  # TensorFlow raises a dozen kinds
            raise ModelError(
                f'TensorFlow cannot load "{path}": {_first_line(error)}'
            ) from error
        signatures = self._loaded.signatures
        if not len(signatures):
            raise ModelError(f'"{path}" has no signature to call.')
        name = signature or _default(list(signatures))
        if name not in signatures:
            raise _no_signature(path, name, signatures)
        super().__init__(path, metadata, signatures, name)
        self._constant, self._error = tf.constant, tf.errors.OpError
        self._select(name)

    def _select(self, signature):
        super()._select(signature)
        self._call = self._loaded.signatures[signature]
        specs = self._call.structured_input_signature[1]
        for ours, theirs in (
            (self.inputs, specs),
            (self.outputs, self._call.structured_outputs),
        ):
            for key, spec in theirs.items():
                shape = spec.shape
                sizes = () if shape.rank is None else shape.as_list()
                ours[key] = (
                    tuple(-1 if n is None else n for n in sizes),
                    spec.dtype.name,
                )

    def _run(self, arrays):
        given = {k: self._constant(v) for k, v in arrays.items()}
        try:
            result = self._call(**given)
        except self._error as error:
            raise InputError(
                f'TensorFlow cannot run "{self.path}" on these inputs: '
                f"{_first_line(error)}"
            ) from error
        return {name: value.numpy() for name, value in result.items()}


def load(
    path: str | Path,
    *,
    threads: int | None = None,
    signature: str | None = None,
) -> Model:
    """Loads an exported model into the runtime of its format.

    Args:
        path: a .onnx or .tflite file, or a SavedModel directory.
        threads: how many the runtime may use; its own choice by default.
        signature: which of a file's callables; by default `serving_default`,
            or the first.

    Raises:
        ModelError: the file is missing, damaged or of another kind, or its
            runtime is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise ModelError(f'There is no model file "{path}".')
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return SavedModel(path, signature)
        raise ModelError(
            f'"{path}" is not a SavedModel: it holds no saved_model.pb.'
        )
    if path.suffix == ".onnx":
        return OnnxModel(path, threads, signature)
    if path.suffix == ".tflite":
        return LiteRTModel(path, threads, signature)
    raise ModelError(
        f'"{path}" is neither a .onnx nor a .tflite file, nor a SavedModel '
        "directory. Make one of a run: toolkit export RUN"
    )


def stream(path: str | Path | Model, *, threads: int | None = None) -> Stream:
    """Loads a recurrent model to be fed chunk by chunk.

        heard = stream("keyword.tflite")
        for frame in frames:                      # (1, 1, features) each
            answer = heard.run(frame)

    Args:
        path: a file that was exported with `streaming=True`, or what `load`
            made of it. Of a model in ONNX that is the one whose name ends in
            `_streaming.onnx`.
        threads: how many the runtime may use; its own choice by default.

    Raises:
        ModelError: the file is missing, damaged, or holds no such signature.
    """
    model = path if isinstance(path, Model) else load(path, threads=threads)
    model._check_metadata()
    path = model.path
    if model.metadata.get("states") and model.signature != STREAMING:
        model = model.with_signature(STREAMING)
    if not model.metadata.get("states"):
        if STREAMING in model.signatures:
            raise ModelError(
                f'"{path}" has the signature "{STREAMING}" but does not say '
                "which of its inputs are states: the end of the file is cut "
                "off, or another tool wrote it. Export it again."
            )
        twin = path.with_name(f"{path.stem}_{STREAMING}{path.suffix}")
        hint = (
            f'Take "{twin}".'
            if twin.is_file()
            else "Export the model with streaming=True (--streaming)."
        )
        raise ModelError(
            f'"{path}" cannot be fed chunk by chunk: it takes whole '
            f"sequences. {hint}"
        )
    try:
        return Stream(model)
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ModelError(
            f'What "{path}" says of its states does not fit its inputs; '
            "another tool wrote it. Export the model again."
        ) from error


def _default(signatures) -> str:
    names = list(signatures)
    return DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in names else names[0]


def _no_signature(path: Path, name: str, held: Iterable[str]) -> ModelError:
    return ModelError(
        f'"{path}" has no signature "{name}". It has: {", ".join(held)}.'
    )


def _missing(path: Path, package: str) -> ModelError:
    return ModelError(
        f'Running "{path}" needs {package}, which is not installed: '
        f"pip install {package}"
    )


def _nan(path: Path, asked: str = "", hint: str = "") -> ModelError:
    """Returns the error of an answer that is no number."""
    return ModelError(
        f'The answer of "{path}"{asked} holds NaN, which is no number: the '
        "file is damaged, its weights are NaN, or numbers became too large "
        "inside the model. Copy it again, or export it from a model whose "
        f"weights are finite.{hint}"
    )


def _check_top(top: Any) -> None:
    whole = isinstance(top, int | np.integer) and not isinstance(top, bool)
    if top is not None and (not whole or top < 1):
        raise InputError(
            "`top` must be a whole number of at least 1, or None for all "
            f"classes. Received: top={top!r}."
        )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


# What files say of themselves, and whether they are whole


def checksum(*contents: Any) -> str:
    """Returns `sha256:` and 64 digits of some bytes, one after another."""
    found = hashlib.sha256()
    for content in contents:
        found.update(content)
    return SHA256 + found.hexdigest()


def onnx_checksum(content: bytes) -> tuple[str, str] | None:
    """Returns the checksum of an .onnx file and the one that it holds.

    Args:
        content: the whole file.

    Returns:
        Both as `checksum` writes them; None if the file holds none.
    """
    start = content.rfind(ONNX_CHECKSUM)
    if start < 0:
        return None
    start += len(ONNX_CHECKSUM)
    end = start + len(NO_CHECKSUM)
    view = memoryview(content)
    held = SHA256 + content[start:end].decode("ascii", "replace")
    return checksum(view[:start], NO_CHECKSUM, view[end:]), held


def held_checksum(path: Path, metadata: Mapping[str, Any], kind: type) -> Any:
    """Returns the checksum in the metadata of a file of this toolkit, or None.

    Raises:
        ModelError: the checksum is not of its kind.
    """
    held = metadata.get(CHECKSUM) if FORMAT_VERSION in metadata else None
    if held is not None and not isinstance(held, kind):
        raise _damaged_metadata(path, f"`{CHECKSUM}` is {_shown(held)}.")
    return held


def read_entries(path: Path, entries: Mapping[str, str]) -> dict[str, Any]:
    """Returns the metadata of an .onnx file.

    Values are JSON where they are JSON, else text. Files of 0.1.0 hold the
    text "123" as 123; what can only be a text is read as one.

    Raises:
        ModelError: a value that is nested too deeply.
    """
    found = {}
    for key, text in entries.items():
        try:
            value = json.loads(text)
        except RecursionError as error:
            raise _damaged_metadata(
                path, f"`{key}` is nested too deeply: {text:.40}..."
            ) from error
        except ValueError:
            value = text
        if key in TEXTS and not isinstance(value, str | list | dict):
            value = text
        found[key] = value
    return found


def read_appended(path: Path, content: bytes) -> tuple[dict[str, Any], int]:
    """Returns the metadata behind a flatbuffer, and where that ends.

    Args:
        path: the file, for messages.
        content: of the whole file.

    Returns:
        Metadata, empty if there is none; and how many bytes come before the
        zip that holds them.

    Raises:
        ModelError: the metadata or the zip around them is damaged.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # zipfile raises many kinds
        if ZIP_OF_METADATA.search(content):
            raise _damaged_metadata(
                path, f"the end of the file is cut off or changed: {error}."
            ) from error
        return {}, len(content)  # no zip
    try:
        with archive:
            places = [item.header_offset for item in archive.infolist()]
            end = min(places, default=len(content))
            if METADATA not in archive.namelist():
                return {}, end
            size = archive.getinfo(METADATA).file_size
            if size > MOST_METADATA:
                raise ValueError(
                    f"{METADATA} has {size:,} bytes; at most "
                    f"{MOST_METADATA:,} are read"
                )
            with archive.open(METADATA) as file:
                text = file.read(MOST_METADATA)
                file.read(1)  # compares the text with its own checksum
    except Exception as error:  # zipfile and its decoders raise many kinds
        raise _damaged_metadata(path, f"{_first_line(error)}.") from error
    return _parsed(path, text), end


def read_folder(path: Path) -> dict[str, Any]:
    """Returns the metadata of a SavedModel; empty if there are none.

    Raises:
        ModelError: they are damaged.
    """
    about = path / "assets.extra" / METADATA
    if not about.is_file():
        return {}
    size = about.stat().st_size
    if size > MOST_METADATA:
        raise _damaged_metadata(
            path, f"{METADATA} has {size:,} bytes, above {MOST_METADATA:,}."
        )
    return _parsed(path, _content(about))


def _parsed(path: Path, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text.decode("utf-8"))
    except RecursionError as error:
        raise _damaged_metadata(path, "it is nested too deeply.") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise _damaged_metadata(
            path, f"it is no JSON: {_first_line(error)}."
        ) from error
    if not isinstance(found, dict):
        raise _damaged_metadata(
            path, f"it must be an object. Received: {_shown(found)}."
        )
    return found


def metadata_fault(metadata: Mapping[str, Any]) -> str:
    """Returns the first value that metadata may not have; "" if there is none.

    Checked are the values that this file reads: their types, and that
    `preprocessing` of pictures has all of its keys.
    """
    for name, (wanted, fits) in METADATA_TYPES.items():
        value = metadata.get(name)
        if value is not None and not fits(value):
            return f"`{name}` must be {wanted}. Received: {_shown(value)}."
    penalties = metadata.get("activation") == "penalties"
    if penalties and metadata.get("rubbish_penalty") is None:
        return (
            "`rubbish_penalty` must be a number where `activation` is "
            '"penalties". Received: None.'
        )
    rules = metadata.get("preprocessing") or {}
    if rules.get("kind") != "image":
        return ""
    for name, (wanted, fits) in PICTURE_RULES.items():
        if name not in rules:
            return (
                f"`preprocessing` lacks `{name}`; pictures need kind, "
                f"{', '.join(PICTURE_RULES)}."
            )
        if not fits(rules[name]):
            return (
                f"`{name}` of `preprocessing` must be {wanted}. Received: "
                f"{_shown(rules[name])}."
            )
    native, size = rules["native_size"], rules["size"]
    if native and rules["resize"] != "bilinear":
        if native[0] > size[0] or native[1] > size[1]:
            return (
                f"`native_size` of `preprocessing` must not be above its "
                f"`size` where `resize` is {_shown(rules['resize'])}. "
                f"Received: {native} and {size}."
            )
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (
        isinstance(value, float) and math.isfinite(value)
    )


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(_is_whole(n) and n > 0 for n in value)
        and value[0] * value[1] <= MOST_PIXELS
    )


def _are_labels(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(label, str | int | float) for label in value
    )


def _are_tensors(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(tensor, dict)
        and isinstance(tensor.get("shape", []), list | tuple)
        for tensor in value.values()
    )


def _are_signatures(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(signature, dict)
        and _are_tensors(signature.get("inputs", {}))
        for signature in value.values()
    )


def _are_states(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    pairs = value.get("next", {})
    return (
        isinstance(value.get("sequences"), list | tuple)
        and all(map(_is_text, value["sequences"]))
        and isinstance(pairs, dict)
        and all(map(_is_text, pairs.values()))
        and isinstance(value.get("reset"), str | None)
    )


def _of(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


_NUMBER = ("a finite number", _is_number)
_SIZE = (
    f"[height, width], whole numbers above 0 with at most {MOST_PIXELS:,} "
    "pixels",
    _is_size,
)
# Fields that are texts, also where the text looks like a number
TEXTS = (
    "name", "task", "activation", "tokens", "ends", "signature", "license",
    "data", "toolkit_version",
)  # fmt: skip
METADATA_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **{
        name: ("a text", _is_text)
        for name in ("task", "activation", "tokens", "ends", "signature")
    },
    "labels": ("a list of texts or numbers", _are_labels),
    "vocabulary": ("a list of texts", _of(list, tuple)),
    "text": ("an object", _of(dict)),
    "preprocessing": ("an object", _of(dict)),
    "states": (
        "an object with the texts `sequences`, and `next` or `reset`",
        _are_states,
    ),
    "rubbish_penalty": _NUMBER,
    "anomaly_threshold": _NUMBER,
    "inputs": ("an object of tensors with their shapes", _are_tensors),
    "outputs": ("an object of tensors with their shapes", _are_tensors),
    "signatures": ("an object of signatures with `inputs`", _are_signatures),
}
PICTURE_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "mode": (
        f"one of {', '.join(MODES)}",
        lambda value: _is_text(value) and value in MODES,
    ),
    "size": _SIZE,
    "native_size": (
        f"None or {_SIZE[0]}",
        lambda value: value is None or _is_size(value),
    ),
    "resize": ("a text", _is_text),
    "scale": _NUMBER,
    "offset": _NUMBER,
}


def _shown(value: Any) -> str:
    """Returns a value for a message, cut and never nested deeply."""
    shape = reprlib.Repr()
    shape.maxstring = shape.maxother = 60
    return shape.repr(value)


def _damaged_metadata(path: Path, fault: str) -> ModelError:
    return ModelError(
        f'What "{path}" says of itself is damaged: {fault} Copy the file '
        "again, or export it anew."
    )


def _changed(path: Path) -> ModelError:
    return ModelError(
        f'"{path}" is damaged: its bytes are not those that were exported '
        "(its sha256 is another). Copy it again, or export it anew. Where a "
        "tool changed it on purpose, remove `checksum` from its metadata."
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f'"{path}" cannot be read: {error.strerror or error}.'
        ) from error


def _open(image: Any, stored: bool = False):
    """Opens a picture; `stored` keeps the grey values of a PGM file."""
    from PIL import Image

    if isinstance(image, np.ndarray) and (
        image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size
    ):
        raise InputError(
            "An image array must be uint8 (height, width) or (height, "
            f"width, channels). Received: {image.dtype}, shape "
            f"{image.shape}."
        )
    try:
        return _decoded(image, stored)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f'There is no picture "{image}".') from error
    except Image.DecompressionBombError as error:
        raise _too_large(image) from error
    except Exception as error:  # Pillow's decoders raise a dozen kinds
        raise InputError(
            f"{_called(image)} is not a readable picture: {_first_line(error)}"
        ) from error


def _decoded(image: Any, stored: bool):
    from PIL import Image, ImageOps

    if isinstance(image, np.ndarray):
        single = image.ndim == 3 and image.shape[-1] == 1
        return Image.fromarray(image[..., 0] if single else image)
    if isinstance(image, Image.Image):
        image.load()
        return image
    with Image.open(image) as picture:
        if picture.width * picture.height > MOST_PIXELS:  # not yet decoded
            raise _too_large(image)
        upright = ImageOps.exif_transpose(picture)  # as it was held
        if stored and picture.format == "PPM" and picture.mode == "L":
            return _unstretched(upright, image)
        return upright


def _too_large(image: Any) -> InputError:
    return InputError(
        f"{_called(image)} is too large: at most {MOST_PIXELS:,} pixels are "
        "read. Make it smaller."
    )


def _unstretched(picture, path: Any):
    """Undoes what Pillow does: a PGM's largest allowed value made 255."""
    from PIL import Image

    header = PGM_HEADER.match(Path(path).read_bytes())
    if header is None:
        raise ValueError("its header does not say its largest value")
    largest = int(header[1])
    grey = np.asarray(picture, np.float64) * (largest / 255)
    return Image.fromarray(np.rint(grey).astype(np.uint8))


def _to_mode(picture, mode: str, fit: bool, name: Any):
    from PIL import Image

    if picture.mode == mode:
        return picture
    if not fit:
        raise InputError(
            f"{_called(name)} has mode {picture.mode}, the model learned from "
            f"mode {mode}. Convert it, or pass --fit (fit=True) to have it "
            "converted."
        )
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, np.float64)
        high = 65535 if picture.mode.startswith("I") else max(values.max(), 1)
        values = np.clip(values * (255 / high), 0, 255)
        picture = Image.fromarray(values.astype(np.uint8))
    if "A" in picture.mode or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        picture = Image.alpha_composite(white, layered)
    try:
        return picture.convert(mode)
    except ValueError as error:  # Pillow knows no way from one to the other
        raise InputError(
            f"{_called(name)} has mode {picture.mode}, which does not become "
            f"{mode}: {_first_line(error)}"
        ) from error


def _to_size(picture, rules: dict, fit: bool, name: Any):
    """Brings a picture to the size before padding."""
    from PIL import Image

    size, native = rules["size"], rules["native_size"]
    received = [picture.height, picture.width]
    if received == size:
        return picture
    if native is not None and received != native:
        if not fit:
            raise InputError(
                f"{_called(name)} is {received[0]}x{received[1]}, the model "
                f"learned from {native[0]}x{native[1]} (height x width). "
                "Resize it, or pass --fit (fit=True) to have it resized."
            )
        if rules["resize"] != "bilinear":
            picture = picture.resize(
                (native[1], native[0]), Image.Resampling.BILINEAR
            )
    if rules["resize"] == "bilinear":
        picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return picture


def _pad(pixels: np.ndarray, size: list[int], name: Any) -> np.ndarray:
    rows, columns = (size[i] - pixels.shape[i] for i in range(2))
    if rows < 0 or columns < 0:
        raise InputError(
            f"{_called(name)} is {pixels.shape[0]}x{pixels.shape[1]}, larger "
            f"than the model's {size[0]}x{size[1]} (height x width). Resize it."
        )
    top, left = rows // 2, columns // 2
    return np.pad(pixels, ((top, rows - top), (left, columns - left), (0, 0)))


def _posteriors(penalties: np.ndarray, rubbish: float) -> np.ndarray:
    """Returns probabilities; what is missing to 1 belongs to no class."""
    scores = -np.asarray(penalties, np.float64)
    highest = max(scores.max(), -rubbish)
    shares = np.exp(scores - highest)
    return shares / (np.exp(-rubbish - highest) + shares.sum())


def _called(name: Any) -> str:
    return f'"{name}"' if isinstance(name, str | Path) else "The picture"


def answer(
    model: Model,
    images: list[str],
    top: int,
    fit: bool,
    invert: bool,
    allow_nan: bool = False,
) -> list:
    """Returns `anomaly` of pictures for an autoencoder, else `predict`."""
    if model.metadata.get("anomaly_threshold") is not None:
        return model.anomaly(images, fit, invert, allow_nan=allow_nan)
    return model.predict(images, top, fit, invert, allow_nan=allow_nan)


def question(
    images: list[str] | None, **asked: list[str] | None
) -> tuple[str, list[str]] | None:
    """Returns what is asked of a model; None if there are pictures.

    Args:
        images: from the command line.
        asked: what follows flags such as `--neighbours` and `--text`.

    Returns:
        The name of the question, and its words or texts.

    Raises:
        ValueError: nothing to answer, or two things.
    """
    found = [(kind, values) for kind, values in asked.items() if values]
    flags = [f"--{kind}" for kind in asked]
    if not images and not found:
        raise ValueError(
            "Give picture files, or words or texts behind "
            f"{', '.join(flags[:-1])} or {flags[-1]}."
        )
    if len(found) + bool(images) > 1:
        given = ["picture files"] if images else []
        given += [f"--{kind}" for kind, _ in found]
        raise ValueError(
            f"One question at a time. Received: {' and '.join(given)}."
        )
    return found[0] if found else None


def answers_shown(top: int | None, kind: str | None) -> int:
    """Returns how many answers to show.

    Args:
        top: from the command line; None for the default.
        kind: of question; None for pictures.

    Raises:
        ValueError: fewer than one.
    """
    if top is None:
        return CLASSES_SHOWN if kind is None else WORDS_SHOWN
    if top < 1:
        raise ValueError(f"--top must be at least 1. Received: --top {top}.")
    return top


def answer_words(
    model: Model, kind: str, words: list[str], top: int
) -> dict[str, list]:
    """Returns answers by word, or by the three words of an analogy.

    Args:
        model: a model of word vectors.
        kind: `neighbours`, `analogy` or `vector`.
        words: what is asked.
        top: how many answers.
    """
    if kind == ANALOGY:
        return {" ".join(words): model.analogy(*words, k=top)}
    if kind == NEIGHBOURS:
        return {word: model.neighbours(word, top) for word in words}
    # The shortest decimals that are the same float32.
    return {w: [float(str(x)) for x in model.vector(w)] for w in words}


def show_words(answers: dict[str, list], as_json: bool) -> None:
    """Prints answers about words for people, or as JSON."""
    if as_json:
        print(json.dumps(answers))
        return
    for asked, found in answers.items():
        if isinstance(found[0], float):  # a line of word2vec's text format
            print(asked, *found)
            continue
        print(asked)
        for word, similarity in found:
            print(f"  {similarity:6.3f}  {word}")


def answer_texts(model: Model, texts: list[str]) -> list[dict[str, Any]]:
    """Returns a dict per text, in order.

    It has `text`, `translation`, `unknown`, how many tokens of the text the
    model does not know, and `longer`, by how many it is longer than any text
    in training.
    """
    translator = Translator(model)
    found = translator.translate(texts)
    return [
        {
            "text": t,
            "translation": f,
            "unknown": translator.unknown(t),
            "longer": translator.longer(t),
        }
        for t, f in zip(texts, found, strict=True)
    ]


def show_texts(answers: list[dict[str, Any]], as_json: bool) -> None:
    """Prints a line per translation, or all as JSON."""
    if as_json:
        print(json.dumps(answers))
        return
    for one in answers:
        print(one["translation"])
        if count := one["unknown"]:
            tokens = f"{count} token" + "s" * (count > 1)
            print(
                f"note: the model does not know {tokens} of "
                f"{_quoted(one['text'])}",
                file=sys.stderr,
            )
        if count := one["longer"]:
            tokens = f"{count} token" + "s" * (count > 1)
            print(
                f"note: {_quoted(one['text'])} is {tokens} longer than any "
                "text in training; what it becomes is a guess",
                file=sys.stderr,
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Ask an exported model: classify pictures, say how unusual "
        "they are to an autoencoder, ask word vectors, translate, or go on "
        "with a text.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("model", help=".onnx, .tflite or SavedModel directory")
    add("images", nargs="*", help="picture files")
    words = {"nargs": "+", "action": "extend", "metavar": "WORD"}
    add("--neighbours", **words, help="the words nearest each of these")
    add(
        "--analogy",
        nargs=3,
        metavar="WORD",
        help="what is to the third as the second is to the first",
    )
    add("--vector", **words, help="the vectors of words")
    add(
        "--text",
        nargs="+",
        action="extend",
        metavar="TEXT",
        help="texts to translate",
    )
    add("--prompt", help="a text to go on with")
    add("--length", type=int, default=500, help="characters or words to write")
    add("--temperature", type=float, default=0.8, help="of what is written")
    add("--top-k", type=int, default=0, help="likeliest tokens to draw from")
    add("--seed", type=int, default=0, help="the same one writes the same")
    add(
        "--top",
        "--k",
        type=int,
        help="answers to show; by default 3 classes, 10 words",
    )
    add("--fit", action="store_true", help="resize and convert pictures")
    add("--invert", action="store_true", help="dark ink on light paper")
    add(
        "--allow-nan",
        action="store_true",
        help="print answers that hold NaN, which is no number",
    )
    add("--json", action="store_true", help="print JSON")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Answers from the command line; returns 0 or 1."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        asked = question(
            options.images,
            neighbours=options.neighbours,
            analogy=options.analogy,
            vector=options.vector,
            text=options.text,
            prompt=None if options.prompt is None else [options.prompt],
        )
        options.top = answers_shown(options.top, asked and asked[0])
    except ValueError as error:
        parser.error(str(error))
    try:
        _reply(options, *(asked or (None, options.images)))
    except (ModelError, InputError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _reply(options, kind: str | None, asked: list[str]) -> None:
    """Prints the answer to a question, or about pictures if it is None."""
    if kind == "prompt":
        settings = options.length, options.temperature, options.top_k
        written = stream(options.model).write(
            options.prompt, *settings, options.seed
        )
        if options.json:
            text = "".join(written)
            print(json.dumps({"prompt": options.prompt, "text": text}))
            return
        print(options.prompt, end="")
        for piece in written:
            print(piece, end="", flush=True)
        print()
        return
    model = load(options.model)
    if kind is None:
        settings = options.fit, options.invert, options.allow_nan
        answers = answer(model, asked, options.top, *settings)
        show(asked, answers, options.json)
    elif kind == "text":
        show_texts(answer_texts(model, asked), options.json)
    else:
        answers = answer_words(model, kind, asked, options.top)
        show_words(answers, options.json)


def show(images: list[str], answers: list, as_json: bool) -> None:
    """Prints a line per picture, or all as JSON."""
    if as_json:
        print(json.dumps(dict(zip(images, answers, strict=True))))
        return
    for image, found in zip(images, answers, strict=True):
        if isinstance(found, dict):
            text = (
                f"{'unusual' if found['unusual'] else 'usual'}: squared error "
                f"{found['score']:.3f}, threshold {found['threshold']:.3f}"
            )
        else:
            text = "  ".join(f"{label} {value:.3f}" for label, value in found)
        print(f"{image}  {text}")


if __name__ == "__main__":
    sys.exit(main())
