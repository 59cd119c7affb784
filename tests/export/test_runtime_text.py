"""Texts in the runtime: its tokenizers are those of the toolkit."""

import base64
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from export import runtime
from tests.export.conftest import PHRASES, WORDS, ask
from toolkit.errors import DataError
from toolkit.text import (
    CharacterTokenizer,
    CharacterVocabulary,
    RunningText,
    SubwordTokenizer,
    WordTokenizer,
    generate,
    tokenizer,
)
from toolkit.text.tokens import KINDS, TOKENS

TEXTS = [
    *PHRASES,
    "",
    " \t\n ",
    '3.14 at 7:30 p.m. ... she\'ll say: "l\'eau" -- it\'s est-ce, "no"!?',
    "Curly \u2019s, hyphens\u2010of\u2011Unicode, soft\u00adhyphen, caf\u00e9",
    "cafe\u0301 na\u00efve \u0130stanbul stra\u00dfe \u212a \u00bd \u2460",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0645\u064f\u062d\u0645\u062f "
    "\u4e2d\u6587 \u0e44\u0e17\u0e22 \u200c\u200d \U0001f600",
    "<s> </s> <pad> <unk> <eos> snake_case _ __ a_ -a- 'a' a'b'c 42",
    "no\u00a0break\u2028line\x1fcontrol\0nul",
]
CHARACTERS = [*{*"".join(TEXTS)}, *"abcst'\"-.,:_ 019", "\ufffd"]


def drawn(count, seed=0):
    """Texts of all kinds of characters."""
    rng = np.random.default_rng(seed)
    return [
        "".join(rng.choice(CHARACTERS, rng.integers(1, 30)))
        for _ in range(count)
    ]


MADE = {
    "characters": lambda: CharacterTokenizer.of(PHRASES),
    "words": lambda: WordTokenizer.of(TEXTS[:6]),
    "cased words": lambda: WordTokenizer.of(TEXTS, lower=False),
    "subwords": lambda: SubwordTokenizer.of(PHRASES, vocabulary_size=28),
}


def loaded(described):
    text = json.loads(json.dumps({"source": described}))
    return runtime._tokenizer(Path("x"), text, "source")


@pytest.mark.parametrize("kind", MADE)
def test_tokens_are_those_of_the_toolkit(kind):
    ours = MADE[kind]()
    theirs = loaded(ours.describe())
    assert len(theirs) == len(ours)
    for text in [*TEXTS, *drawn(400)]:
        assert theirs.encode(text) == ours.encode(text).tolist(), text
    rng = np.random.default_rng(1)
    for size in range(60):
        ids = rng.integers(3, len(ours), size).tolist()
        assert theirs.decode(ids) == ours.decode(ids)


@pytest.mark.parametrize("kind", TOKENS)
def test_words_of_a_prompt_are_those_of_the_toolkit(kind):
    ours, theirs = tokenizer(kind), runtime.SPLITS[kind]
    for text in [*TEXTS, *drawn(400)]:
        assert theirs(text) == ours(text), text


def test_letters_are_those_of_the_toolkit():
    points = [*range(0xD800), *range(0xE000, KINDS), *range(0xE0100, 0xE01F0)]
    text = "".join(f"a{chr(point)}b-{chr(point)} " for point in points)
    assert runtime._words(text) == tokenizer("words")(text)


def test_prompts_and_pieces_are_those_of_the_toolkit():
    ours = RunningText(WORDS, "words")
    theirs = runtime._RunningWords(
        {"vocabulary": list(WORDS), "tokens": "words"}, Path("x")
    )
    for prompt in ("The cat\n\nsat on", "mat!", "\n", "", "!"):
        assert theirs.encode(prompt) == ours.encode(prompt).tolist()
    letters, about = CharacterVocabulary("cab\n"), {"vocabulary": [*"cab\n"]}
    characters = runtime._RunningCharacters(about, Path("x"))
    assert characters.beginning == letters.beginning == "\n"
    assert characters.encode("abc") == letters.encode("abc").tolist()
    for pair in ((ours, theirs), (letters, characters)):
        one, other = pair
        for before in ("", "cat", "cat ", "cat\n"):
            for number in range(len(one)):
                (piece,) = one.pieces([number], before)
                assert other.decode(number, before) == piece
    strange = "a\u00fcbx\udcff" + "".join(map(chr, range(0x3B1, 0x3BC)))
    for model, text in (
        (letters, strange),
        (ours, "the zat"),
        (ours, "\u00fc"),
    ):
        with pytest.raises(DataError) as wanted:
            model.encode(text)
        with pytest.raises(runtime.InputError) as found:
            (characters if model is letters else theirs).encode(text)
        ending = str(wanted.value).split("vocabulary")[-1]
        ending = ending.removeprefix(f" of {len(WORDS)} words.")
        assert str(found.value).endswith(ending)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.3, "seed": 7},
        {"temperature": 1e-320},
        {"temperature": 2.0, "top_k": 3},
        {"top_k": 1},
        {"top_k": 99},
    ],
)
def test_draws_are_those_of_the_toolkit(settings):
    scores = np.random.default_rng(0).normal(size=(50, 9)).astype("float32")
    scores = scores.round(1)  # some are equal

    def step(tokens):
        return scores[(7 * int(tokens[-1]) + len(seen)) % 50]

    seen = []
    ours = []
    for token in generate(step, [0], 40, **settings):
        ours.append(token)
        seen.append(token)
    rng = np.random.default_rng(settings.get("seed", 0))
    options = settings.get("temperature", 1.0), settings.get("top_k", 0)
    seen, token, theirs = [], 0, []
    for _ in range(40):
        token = runtime._draw(step([token]), rng, *options)
        theirs.append(token)
        seen.append(token)
    assert theirs == ours


# Files


@pytest.fixture(scope="module", params=["onnx", "litert"])
def translator(text_files, request):
    return runtime.load(text_files.translator.paths[request.param])


def test_a_file_translates_as_the_keras_model(text_files, translator):
    from toolkit.data import source_rows

    texts = [*PHRASES, "tom's news!", "Go zebra"]
    ours = text_files.tokenizer
    rows = source_rows(texts, ours, reverse_source=True)
    tokens = np.asarray(text_files.search(rows)["tokens"])
    expected = [ours.decode(row) for row in tokens]
    assert len(set(expected)) > 2
    assert translator.translate(texts) == expected
    assert translator.translate(texts[1]) == expected[1]
    assert translator.translate([]) == []


def test_a_text_that_cannot_be_read_is_refused(translator):
    for wrong in ("", " ", "zebra", 7, None):
        with pytest.raises(
            runtime.InputError, match=f"model knows. Received: {wrong!r}"
        ):
            translator.translate(["go", wrong])
    with pytest.raises(runtime.InputError, match="translates, it does not"):
        translator.predict("x.png")


@pytest.fixture(scope="module", params=["onnx:streaming", "litert"])
def writer(text_files, request):
    return runtime.stream(text_files.writer.paths[request.param])


def test_a_file_writes_as_the_keras_model(text_files, writer):
    from recipes._run.keras_writer import KerasWriter

    ours = KerasWriter(text_files.model, RunningText(WORDS, "words"))
    for prompt in ("The cat", "", "\nmat"):
        for settings in ({"seed": 3}, {"temperature": 2.0}, {"top_k": 2}):
            options = {"temperature": 0.8, **settings}
            expected = "".join(ours.write(prompt, 30, **options))
            assert writer.generate(prompt, length=30, **settings) == expected
            assert len(set(expected.split())) > 1
    pieces = writer.write("the", 4)
    assert len(list(pieces)) == 4
    assert writer.generate("the", length=0) == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "`temperature` must be above 0.*=0"),
        ({"temperature": float("nan")}, "`temperature` must be above 0"),
        ({"top_k": -1}, "`top_k` must be a whole number.*top_k=-1"),
        ({"length": 2.5}, "`length` must be a whole number.*length=2.5"),
        ({"seed": True}, "`seed` must be a whole number.*seed=True"),
        ({"prompt": "the cta"}, '"cta" is not among the 7.*mean "cat"'),
        ({"prompt": "?!"}, r'no word to begin with. Received: "\?!"'),
        ({"prompt": 5}, "The prompt must be a text: 5"),
    ],
)
def test_what_a_writer_cannot_use_is_refused(writer, settings, message):
    with pytest.raises(runtime.InputError, match=message):
        writer.generate(**settings)


def test_a_file_of_whole_sequences_names_the_one_that_writes(text_files):
    with pytest.raises(runtime.ModelError, match='Take ".*_streaming.onnx"'):
        runtime.stream(text_files.writer.paths["onnx"])
    model = runtime.load(text_files.writer.paths["litert"])
    with pytest.raises(runtime.InputError, match="is a language model, no"):
        model.predict("x.png")
    with pytest.raises(runtime.InputError, match="does not translate"):
        model.translate("the")


class Stub(runtime.Model):
    """A model with other metadata."""

    def __init__(self, **metadata):
        super().__init__(Path("x.onnx"), metadata)
        self.inputs = {"source": ((-1, -1), "int32")}
        self.outputs = {"tokens": ((-1, 7), "int32")}

    def _run(self, arrays):
        self.given = arrays["source"]
        return {"tokens": np.full((len(self.given), 2), 60, np.int32)}


CHARACTER = {"kind": "characters", "characters": "ab"}


def subwords(model=b"x", **more):
    return {
        "kind": "subwords",
        "model": base64.b64encode(model).decode(),
        "sha256": hashlib.sha256(model).hexdigest(),
        **more,
    }


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (None, '"target" must be a dict. Received: None'),
        ({}, '"kind" must be a str'),
        ({"kind": "bytes"}, 'unknown kind "bytes"'),
        ({"kind": "characters", "characters": "aba"}, 'token "a" comes twice'),
        ({"kind": "words", "words": ["a", 7]}, "no text: 7"),
        ({"kind": "words", "words": ["<s>"]}, 'token "<s>" comes twice'),
        ({"kind": "words", "words": ["a"]}, '"lower" must be a bool'),
        (subwords(sha256="0"), '"model" has the sha256 2d711642b7'),
        (subwords(b""), '"model" has the sha256'),
        (subwords(model=b"x"), "damaged, target: "),
        (subwords() | {"model": "!"}, "damaged, target: "),
    ],
)
def test_damaged_tokenizers_are_named(described, message):
    text = {"source": CHARACTER, "target": described}
    with pytest.raises(runtime.ModelError, match=message) as found:
        Stub(text=text).translate("a")
    assert 'The tokenizers of "x.onnx" are damaged, target' in str(found.value)
    assert "export it anew" in str(found.value)


def test_tokenizers_of_another_model_are_named():
    model = Stub(text={"source": CHARACTER, "target": CHARACTER})
    with pytest.raises(
        runtime.ModelError, match="has 6 tokens, but its model wrote number 60"
    ):
        model.translate("a")
    model._run = lambda arrays: (_ for _ in ()).throw(runtime.InputError("no."))
    with pytest.raises(runtime.ModelError, match="no. Are the tokenizers"):
        model.translate("a")


def test_fixed_sizes_are_filled_up():
    model = Stub(text={"source": CHARACTER, "target": CHARACTER})
    model._run = lambda arrays: {
        "tokens": np.array([[4, 2], [5, 2]]) * (1 + 0 * arrays["source"][:, :1])
    }
    model.inputs = {"source": ((2, 4), "int32")}
    assert model.translate(["a", "b", "ab"]) == ["a", "b", "a"]
    with pytest.raises(
        runtime.InputError, match="has 5 tokens with its end.*exported for 4"
    ):
        model.translate("abab")


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"vocabulary": 7}, '"vocabulary" must be a list. Received: 7'),
        ({"vocabulary": ["a", "a"]}, 'damaged: the token "a" comes twice'),
        ({"vocabulary": ["ab"]}, "holds single characters, and others"),
        ({"vocabulary": ["a", ""]}, "a token is no text: ''"),
        ({"tokens": "words"}, "damaged: it lacks <unk>"),
        ({"tokens": "syllables", "vocabulary": list(WORDS)}, '"syllables"'),
        ({"vocabulary": ["a"]}, "has 1 tokens, but .*1, 7.: they are of"),
        ({"vocabulary": []}, "is no language model: it holds no vocab"),
    ],
)
def test_vocabularies_that_do_not_fit_are_named(text_files, about, message):
    stream = runtime.stream(text_files.writer.paths["onnx:streaming"])
    metadata = stream.model.metadata
    stream.model.metadata = {**metadata, "tokens": None, "vocabulary": [*"ab"]}
    stream.model.metadata |= about
    with pytest.raises(ValueError, match=message):
        stream.generate("a")


def test_subwords_name_the_package_that_they_need(monkeypatch):
    described = MADE["subwords"]().describe()
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(
        runtime.ModelError, match='"x.onnx".*pip install sentencepiece'
    ):
        Stub(text={"source": CHARACTER, "target": described}).translate("a")


# Alone on a device

ALONE = """
import sys
for name in ("tensorflow", "keras", "toolkit", "recipes", "export"):
    try:
        __import__(name)
        sys.exit(name + " is there")
    except ImportError:
        pass
sys.path.insert(0, ".")
import runtime
print(runtime.load(sys.argv[1]).translate(sys.argv[3]))
print(repr(runtime.stream(sys.argv[2]).generate("the cat", length=9, seed=2)))
"""


def test_copied_alone_it_translates_and_writes(text_files, bare):
    work, run = bare
    for one, other in (("onnx", "onnx:streaming"), ("litert", "litert")):
        files = [
            shutil.copy(text_files.translator.paths[one], work),
            shutil.copy(text_files.writer.paths[other], work),
        ]
        translated = runtime.load(files[0]).translate(PHRASES[0])
        written = runtime.stream(files[1]).generate("the cat", 9, seed=2)
        done = run("-c", ALONE, *files, PHRASES[0])
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{translated}\n{written!r}\n"
    asked = ["--prompt", "the cat", "--length", 9, "--seed", 2]
    told, plain, listed = ask(
        run,
        [files[0], "--text", PHRASES[0], "go zebra"],
        [files[1], *asked],
        [files[1], *asked, "--json"],
    )
    assert told.stdout.splitlines()[0] == translated
    assert 'not know 1 token of "go zebra"' in told.stderr
    assert plain.stdout == f"the cat{written}\n"
    assert json.loads(listed.stdout) == {"prompt": "the cat", "text": written}
