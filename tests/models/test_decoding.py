"""Decoding, against a search that is slow and plain."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.contracts import SEARCHES
from toolkit.errors import ConfigError
from toolkit.models import decoding_model, language_model, seq2seq

START, END = 1, 2
SOURCES = np.array(
    [
        [3, 4, 5, 6, 7, 8],
        [8, 3, 0, 0, 0, 0],
        [5, 5, 6, 0, 0, 0],
        [4, 0, 0, 0, 0, 0],
        [7, 3, 7, 3, 0, 0],
    ]
)


def stirred(model, seed=0, end=0.0):
    """Returns a model with weights that make it decided.

    Args:
        end: what is added to the logit of the end.
    """
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    bias = model.decoder.get_layer("logits").bias
    bias.assign(bias + end * np.eye(model.vocabulary, dtype="float32")[END])
    return model


def plain(model):
    """Returns a function from sources and targets to log probabilities."""
    tokens = tf.TensorSpec((None, None), tf.int32)

    @tf.function(input_signature=[tokens, tokens])
    def call(source, target):
        return model({"source": source, "target": target}, training=False)

    def answer(source, prefixes):
        """Returns `(prefixes, words)`, of the token after each prefix."""
        target = np.array([[START, *prefix] for prefix in prefixes])
        sources = np.repeat(source[None], len(prefixes), axis=0)
        logits = call(sources.astype("int32"), target.astype("int32"))
        logits = logits.numpy().astype("float64")
        logits -= logits.max(axis=-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    return answer


def greedy(answer, source, longest, penalty):
    tokens, total = (), 0.0
    while len(tokens) < longest and END not in tokens:
        found = answer(source, [tokens])[0, -1]
        found[[0, START]] = -np.inf
        tokens += (int(found.argmax()),)
        total += found.max()
    return total / len(tokens) ** penalty, tokens


def beam(answer, source, longest, penalty, width):
    """Searches to the very end, whatever was found before."""
    alive, answers = [(0.0, ())], []
    for length in range(1, longest + 1):
        found = answer(source, [y for _, y in alive])[:, -1]
        longer = []
        for (total, tokens), row in zip(alive, found, strict=True):
            for token, value in enumerate(row):
                if token == END:
                    score = (total + value) / length**penalty
                    answers.append((score, (*tokens, END)))
                elif token not in (0, START):
                    longer.append((total + value, (*tokens, token)))
        alive = sorted(longer, reverse=True)[:width]
    answers += [(total / longest**penalty, y) for total, y in alive]
    return max(answers)


def every_score(answer, source, longest, penalty, words):
    """Returns the score of every sequence that can be written."""
    going = [word for word in range(words) if word not in (0, START, END)]
    scores = []
    for length in range(1, longest + 1):
        last = [END, *going] if length == longest else [END]
        for tokens in itertools.product(*[going] * (length - 1), last):
            scores.append((score_of(answer, source, tokens, penalty), tokens))
    return scores


def score_of(answer, source, tokens, penalty):
    found = answer(source, [tokens[:-1]])[0]
    total = found[np.arange(len(tokens)), tokens].sum()
    return total / len(tokens) ** penalty


def answers(found):
    """Returns (score, tokens) of each row; checks what is after the end."""
    rows = []
    for tokens, length, score in zip(
        *(np.asarray(found[k]) for k in ("tokens", "lengths", "scores")),
        strict=True,
    ):
        assert not tokens[length:].any() and tokens[:length].all()
        rows.append((float(score), tuple(tokens[:length].tolist())))
    return rows


@pytest.mark.parametrize(
    ("form", "penalty", "seed", "end"),
    [
        ({"cell": "gru"}, 1.0, 0, 2.0),
        ({"cell": "lstm", "layers": 2, "attention": "additive"}, 0.5, 0, 0.0),
        ({"cell": "elman", "attention": None, "tied": True}, 0.0, 2, 0.0),
        ({"cell": "peephole_lstm", "bidirectional": False}, 1.0, 1, 2.0),
    ],
    ids=lambda value: value["cell"] if isinstance(value, dict) else None,
)
def test_search_equals_a_plain_one_on_growing_prefixes(
    form, penalty, seed, end
):
    model = stirred(seq2seq(9, 12, units=6, embedding=5, **form), seed, end)
    answer, longest, seen = plain(model), 6, {}
    for width in (1, 2, 5):
        search = decoding_model(model, longest, width, penalty)
        found = answers(search(SOURCES))
        for (score, tokens), source in zip(found, SOURCES, strict=True):
            given = answer, source[source > 0], longest, penalty
            wanted, expected = (
                greedy(*given) if width == 1 else beam(*given, width)
            )
            assert tokens == expected
            assert score == pytest.approx(wanted, abs=1e-5)
            seen[width, source.tobytes()] = tokens
    # Else nothing was shown.
    assert len({len(tokens) for tokens in seen.values()}) > 1
    assert any(tokens != seen[1, key] for (_, key), tokens in seen.items())


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_beam_as_wide_as_the_vocabulary_finds_the_best_of_all(penalty):
    missed = 0
    for seed in range(2):
        model = stirred(seq2seq(9, 5, units=4, embedding=3), seed)
        answer = plain(model)
        wide = answers(decoding_model(model, 3, 5, penalty)(SOURCES[:2]))
        short = answers(decoding_model(model, 3, 1, penalty)(SOURCES[:2]))
        for row, source in enumerate(SOURCES[:2]):
            source = source[source > 0]
            score, tokens = max(every_score(answer, source, 3, penalty, 5))
            assert wide[row][1] == tokens
            assert wide[row][0] == pytest.approx(score, abs=1e-5)
            missed += short[row][1] != tokens
    assert missed  # which greedy search does not


def test_penalty_lets_longer_targets_win():
    model = stirred(seq2seq(9, 12, units=6, embedding=5), end=2.0)
    lengths = [
        np.asarray(decoding_model(model, 8, 4, p)(SOURCES)["lengths"]).sum()
        for p in (0.0, 1.0, 4.0)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


@pytest.mark.parametrize("width", [1, 3])
def test_search_ends_when_no_row_can_find_better(width, monkeypatch):
    model = seq2seq(9, 6, units=4, embedding=3)
    bias = model.get_layer("decoder").get_layer("logits").bias
    bias.assign([0, 0, 20, 0, 0, 0])  # the end, whatever was read
    search = decoding_model(model, 50, width)
    layer, steps = search.get_layer("search"), []
    step = layer._step
    monkeypatch.setattr(
        layer, "_step", lambda *given: steps.append(0) or step(*given)
    )
    found = search(SOURCES)
    assert len(steps) == 1
    assert answers(found)[0][1] == (END,)
    bias.assign([0, 0, -20, 0, 9, 0])
    assert np.all(search(SOURCES)["lengths"] == 50)
    assert len(steps) == 51


def test_padding_and_start_are_never_written():
    model = seq2seq(9, 6, units=4, embedding=3)
    model.get_layer("decoder").get_layer("logits").bias.assign(
        [30, 30, -5, 0, 1, 0]
    )
    for width in (1, 4):
        tokens = np.asarray(decoding_model(model, 5, width)(SOURCES)["tokens"])
        assert (tokens > END).all()


@pytest.mark.parametrize("width", [1, 4])
def test_suppressed_tokens_are_never_written(width):
    model = stirred(seq2seq(9, 12, units=6, embedding=5), seed=4)
    free = np.asarray(decoding_model(model, 8, width)(SOURCES)["tokens"])
    most = int(np.bincount(free[free > END]).argmax())
    search = decoding_model(model, 8, width, suppress_tokens=[most])
    found = {key: np.asarray(x) for key, x in search(SOURCES).items()}
    assert (free == most).any() and not (found["tokens"] == most).any()
    layer = search.get_layer("search")
    asked = {"source": SOURCES}, found, dict(found), (1e-5, 1e-5)
    assert layer.equally_good(*asked).all()
    other = {**found, "tokens": np.where(found["tokens"] > END, most, 0)}
    assert not layer.equally_good(*asked[:2], other, asked[3]).any()
    copied = type(layer).from_config(layer.get_config())
    assert copied.suppress_tokens == (most,)


def test_other_tokens_may_begin_and_end():
    model = stirred(seq2seq(9, 7, units=6, embedding=5), seed=4)
    found = decoding_model(model, 9, 1, start=4, end=5)(SOURCES)
    tokens, lengths = np.asarray(found["tokens"]), np.asarray(found["lengths"])
    before = np.insert(tokens[:, :-1], 0, 4, axis=1)
    logits = np.array(model({"source": SOURCES, "target": before}))
    logits[..., [0, 4]] = -np.inf
    inside = np.arange(9) < lengths[:, None]
    assert np.array_equal(tokens[inside], logits.argmax(-1)[inside])
    assert (lengths < 9).any()
    assert (tokens[np.arange(5), lengths - 1] == 5)[lengths < 9].all()


@pytest.mark.parametrize("name", SEARCHES)
def test_search_is_the_same_in_a_graph(name):
    build, source = SEARCHES[name]
    model = build()
    expected = model(source)
    found = model.predict(source, verbose=0)
    assert set(found) == {"tokens", "lengths", "scores"}
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], atol=1e-6)


def test_weights_are_those_of_the_model():
    model = seq2seq(9, 6, units=4, embedding=3)
    search = decoding_model(model, 5)
    assert len(search.weights) == len(model.weights)
    model.get_layer("decoder").get_layer("logits").bias.assign(
        [0, 0, 0, 0, 0, 30]
    )
    assert np.all(search(SOURCES)["tokens"] == 5)


MODEL = seq2seq(9, 6, units=4, embedding=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beam_width": 0}, "`beam_width` must be a positive integer"),
        ({"beam_width": 7}, "at most the number of target tokens, 6"),
        ({"max_length": 0}, "`max_length` must be a positive integer"),
        ({"length_penalty": -1.0}, "at least 0. Received: length_penalty=-1"),
        ({"length_penalty": float("nan")}, "length_penalty=nan"),
        ({"start": 0}, "`start` must be a target token from 1 to 5"),
        ({"end": 6}, "`end` must be a target token from 1 to 5"),
        ({"end": 1}, "`start` and `end` must differ. Received: 1 for both"),
        ({"suppress_tokens": [6]}, "`suppress_tokens` must be a target token"),
        ({"suppress_tokens": [2]}, "must not have the end, 2"),
        (
            {"model": language_model(7, units=3)},
            "what `toolkit.models.seq2seq`",
        ),
    ],
)
def test_decoding_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        decoding_model(**{"model": MODEL, **arguments})


def put(answer, actual, tokens):
    """Makes tokens the answer, with their own score."""
    actual["tokens"][0] = [*tokens, *[0] * (8 - len(tokens))]
    actual["lengths"][0] = len(tokens)
    actual["scores"][0] = score_of(answer, SOURCES[0], tokens, 1.0)


@pytest.mark.parametrize("width", [1, 3])
def test_another_answer_has_to_be_as_good(width):
    def own_score_is_wrong(answer, actual):
        actual["scores"] += 1e-3

    def worse(answer, actual):
        put(answer, actual, (3, 4, END))

    def cut(answer, actual):
        length = actual["lengths"][0] - 1
        put(answer, actual, tuple(actual["tokens"][0][:length].tolist()))

    def more_after_the_end(answer, actual):
        put(answer, actual, (END,))
        actual["tokens"][0, -1] = 3

    model = stirred(seq2seq(9, 12, units=6, embedding=5), end=1.0)
    layer = decoding_model(model, 8, width).get_layer("search")
    expected = {k: v.numpy() for k, v in layer(SOURCES[:1]).items()}
    answer = plain(model)

    def judged(change):
        actual = {k: v.copy() for k, v in expected.items()}
        change(answer, actual)
        inputs = {"source": SOURCES[:1]}
        return layer.equally_good(inputs, expected, actual, (1e-5, 1e-5))

    assert judged(lambda *_: None).tolist() == [True]
    for change in (own_score_is_wrong, worse, cut, more_after_the_end):
        assert judged(change).tolist() == [False], change


def test_an_answer_that_ends_is_as_good_as_itself():
    model = stirred(seq2seq(9, 12, units=6, embedding=5), end=3.0)
    layer = decoding_model(model, 8).get_layer("search")
    found = {k: v.numpy() for k, v in layer(SOURCES).items()}
    assert (found["lengths"] < 8).any()
    asked = {"source": SOURCES}, found, found, (1e-5, 1e-5)
    assert layer.equally_good(*asked).all()


def test_tokens_that_are_equally_probable_may_stand_for_each_other():
    """Tokens 10 and 11 are one and the same to the decoder."""
    model = stirred(seq2seq(9, 12, units=6, embedding=5), end=-2.0)
    logits = model.decoder.get_layer("logits")
    table = model.decoder.get_layer("target_embedding").embeddings
    logits.bias.assign(logits.bias + np.eye(12, dtype="float32")[10] * 9)
    for weight, axis in ((logits.kernel, 1), (logits.bias, 0), (table, 0)):
        value = keras.ops.convert_to_numpy(weight).copy()
        rows = np.moveaxis(value, axis, 0)
        rows[11] = rows[10]
        weight.assign(value)
    for width in (1, 3):
        layer = decoding_model(model, 8, width).get_layer("search")
        expected = {k: v.numpy() for k, v in layer(SOURCES).items()}
        swapped = np.array([*range(10), 11, 10], "int32")[expected["tokens"]]
        assert (swapped != expected["tokens"]).any(axis=1).sum() >= 4
        actual = {**expected, "tokens": swapped}
        asked = {"source": SOURCES}, expected, actual, (1e-5, 1e-5)
        assert layer.equally_good(*asked).all()
        actual["scores"] = expected["scores"] + [1e-3, 0, 0, 0, 0]
        assert layer.equally_good(*asked).tolist() == [False, *[True] * 4]
