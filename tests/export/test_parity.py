"""By how much a file's values may differ from the Keras model's."""

import numpy as np
import pytest

from export.answers import Answers, Case, R, Tolerance
from export.errors import ParityError, UnsupportedModelError
from export.parity import Parity, compare
from toolkit.errors import ConfigError

RULE = R["float32"]


def answers(*expected, kinds=None, **options):
    """Answers of one output `y`, or of dicts of outputs."""
    cases = [
        Case(f"case {i}", {}, kinds[i] if kinds else "drawn")
        for i in range(len(expected))
    ]
    wanted = [e if isinstance(e, dict) else {"y": e} for e in expected]
    return Answers(cases, wanted, **options)


def outcome(wanted, actual, number=0):
    found = Parity(wanted.tolerance)
    got = actual if isinstance(actual, dict) else {"y": actual}
    found.add(wanted, number, got)
    return found


def allowed(expected, place, number=0, **options):
    """The difference at a place from which on a file is refused."""
    wanted = answers(*expected, **options)
    value = wanted.expected[number]["y"]
    limit = wanted.bound(number, "y")[place]
    for share, passes in ((0.98, True), (1.02, False)):
        found = value.astype(np.float64)
        found[place] += share * limit
        assert outcome(wanted, found.astype(value.dtype), number).passed is (
            passes
        )
    return limit


def rows(*values):
    """Eight rows of the same values, as a column needs at least."""
    return np.tile(np.array(values, np.float64), (8, 1))


def test_a_value_counts_with_the_largest_of_its_column():
    expected = rows(300.0, 0.00088)
    expected[3, 1] = 0.002
    limit = allowed([expected], (0, 1))
    assert limit == pytest.approx(RULE * (0.00088 + 0.002))
    assert allowed([expected], (0, 0)) == pytest.approx(RULE * 600)


def test_columns_span_the_cases_of_a_kind_and_no_others():
    expected = [rows(1.0), rows(5.0), rows(1000.0)]
    options = {"kinds": ["drawn", "drawn", "large"]}
    limit = allowed(expected, (0, 0), **options)
    assert limit == pytest.approx(RULE * (1 + 5))


def test_columns_of_few_values_share_a_scale():
    expected = np.array([[300.0, 1.0]] * 7)
    assert allowed([expected], (0, 1)) == pytest.approx(RULE * 301)
    assert allowed([rows(300.0, 1.0)], (0, 1)) == pytest.approx(RULE * 2)


def test_an_output_of_rank_1_is_one_column_and_of_rank_0_one_value():
    assert allowed([np.linspace(0.0, 2.0, 9)], 0) == pytest.approx(RULE * 2)
    wanted = answers(np.array(3.0))
    assert outcome(wanted, np.array(3.0 + 5 * RULE)).passed
    assert not outcome(wanted, np.array(3.0 + 7 * RULE)).passed


def test_sequences_have_the_columns_of_their_last_axis():
    expected = np.full((2, 4, 2), 0.5)
    expected[1, 2, 1] = 9.0
    assert allowed([expected], (0, 0, 1)) == pytest.approx(RULE * 9.5)
    assert allowed([expected], (0, 0, 0)) == pytest.approx(RULE * 1.0)


def test_small_values_have_no_constant_to_hide_behind():
    tiny = np.full((8, 60_000), 1 / 60_000, np.float32)
    assert not outcome(answers(tiny), tiny * 1.0001).passed
    zeros = np.zeros((8, 2), np.float32)
    assert not outcome(answers(zeros), zeros + 1e-30).passed
    assert outcome(answers(zeros), zeros + 1e-39).passed  # no normal number


def test_the_rule_follows_the_precision():
    half = Tolerance(r=R["float16"])
    limit = allowed([rows(1.0)], (0, 0), tolerance=half)
    assert limit == pytest.approx(2 * R["float16"])


def test_given_tolerances_replace_the_rule():
    given = Tolerance(atol=0.5)
    assert allowed([rows(100.0)], (0, 0), tolerance=given) == 0.5
    given = Tolerance(rtol=0.01)
    assert allowed([rows(100.0)], (0, 0), tolerance=given) == 1.0
    assert str(Tolerance(1e-3, 1e-2)) == "0.001 + 0.01 |Keras|"
    found = outcome(answers(rows(1.0), tolerance=Tolerance(atol=1.0)), rows(1))
    described = found.describe()
    assert described["rule"] == "each value within 1 + 0 |Keras| of Keras'"
    assert described["r"] is None and described["atol"] == 1.0


@pytest.mark.parametrize("value", [-1, np.inf, np.nan, "x"])
@pytest.mark.parametrize("name", ["atol", "rtol"])
def test_tolerances_that_allow_anything_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"`{name}` must be a finite number"):
        Tolerance(**{name: value})


def test_columns_lie_along_any_axis():
    expected = np.ones((8, 3, 9))
    expected[:, 0] = 300.0
    assert allowed([expected], (0, 1, 0)) == pytest.approx(RULE * 2)
    assert allowed([expected], (0, 0, 0)) == pytest.approx(RULE * 600)


def test_a_mask_is_no_scale():
    expected = np.linspace(1.0, 2.0, 27).reshape(9, 3)
    expected[::2] = -1e9
    assert allowed([expected], (1, 0)) < 1e-4
    assert outcome(answers(expected), expected).passed


def test_each_output_has_the_bound_of_its_precision():
    wanted = answers({"a": rows(1.0), "b": rows(1.0)}, bounds={"b": 0.1})
    found = {"a": rows(1.0), "b": rows(1.1)}
    assert outcome(wanted, found).passed
    assert not outcome(wanted, {"a": rows(1.1), "b": rows(1.0)}).passed


def test_whole_numbers_are_equal_or_not():
    wanted = answers(np.array([1000, 2000]))
    found = outcome(wanted, np.array([1000, 2001]))
    with pytest.raises(ParityError, match="is 2001 where .* 2000 .*allowed 0"):
        found.check("The file")


def test_names_shapes_dtypes_and_nan_are_seen():
    one = np.ones((8, 1), np.float32)
    bad = one.copy()
    bad[0] = np.nan
    assert not outcome(answers(one), bad).passed
    with pytest.raises(ParityError, match="shape"):
        outcome(answers(one), np.ones((9, 1), np.float32))
    with pytest.raises(ParityError, match="float64"):
        outcome(answers(one), one.astype(float))
    with pytest.raises(ParityError, match="named z"):
        outcome(answers(one), {"z": one})
    assert not Parity().passed  # nothing was compared


def test_infinity_equals_itself_alone():
    wanted = rows(1.0, np.inf)
    assert outcome(answers(wanted), wanted).passed
    assert not outcome(answers(wanted), rows(1.0, 1e30)).passed
    assert not outcome(answers(wanted), rows(1.0, -np.inf)).passed
    # Products of LiteRT do not overflow, and its exp does early.
    assert outcome(answers(wanted), rows(1.0, np.finfo("f4").max)).passed
    assert outcome(answers(rows(1.0, 2.5e38)), wanted).passed
    assert not outcome(answers(rows(1.0, 1e38)), wanted).passed


def test_a_model_that_answers_nan_cannot_be_compared():
    few = rows(1.0, 2.0)
    few[:2, 0] = np.nan
    found = outcome(answers(few), np.nan_to_num(few))
    found.check("The file")
    assert found.undecided == 2
    many = rows(1.0, np.nan)
    with pytest.raises(UnsupportedModelError, match='"y" cannot be compared'):
        outcome(answers(many), many).check("The file")


def moved(by):
    """Moves answers as a model does whose weights were moved."""

    def shaken(inputs, expected):
        return [{"y": expected}, {"y": expected + by}]

    return shaken


def test_what_the_models_own_rounding_moves_may_differ_as_far():
    expected = rows(1.0, 1.0)
    noise = np.zeros((8, 2))
    noise[2] = 1e-3
    found = expected.copy()
    found[2, 0] += 3e-3
    options = {"shaken": lambda inputs: moved(noise)(inputs, expected)}
    assert not outcome(answers(expected), found).passed
    result = outcome(answers(expected, **options), found)
    assert result.passed and result.magnified == 1
    found[2, 0] += 6e-3
    assert not outcome(answers(expected, **options), found).passed
    other = expected.copy()
    other[3, 0] += 3e-2  # more than the column moves
    assert not outcome(answers(expected, **options), other).passed


def test_whole_numbers_that_jump_with_the_rounding_are_not_compared():
    expected = np.arange(9)
    jumps = (np.arange(9) == 4).astype(int)
    options = {"shaken": lambda inputs: moved(jumps)(inputs, expected)}
    result = outcome(answers(expected, **options), expected - jumps)
    assert result.passed and result.undecided == 1
    other = expected - (np.arange(9) == 5)
    assert not outcome(answers(expected, **options), other).passed


# Rankings

HEIGHTS = np.array([[0.1, 0.5, 0.500001, 0.3, 0.299999, 0.9]], np.float32)


def ranked(places, heights=HEIGHTS, kind="TopKV2", wanted=(5, 2, 1, 3)):
    expected = {"places": np.array([wanted], "int32")}
    found = answers(
        expected,
        scores=lambda inputs: {"places": heights},
        rankings={"places": kind},
    )
    return outcome(found, {"places": np.array([places], "int32")})


@pytest.mark.parametrize(
    ("places", "ties"),
    [
        ([5, 2, 1, 3], 0),
        ([5, 1, 2, 3], 2),  # equal within the bound
        ([5, 2, 1, 4], 1),  # the next below is as high as the last
    ],
)
def test_numbers_of_equal_scores_may_change_places(places, ties):
    found = ranked(places)
    assert found.passed and found.describe()["ties"] == ties


@pytest.mark.parametrize(
    ("places", "index"),
    [
        ([2, 5, 1, 3], 0),  # apart by more than the bound
        ([5, 3, 2, 1], 1),
        ([0, 2, 1, 3], 0),
        ([5, 2, 1, 0], 3),  # the last is checked as the others are
        ([5, 2, 2, 3], 2),  # twice in a row
        ([5, 2, 1, 6], 3),  # there is none
        ([5, 2, 1, -1], 3),
    ],
)
def test_other_numbers_in_a_ranking_are_seen(places, index):
    found = ranked(places)
    assert not found.passed
    assert found.worst["index"][1] == index


def test_the_first_of_a_ranking_is_checked_too():
    one = HEIGHTS[:, :1]
    near = np.array([[0.5, 0.5000001]], np.float32)
    assert ranked([0], near, wanted=[1]).ties == 1
    assert not ranked([0], HEIGHTS, wanted=[5]).passed
    assert ranked([0], one, wanted=[0]).passed


def test_neighbours_in_a_chain_of_ties_do_not_add_up():
    steps = 9e-6 * np.arange(200, dtype=np.float32)[None]
    order = np.arange(200)[::-1]
    assert ranked(order, steps, wanted=order).passed
    assert not ranked(order[::-1], steps, wanted=order).passed


def test_of_equal_scores_the_first_counts_unless_they_jump():
    heights = np.array([[0.5, 0.5, 0.1]])
    expected = {"places": np.array([[0]], "int32")}
    for jump, passes in ((0, False), (1, True)):
        moved_to = {"places": np.array([[jump]], "int32")}
        found = answers(
            expected,
            scores=lambda inputs: {"places": heights},
            rankings={"places": "TopKV2"},
            shaken=lambda inputs, m=moved_to: [expected, m],
        )
        last = {"places": np.array([[1]], "int32")}
        assert outcome(found, last).passed is passes


def test_scores_far_from_0_are_ordered_by_what_sets_them_apart():
    far = -3000.0 + np.array([[0.0, 0.01, -1.0]])
    assert not ranked([0], far, wanted=[1]).passed
    assert ranked([0], far * [[1, 1 - 1e-6, 1]], wanted=[1]).passed is False


def test_the_choice_of_argmax_is_a_ranking_of_one():
    expected = {"y": np.array([1, 0], "int64")}
    scores = np.array([[0.1, 0.2], [0.5, 0.5000001]])
    found = answers(
        expected, scores=lambda inputs: {"y": scores}, rankings={"y": "ArgMax"}
    )
    assert outcome(found, {"y": np.array([1, 1], "int64")}).ties == 1
    assert not outcome(found, {"y": np.array([0, 0], "int64")}).passed


# Searches


def searched(good, tokens):
    """Compares two rows, of which the answers differ in `tokens`."""
    asked = []

    def equally_good(inputs, expected, actual, tolerance):
        asked.append(tolerance)
        return np.array(good)

    expected = {
        "tokens": np.array([[4, 2], [5, 2]], "int32"),
        "scores": np.array([-0.5, -0.7], "float32"),
    }
    actual = {"tokens": np.array(tokens, "int32"), "scores": expected["scores"]}
    return outcome(answers(expected, equally_good=equally_good), actual), asked


def test_rows_of_a_search_are_asked_about_if_they_differ():
    found, asked = searched([False, False], [[4, 2], [5, 2]])
    assert found.passed and not asked and found.ties == 0
    found, asked = searched([True, True], [[4, 2], [6, 2]])
    assert found.passed and found.ties == 1
    assert asked == [(RULE, RULE)]
    assert not searched([True, False], [[4, 2], [6, 2]])[0].passed
    assert not searched([True, False], [[3, 2], [6, 2]])[0].passed


def test_the_first_case_of_a_size_is_called_twice():
    values = [np.full((n, 1), float(n)) for n in (2, 2, 3)]
    cases = [Case(str(i), {"x": v}) for i, v in enumerate(values)]
    calls = []

    def run(inputs):
        calls.append(len(inputs["x"]))
        return {"y": inputs["x"]}

    expected = [{"y": value} for value in values]
    found = compare(Answers(cases, expected), run, Parity())
    assert calls == [2, 2, 2, 3, 3] and found.cases == 5
