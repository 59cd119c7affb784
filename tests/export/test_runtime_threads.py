"""One loaded file, asked by eight threads at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import keras
import numpy as np
import pytest

import export
from export import runtime
from tests.export.conftest import ROYAL, K
from toolkit.models import autoencoder

THREADS = 8
KINDS = ("onnx", "litert")
STREAMS = ("onnx:streaming", "litert")


def at_once(ask, *questions):
    """Asks all questions in each of eight threads, in another order each.

    Returns:
        Per thread, the answers in the order of the questions.
    """
    together = Barrier(THREADS)

    def work(number):
        order = np.random.default_rng(number).permutation(len(questions))
        together.wait()
        answers = {place: ask(questions[place]) for place in order}
        return [answers[place] for place in range(len(questions))]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def assert_equal(answers, expected):
    for answer, right in zip(answers, expected, strict=True):
        for name, value in right.items():
            np.testing.assert_allclose(answer[name], value, 1e-5, 1e-6)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An autoencoder with its encoder and decoder beside it."""
    keras.utils.set_random_seed(0)
    return export.export(
        autoencoder((16, 16, 1), hidden=(64,), code=32),
        tmp_path_factory.mktemp("threads"),
        KINDS,
        signatures=["encoder", "decoder"],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_thread_gets_the_answers_to_its_own_inputs(files, kind):
    rng = np.random.default_rng(0)
    model = runtime.load(files.paths[kind])
    inputs = [
        {"image": rng.random((batch, 16, 16, 1), np.float32)}
        for batch in np.arange(300) % 7 + 1
    ]
    expected = [model.run(arrays) for arrays in inputs]
    for answers in at_once(model.run, *inputs):
        assert_equal(answers, expected)


def test_threads_may_call_different_signatures_of_one_file(files):
    rng = np.random.default_rng(1)
    model = runtime.load(files.paths["litert"])
    questions = []
    for batch in np.arange(50) % 5 + 1:
        images = rng.random((batch, 16, 16, 1), np.float32)
        codes = rng.random((batch, 32), np.float32)
        questions += [
            (model.signature, {"image": images}),
            ("encoder", {"image": images}),
            ("decoder", {"code": codes}),
        ]

    def ask(question):
        signature, arrays = question
        return model.with_signature(signature).run(arrays)

    expected = [ask(question) for question in questions]
    for answers in at_once(ask, *questions):
        assert_equal(answers, expected)


@pytest.mark.parametrize("key", ["saved_model", *KINDS])
def test_threads_share_words_that_nobody_has_asked_before(word_files, key):
    model = runtime.load(word_files.done.paths[key])
    questions = [
        *(lambda w=word: model.neighbours(w, K) for word in ROYAL),
        lambda: model.analogy("man", "king", "woman", K),
        lambda: model.neighbours("king", 20),  # from all vectors, in NumPy
    ]
    vectors = word_files.vectors
    expected = [
        *(vectors.neighbours(word, K) for word in ROYAL),
        vectors.analogy("man", "king", "woman", k=K),
        vectors.neighbours("king", 20),
    ]
    for answers in at_once(lambda ask: ask(), *questions):
        for answer, right in zip(answers, expected, strict=True):
            assert [w for w, _ in answer] == [w for w, _ in right]


@pytest.mark.parametrize("key", KINDS)
def test_vectors_are_taken_out_of_the_file_once(word_files, key, monkeypatch):
    model = runtime.load(word_files.done.paths[key])
    taken = []
    units = runtime.Words._all_units
    monkeypatch.setattr(
        runtime.Words, "_all_units", lambda self: taken.append(1) or units(self)
    )
    at_once(lambda k: model.neighbours("king", k), 20, 30)
    assert len(taken) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_a_translator(text_files, kind):
    model = runtime.load(text_files.translator.paths[kind])
    texts = ["go", "Don't go", "news", "Go on, Tom!", "well-known news"]
    expected = runtime.load(text_files.translator.paths[kind]).translate(texts)
    for answers in at_once(model.translate, *texts, *texts):
        assert answers == expected * 2


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_of_one_model_keep_states_of_their_own(text_files, kind):
    model = runtime.load(text_files.writer.paths[kind])
    chunks = np.random.default_rng(2).integers(0, 7, (THREADS, 20, 1, 1))

    def listen(row):
        heard = runtime.stream(model)
        answers = [heard.run(chunk.astype(np.int32)) for chunk in chunks[row]]
        return {k: np.concatenate([a[k] for a in answers]) for k in answers[0]}

    expected = [listen(row) for row in range(THREADS)]
    for answers in at_once(listen, *range(THREADS)):
        assert_equal(answers, expected)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_shared_stream_writes_one_text_after_the_other(text_files, kind):
    shared = runtime.stream(text_files.writer.paths[kind])

    def write(seed):
        return shared.generate("the cat", 12, seed=seed)

    expected = [write(seed) for seed in range(6)]
    assert len(set(expected)) > 3
    for answers in at_once(write, *range(6)):
        assert answers == expected


@pytest.mark.parametrize("kind", STREAMS)
def test_chunks_of_threads_that_share_a_stream_wait_for_each_other(
    text_files, kind
):
    """Equal chunks: whichever comes first, as many steps end in one state."""
    path = text_files.writer.paths[kind]
    chunk, steps = np.full((1, 1), 3, np.int32), range(10)
    alone, shared = runtime.stream(path), runtime.stream(path)
    for _ in range(THREADS * len(steps)):
        alone.run(chunk)
    at_once(lambda _: shared.run(chunk), *steps)
    assert_equal([shared.run(chunk)], [alone.run(chunk)])
