"""Steps of the fast path, held against plain NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from toolkit.layers.huffman_tree import huffman_tree
from toolkit.training.skip_gram import hierarchical_softmax, updates
from toolkit.training.skip_gram.fast_path import FastPath
from toolkit.training.skip_gram.full_softmax import FullSoftmaxSteps
from toolkit.training.skip_gram.guard import REACH, shortened, squares
from toolkit.training.skip_gram.hierarchical_softmax import (
    DAMPING,
    NODES_AHEAD,
    WORDS_AHEAD,
    HierarchicalSoftmaxSteps,
    ahead,
)
from toolkit.training.skip_gram.negative_sampling import NegativeSamplingSteps
from toolkit.training.skip_gram.sizes import step_sizes
from toolkit.training.skip_gram.stretches import (
    Stretch,
    keep_probabilities,
    pairs_of,
    subsample,
)

WORDS, SIZE, WINDOW, RATE = 30, 6, 3, 0.01
COUNTS = np.arange(WORDS, 0, -1) ** 2
FREQUENCY = COUNTS / COUNTS.sum()
STEPS = {
    "negative_sampling": lambda: NegativeSamplingSteps(
        COUNTS,
        FREQUENCY,
        size=SIZE,
        window=WINDOW,
        negative=4,
        ns_exponent=0.75,
    ),
    "hierarchical_softmax": lambda: HierarchicalSoftmaxSteps(
        COUNTS, FREQUENCY, size=SIZE, window=WINDOW
    ),
    "softmax": lambda: FullSoftmaxSteps(
        COUNTS, FREQUENCY, size=SIZE, window=WINDOW
    ),
}
TREE = huffman_tree(COUNTS)


@pytest.fixture(scope="module", params=STEPS)
def steps(request):
    """Steps of each objective, compiled once."""
    return STEPS[request.param]()


def stretch_of(words, seed=0):
    """A random stretch of several sentences."""
    rng = np.random.default_rng(seed)
    return Stretch(
        tf.constant(rng.integers(0, WORDS, words), tf.int32),
        tf.constant(np.sort(rng.integers(0, 6, words)), tf.int32),
        tf.constant(rng.integers(1, WINDOW + 1, words), tf.int32),
    )


def tables_of(steps, scale=1.0, seed=1):
    """Random tables of inputs and outputs."""
    rng = np.random.default_rng(seed)
    rows = WORDS - isinstance(steps, HierarchicalSoftmaxSteps)
    return [
        rng.normal(size=(n, SIZE), scale=scale).astype(np.float32)
        for n in (WORDS, rows)
    ]


def pairs_by_hand(stretch, first, last):
    """Pairs (centre, other) of the centres first to last, as tokens."""
    tokens, sentences, radius = (part.numpy() for part in stretch)
    return [
        (tokens[i], tokens[j])
        for i in range(first, min(last, len(tokens)))
        for j in range(i - radius[i], i + radius[i] + 1)
        if j != i and 0 <= j < len(tokens) and sentences[i] == sentences[j]
    ]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gradient(steps, v, u, pairs, noise):
    """Summed gradients of a step at both tables, and its summed loss."""
    to_v, to_u, loss = np.zeros_like(v), np.zeros_like(u), 0.0
    if isinstance(steps, FullSoftmaxSteps):
        for c, o in pairs:
            scores = u @ v[c]
            p = np.exp(scores - scores.max())
            p /= p.sum()
            loss -= np.log(p[o])
            p[o] -= 1
            to_v[c] += p @ u
            to_u += np.outer(p, v[c])
        return to_v, to_u, loss
    for c, o in pairs:
        if isinstance(steps, HierarchicalSoftmaxSteps):
            # A word's path is found from the words around it.
            length = TREE.lengths[c]
            c, o = o, c
            terms = [
                (node, 1.0, 1 - 2 * code)
                for node, code in zip(
                    TREE.points[o][:length], TREE.codes[o], strict=False
                )
            ]
        else:
            share = steps.negative / steps.shared
            terms = [(o, 1.0, 1), *((n, share, -1) for n in noise)]
        for row, weight, sign in terms:
            score = sign * (u[row] @ v[c])
            loss += weight * np.logaddexp(0, -score)
            slope = -weight * sign * sigmoid(-score)
            to_v[c] += slope * u[row]
            to_u[row] += slope * v[c]
    return to_v, to_u, loss


def moves_ahead(v, u, stretch, first, last):
    """Moves of a step of the tree: each table's along the other's way."""
    tokens = stretch.tokens.numpy()
    places = np.arange(first - WINDOW, last + WINDOW)
    there = (places >= 0) & (places < len(tokens))
    words = np.where(there, tokens[np.where(there, places, 0)], tokens[0])
    meets, left = np.zeros((2, len(words), len(u)))
    sentences, radius = stretch.sentences.numpy(), stretch.radius.numpy()
    for i in range(first, min(last, len(tokens))):
        near = there & (places != i) & (np.abs(places - i) <= radius[i])
        near[near] &= sentences[places[near]] == sentences[i]
        length = TREE.lengths[tokens[i]]
        nodes = TREE.points[tokens[i]][:length]
        meets[np.ix_(near, nodes)] += 1
        left[np.ix_(near, nodes)] += 1 - TREE.codes[tokens[i]][:length]
    pull = RATE * (left - meets * sigmoid(v[words] @ u.T))
    times = (words[:, None] == words[None]).sum(0)
    change_v = np.abs(pull) @ (u**2).sum(1) * times
    change_u = np.abs(pull).T @ (v[words] ** 2).sum(1)
    way_v = WORDS_AHEAD / (1 + DAMPING * change_v[:, None]) ** 2
    way_u = NODES_AHEAD / (1 + DAMPING * change_u[:, None]) ** 2
    moves = np.zeros_like(v)
    np.add.at(moves, words, pull @ (u + way_u * (pull.T @ v[words])))
    return moves, pull.T @ (v[words] + way_v * (pull @ u))


def noise_of(work, output_rows):
    """The negatives of every step, as words."""
    return output_rows[work.texts[-1].numpy()]


def run(steps, stretch, tables, rate=RATE):
    """The tables after all steps over a stretch, by the compiled loop."""
    most = -(-len(stretch.tokens) // steps.centres) + 2
    work = steps.work(stretch, most, tf.constant([3, 4]))
    copies = [
        tf.gather(table, tf.pad(rows, [[0, int(not len(rows))]]))
        for table, rows in zip(
            tables, (work.input_rows, work.output_rows), strict=True
        )
    ]
    moved = steps.loop(*copies, work.steps, tf.constant(rate), *work.texts)
    found = [table.copy() for table in tables]
    for table, rows, moves in zip(
        found, (work.input_rows, work.output_rows), moved, strict=False
    ):
        table[rows.numpy()] += moves.numpy()[: len(rows)]
    return work, found, moved


@pytest.mark.parametrize("words", [1, 16, 120])
def test_steps_are_gradient_descent_on_summed_losses(steps, words):
    stretch = stretch_of(words)
    tables = tables_of(steps, 0.5)
    work, found, (_, _, loss, pairs) = run(steps, stretch, tables)
    v, u = (table.astype(np.float64) for table in tables)
    noise = [()] * 100
    if isinstance(steps, NegativeSamplingSteps):
        noise = noise_of(work, work.output_rows.numpy())
    count = -(-words // steps.centres)
    assert int(work.steps) == count
    for step in range(count):
        met = pairs_by_hand(
            stretch, step * steps.centres, (step + 1) * steps.centres
        )
        to_v, to_u, expected = gradient(steps, v, u, met, noise[step])
        if step == 0:
            assert float(pairs) == len(met)
            assert float(loss) == pytest.approx(expected, rel=1e-5)
        if isinstance(steps, HierarchicalSoftmaxSteps):
            first = step * steps.centres
            move_v, move_u = moves_ahead(
                v, u, stretch, first, first + steps.centres
            )
            # Nearly the gradient's
            far = 0.1 * RATE * np.abs(to_v).max()
            np.testing.assert_allclose(move_v, -RATE * to_v, atol=far)
            np.testing.assert_allclose(move_u, -RATE * to_u, atol=far)
        else:
            move_v, move_u = -RATE * to_v, -RATE * to_u
        v += move_v
        u += move_u
    for got, wanted, before in zip(found, (v, u), tables, strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-6)
        assert words == 1 or np.abs(got - before).max() > 1e-3


def test_no_rate_makes_a_step_infinite(steps):
    text = Stretch(
        tf.constant(np.repeat([1, 2, 1], 300), tf.int32),
        tf.zeros(900, tf.int32),
        tf.fill([900], WINDOW),
    )
    tables = tables_of(steps, 0.5)
    for _ in range(10):
        _, tables, (_, _, loss, _) = run(steps, text, tables, rate=5.0)
        assert np.isfinite(float(loss))
    assert all(np.isfinite(table).all() for table in tables)


def test_no_words_leave_everything_as_it_is(steps):
    tables = tables_of(steps)
    _, found, (_, _, loss, pairs) = run(steps, stretch_of(0), tables)
    np.testing.assert_array_equal(found[0], tables[0])
    np.testing.assert_array_equal(found[1], tables[1])
    assert float(loss) == float(pairs) == 0


def test_moves_are_shortened_only_beyond_the_reach():
    found = shortened(tf.constant([0.0, REACH / 2, REACH, 4 * REACH]))
    np.testing.assert_allclose(found, [1, 1, 1, 0.25])
    rows = tf.constant([[3.0, 4.0], [0.0, 2.0]])
    np.testing.assert_allclose(squares(rows), [[25], [4]])


def test_more_nodes_than_fit_take_more_steps(monkeypatch):
    stretch, whole = stretch_of(40), STEPS["hierarchical_softmax"]()
    tables = tables_of(whole, 0.5)
    work, expected, _ = run(whole, stretch, tables)
    monkeypatch.setattr(hierarchical_softmax, "NODES", 8)
    more, found, _ = run(STEPS["hierarchical_softmax"](), stretch, tables)
    assert int(more.steps) > 2 * int(work.steps)
    for got, wanted, before in zip(found, expected, tables, strict=True):
        far = np.abs(wanted - before).max()
        np.testing.assert_allclose(got, wanted, atol=0.1 * far)


def test_rows_that_move_far_are_looked_at_nearby():
    rows, moves = np.ones((3, 2), np.float32), np.full((3, 2), 4, np.float32)
    change = np.array([[0], [1 / DAMPING], [1e6]], np.float32)
    found = ahead(tf.constant(rows), tf.constant(moves), change, 0.5)
    np.testing.assert_allclose(found, rows + [[2], [0.5], [0]], atol=1e-6)


def one_after_another(v, u, pairs, rate):
    """Tables of the tree, `(tables, rows, size)`, after steps over pairs."""
    v, u = v.copy(), u.copy()
    for centre, other in pairs:
        length = TREE.lengths[centre]
        nodes = TREE.points[centre][:length]
        left = 1.0 - TREE.codes[centre][:length, None]
        word = v[:, other, :, None]
        pull = rate * (left - sigmoid(u[:, nodes] @ word))
        move = (pull * u[:, nodes]).sum(1)
        u[:, nodes] += pull * word.swapaxes(1, 2)
        v[:, other] += move
    return v, u


@pytest.mark.parametrize("steps", ["hierarchical_softmax"], indirect=True)
def test_a_step_of_the_tree_gains_what_single_pairs_gain(steps):
    rate, words = 0.03, steps.centres
    rng = np.random.default_rng(0)
    stretch = Stretch(
        tf.constant(rng.integers(0, WORDS, words), tf.int32),
        tf.zeros(words, tf.int32),
        tf.fill([words], WINDOW),
    )
    tables = [tables_of(steps, 0.5, seed) for seed in range(8)]
    found = zip(*(run(steps, stretch, t, rate)[1] for t in tables), strict=True)
    pairs = pairs_by_hand(stretch, 0, words)
    before = [np.stack(t).astype(float) for t in zip(*tables, strict=True)]
    slopes = [
        gradient(steps, v, u, pairs, ())[:2]
        for v, u in zip(*before, strict=True)
    ]
    single = [
        one_after_another(*before, rng.permutation(pairs), rate)
        for _ in range(50)
    ]
    for got, start, slope, moved in zip(
        found,
        before,
        zip(*slopes, strict=True),
        zip(*single, strict=True),
        strict=True,
    ):
        blind, single = start - rate * np.stack(slope), np.mean(moved, 0)
        gain, ours = single - blind, np.stack(got) - blind
        # The gradient alone is a whole gain away from single pairs.
        assert np.linalg.norm(ours - gain) < 0.9 * np.linalg.norm(gain)
        assert 0.4 < (ours * gain).sum() / (gain**2).sum() < 1.6


def test_subsampling_keeps_words_as_often_as_the_formula_says():
    counts = np.array([900, 90, 10])
    keep = keep_probabilities(counts, 0.05)
    ratio = 0.05 / np.array([0.9, 0.09, 0.01])
    np.testing.assert_allclose(
        keep, np.minimum(1, np.sqrt(ratio) + ratio), rtol=1e-6
    )
    np.testing.assert_array_equal(keep_probabilities(counts, 0), 1)
    ids = tf.constant(np.tile([0] * 9 + [1], 4000), tf.int32)
    found = subsample(ids, tf.constant(keep), 5, tf.constant([1, 2]))
    kept = np.bincount(found.tokens, minlength=2) / (36_000, 4000)
    np.testing.assert_allclose(kept, keep[:2], atol=0.02)
    radius = np.bincount(found.radius, minlength=6)
    assert radius[0] == 0 and len(radius) == 6
    np.testing.assert_allclose(radius[1:] / len(found.radius), 0.2, atol=0.02)


def test_subsampling_depends_on_the_seed_alone():
    ids = tf.constant(np.arange(2000) % 7 - 1, tf.int32)
    keep = tf.fill([7], 0.5)
    one, same, other = (
        subsample(ids, keep, 5, tf.constant(seed))
        for seed in ([1, 2], [1, 2], [1, 3])
    )
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.tokens, other.tokens)


def test_pairs_stay_in_their_window_and_sentence():
    ids = tf.constant([4, 1, -1, 2, 3, 0, -1, 5], tf.int32)
    stretch = subsample(ids, tf.ones(6), 3, tf.constant([1, 2]))
    np.testing.assert_array_equal(stretch.tokens, [4, 1, 2, 3, 0, 5])
    found = set(zip(*(p.numpy() for p in pairs_of(stretch, 3)), strict=True))
    assert found == set(pairs_by_hand(stretch, 0, 6))
    assert (4, 1) in found and (1, 2) not in found and (0, 5) not in found


def test_many_pairs_are_those_by_hand():
    stretch = stretch_of(200)
    centres, others = (part.numpy() for part in pairs_of(stretch, WINDOW))
    found = list(zip(centres, others, strict=True))
    assert sorted(found) == sorted(pairs_by_hand(stretch, 0, 200))


def test_a_step_is_smaller_the_more_a_word_is_used():
    even, noise = np.full(10_000, 1e-4), np.full(10_000, 1e-4)
    sizes = step_sizes(even, noise, window=5, negative=5)
    assert (sizes.centres, sizes.shared) == (64, 32)
    skewed = np.array([0.5] + [0.5 / 9999] * 9999)
    assert step_sizes(skewed, noise, window=5, negative=5).centres == 16
    many = step_sizes(even, noise, window=10, negative=20)
    assert many.centres * 11 * 20 / many.shared <= 60


def test_workers_rare_words_add_up_and_frequent_ones_average():
    shares = updates.joint_share(tf.constant([0.0, 1e-3, 1.0, 50.0]), 2)
    np.testing.assert_allclose(shares[:2], 1.0)
    assert 0.75 <= float(shares[2]) <= 1.0
    np.testing.assert_allclose(shares[3], 0.75, rtol=1e-5)
    amounts = tf.constant(np.logspace(-4, 3, 50), tf.float32)
    for workers in (2, 4, 8):
        shares = updates.joint_share(amounts, workers).numpy()
        assert (np.diff(shares) <= 1e-6).all() and shares.max() == 1.0
        np.testing.assert_allclose(shares[-1], (1 + 1 / workers) / workers)


@pytest.mark.parametrize("room", [2, 1000])
def test_update_writes_each_workers_moves_into_its_rows(room):
    def loop(inputs, outputs, steps, rate, bump):
        return tf.ones_like(inputs) * bump, outputs * 0 + 2 * bump, 3.0, 4.0

    tables = tf.Variable(tf.zeros((9, 2))), tf.Variable(tf.zeros((9, 2)))
    works = [
        updates.Work(
            tf.constant([0, 4, 5]),
            tf.constant([8, 1, 2, 3, 4]),
            tf.constant(1),
            (tf.constant(bump),),
        )
        for bump in (1.0, 10.0)
    ]
    loss, pairs = updates.update(
        tables,
        works,
        loop,
        tf.constant(0.1),
        (room, room),
        (tf.zeros(9), tf.zeros(9)),
    )
    np.testing.assert_allclose(tables[0][:, 0], [11, 0, 0, 0, 11, 11, 0, 0, 0])
    np.testing.assert_allclose(
        tables[1][:, 1], [0, 22, 22, 22, 22, 0, 0, 0, 22]
    )
    assert (float(loss), float(pairs)) == (6, 8)


@pytest.mark.parametrize(("workers", "share"), [(1, 1.0), (2, 0.75)])
def test_update_shortens_what_several_workers_pull_at(workers, share):
    def loop(inputs, outputs, steps, rate):
        return tf.ones_like(inputs), tf.ones_like(outputs), 0.0, 0.0

    tables = tf.Variable(tf.zeros((2, 2))), tf.Variable(tf.zeros((2, 2)))
    rows = tf.constant([0, 1])
    work = updates.Work(rows, rows, tf.constant(1), ())
    pulls = tf.constant([0.0, 1e6])  # a rare word, a frequent one
    updates.update(
        tables, [work] * workers, loop, tf.constant(0.1), (2, 2), (pulls,) * 2
    )
    for table in tables:
        np.testing.assert_allclose(
            table[:, 0], [workers, workers * share], rtol=1e-5
        )


def test_every_worker_and_block_draws_by_itself():
    seen = []

    class Steps(FullSoftmaxSteps):
        def work(self, stretch, most, seed):
            seen.append((*seed.numpy(), *stretch.radius.numpy()))
            return super().work(stretch, most, seed)

    path = FastPath(
        COUNTS,
        lambda *known: Steps(*known, size=SIZE, window=WINDOW),
        window=WINDOW,
        sample=0,
        workers=3,
    )
    tables = [tf.Variable(table) for table in tables_of(path.steps)]
    text = tf.constant(np.tile(np.arange(20), 6), tf.int32)
    for step in (1, 2, 1):
        path(tables, text, tf.constant([7, step]), tf.constant(0.1))
    assert len(set(seen)) == len({draws[2:] for draws in seen}) == 6
    assert seen[6:] == seen[:3]


def test_steps_are_told_how_often_words_are_left_after_subsampling():
    told = []

    def steps(counts, frequency):
        told.append(frequency)
        return FullSoftmaxSteps(counts, frequency, size=SIZE, window=WINDOW)

    path = FastPath(COUNTS, steps, window=WINDOW, sample=0.005, workers=1)
    kept = COUNTS * keep_probabilities(COUNTS, 0.005)
    np.testing.assert_allclose(told[0], kept / kept.sum())
    assert path.kept_share == pytest.approx(kept.sum() / COUNTS.sum())
    assert path.kept_share < 0.9


def test_copies_have_room_for_what_a_stretch_uses():
    uses = np.full(100_000, 0.01)
    rng = np.random.default_rng(0)
    different = len(np.unique(rng.integers(0, 100_000, 1000)))
    assert different <= updates.capacity(uses) <= 1.2 * different + 64
    assert updates.capacity(np.full(10, 1e9)) == 10
