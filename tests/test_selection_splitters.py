"""Splitters: what they promise about rows, scikit-learn's protocol, and answers to bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lawfit as lf
from lawfit.selection import (
    LeaveOneGroupOut,
    LeaveOneOut,
    RandomFolds,
    Rolling,
    TrainingGrid,
)
from lawfit.selection.splitters import cuts_of

ROWS = np.arange(12.0)


@given(
    values=st.lists(st.integers(0, 9), min_size=2, max_size=60),
    steps=st.integers(1, 6),
    first=st.none() | st.floats(0.05, 0.95),
    ahead=st.sampled_from(["next", "all"]),
)
def test_rolling_never_predicts_what_is_not_larger(
    values: list[int], steps: int, first: float | None, ahead: str
) -> None:
    order = np.array(values, dtype=float)
    splitter = Rolling(order, steps, first=first, ahead=ahead)
    if len(set(values)) <= steps:
        with pytest.raises(lf.InputError, match="different value"):
            splitter.cuts(np.empty((len(values), 1)))
        return
    cuts = splitter.cuts(np.empty((len(values), 1)))
    assert len(cuts) == steps == splitter.get_n_splits()
    tested: list[int] = []
    for k, cut in enumerate(cuts):
        assert order[cut.train].max() < order[cut.test].min()
        later = np.flatnonzero(order > order[cut.train].max())
        if ahead == "all" or k == steps - 1:
            np.testing.assert_array_equal(cut.test, later)
        tested += cut.test.tolist()
        if k:
            assert set(cuts[k - 1].train) < set(cut.train)
    if ahead == "next":  # every row that is not in the first training set once
        assert sorted(tested) == sorted(set(range(len(values))) - set(cuts[0].train))


def test_rolling_cuts_where_asked() -> None:
    (half,) = Rolling(0, 1, first=0.5).cuts(ROWS[::-1, None])
    assert sorted(ROWS[::-1][half.train]) == [0, 1, 2, 3, 4, 5]
    sizes = [len(c.train) for c in Rolling(0, 5).cuts(ROWS[:, None])]
    assert sizes == [2, 4, 6, 8, 10]
    sizes = [len(c.train) for c in Rolling(0, 3, first=0.5).cuts(ROWS[:, None])]
    assert sizes == [6, 8, 10]
    sizes = [len(c.train) for c in Rolling(0, 3).cuts(np.arange(40.0)[:, None])]
    assert sizes == [10, 20, 30]


def test_cuts_are_named_by_the_largest_fitted_value() -> None:
    names = [c.name for c in Rolling("x", 3).cuts({"x": 2.0 * ROWS})]
    assert names == ["x <= 4", "x <= 10", "x <= 16"]
    assert Rolling(0, 1).cuts(ROWS[:, None])[0].name == "column 0 <= 5"
    assert Rolling(-1, 1).cuts(ROWS[:, None])[0].name == "column -1 <= 5"
    assert Rolling(ROWS, 1).cuts(ROWS[:, None])[0].name == "(values) <= 5"
    assert Rolling("x", 1).cuts(lf.read({"x": ROWS}))[0].name == "x <= 5"
    (cut,) = Rolling("C", 1).cuts({"N": [1.0, 2.0], "D": [20.0, 10.5]})
    assert cut.name == "C <= 120"


def test_defaults() -> None:
    column = ROWS[:, None]
    assert Rolling(0).get_n_splits() == RandomFolds().get_n_splits() == 5
    for own, said in zip(RandomFolds().cuts(column), RandomFolds(5, 0).cuts(column), strict=True):
        np.testing.assert_array_equal(own.test, said.test)
    shares = [c.facts["share"] for c in TrainingGrid(counts=(1,)).cuts(checkpoints())]
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_as_few_parts_as_can_be() -> None:
    two = {"x": ROWS[:2], "set": ["a", "b"]}
    for splitter in (LeaveOneGroupOut("set"), LeaveOneOut(), Rolling("x", 1), RandomFolds(2)):
        cuts = splitter.cuts(two)
        assert all(len(cut.train) == len(cut.test) == 1 for cut in cuts)
        assert sorted({int(cut.test[0]) for cut in cuts}) == ([1] if len(cuts) == 1 else [0, 1])


def test_order_is_a_column_a_formula_values_or_a_function() -> None:
    rng = np.random.default_rng(0)
    n, d = rng.uniform(1, 2, 12), rng.uniform(1, 9, 12)
    table = {"N": n, "D": d, "loss": n}
    expected = [c.train.tolist() for c in Rolling(6 * n * d, 3).cuts(table)]
    for order in ("C", "6*N*D", "log(N) + log(D)", lambda t: t["N"] * t["D"]):
        found = [c.train.tolist() for c in Rolling(order, 3).cuts(table)]
        assert found == expected
    array = np.column_stack([n, d])
    found = [c.train.tolist() for c in Rolling(lambda X: X[:, 0] * X[:, 1], 3).cuts(array)]
    assert found == expected
    assert Rolling("C", 1).cuts({**table, "C": d})[0].train.tolist() == (
        Rolling("D", 1).cuts(table)[0].train.tolist()
    )


def test_groups_and_folds_part_the_rows() -> None:
    families = np.array(list("abcabcabcabc"))
    table = {"x": ROWS, "family": families}
    cuts = LeaveOneGroupOut("family").cuts(table)
    assert [c.name for c in cuts] == ["family = a", "family = b", "family = c"]
    for cut, level in zip(cuts, "abc"):
        assert set(families[cut.test]) == {level}
        assert level not in set(families[cut.train])
    again = LeaveOneGroupOut().split(ROWS[:, None], None, families)
    for (train, test), cut in zip(again, cuts, strict=True):
        np.testing.assert_array_equal(train, cut.train)
        np.testing.assert_array_equal(test, cut.test)
    for splitter, count in ((RandomFolds(5), 5), (LeaveOneOut(), 12)):
        cuts = splitter.cuts(table)
        assert len(cuts) == count == splitter.get_n_splits(table)
        assert sorted(np.concatenate([c.test for c in cuts])) == list(range(12))
        for cut in cuts:
            assert sorted([*cut.train, *cut.test]) == list(range(12))
    one, two, other = (
        [c.test.tolist() for c in RandomFolds(4, rng=r).cuts(table)] for r in (1, 1, 2)
    )
    assert one == two != other


def checkpoints() -> dict[str, np.ndarray]:
    """Four models with ten checkpoints each, the largest first."""
    size = np.repeat([8e8, 1e8, 2e8, 4e8], 10)
    name = np.repeat(["d", "a", "b", "c"], 10)
    tokens = np.tile(np.arange(1.0, 11.0), 4) * np.sqrt(size)
    return {"model": name, "N": size, "D": tokens, "loss": 2 + 1e3 / size**0.3 + 1e2 / tokens**0.3}


def test_the_grid_of_training() -> None:
    table = checkpoints()
    splitter = TrainingGrid(shares=(0.5, 1.0))
    cuts = splitter.cuts(table)
    assert splitter.get_n_splits(table) == len(cuts) == 6
    for cut in cuts:
        assert set(table["model"][cut.test]) == {"d"}
        assert len(cut.test) == 3
        count, share = int(cut.facts["models"]), cut.facts["share"]
        assert set(table["model"][cut.train]) == set("abc"[:count])
        assert len(cut.train) == count * round(10 * share)
    (largest,) = TrainingGrid(shares=(1.0,), counts=(1,), pick="largest").cuts(table)
    assert set(table["model"][largest.train]) == {"c"}
    (two,) = TrainingGrid(shares=(1.0,), counts=(2,), pick="largest", test=1.0).cuts(table)
    assert set(table["model"][two.train]) == {"b", "c"}
    assert two.test.tolist() == list(range(10))


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: Rolling(0, 3).cuts(np.ones((5, 1))), "1 different value in 5 rows"),
    (lambda: Rolling("C").cuts({"x": ROWS}), "neither a column C nor N and D"),
    (lambda: Rolling("Z").cuts({"x": ROWS}), 'no column "Z"'),
    (lambda: Rolling("2 + 3").cuts({"x": ROWS}), "names no column"),
    (lambda: Rolling("x").cuts(ROWS[:, None]), "array without names"),
    (lambda: Rolling(1).cuts(ROWS[:, None]), "no such column"),
    (lambda: Rolling(0).cuts({"x": ROWS}), "has names"),
    (lambda: Rolling(ROWS[:3]).cuts({"x": ROWS}), "expected \\(12,\\)"),
    (lambda: Rolling("x").cuts({"x": [1.0, np.nan]}), "row 2 is nan"),
    (lambda: Rolling(steps=0), "integer of 1 or more"),
    (lambda: Rolling(list("abcdefghijkl")).cuts(ROWS[:, None]), "could not convert"),
    (lambda: Rolling(first=1.0), "between 0 and 1"),
    (lambda: Rolling(first=0.0), "first = 0.0 must lie between 0 and 1"),
    (lambda: Rolling(ahead="last"), "'next' or 'all'"),
    (lambda: LeaveOneGroupOut().cuts({"x": ROWS}), "needs groups"),
    (lambda: LeaveOneGroupOut(["a"] * 12).cuts({"x": ROWS}), "one group only, 'a'"),
    (lambda: LeaveOneGroupOut("set").cuts({"x": ROWS}), 'no column "set"'),
    (lambda: RandomFolds(20).cuts({"x": ROWS}), "cannot be parted into 20"),
    (lambda: RandomFolds(1), "2 or more"),
    (lambda: LeaveOneOut().cuts({"x": [1.0]}), "at least two rows"),
    (lambda: LeaveOneOut().get_n_splits(), "table is needed"),
    (lambda: TrainingGrid(shares=()), "above 0, at most 1"),
    (lambda: TrainingGrid(pick="some"), "'smallest' or 'largest'"),
    (lambda: TrainingGrid(shares=(0.5, 0.0)), "shares .* must be numbers above 0"),
    (lambda: TrainingGrid(shares=(1.5,)), "shares .* at most 1"),
    (lambda: TrainingGrid(test=0.0), "test = 0.0 must be above 0"),
    (lambda: TrainingGrid(test=1.5), "test = 1.5 must be above 0, at most 1"),
    (lambda: TrainingGrid(counts=(1, 0)), "counts = 0 must be an integer of 1 or more"),
    (lambda: TrainingGrid(counts=(4,)).cuts(checkpoints()), "only 3 models are smaller"),
    (
        lambda: TrainingGrid().cuts({**checkpoints(), "N": np.full(40, 1e8)}),
        "no model is smaller",
    ),
]


@pytest.mark.parametrize(("call", "words"), BAD, ids=[words for _, words in BAD])
def test_what_cannot_be_split_is_answered(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(lf.InputError, match=words):
        call()


def test_pairs_of_rows_and_of_masks() -> None:
    table = lf.read({"N": [1.0, 2.0, 3.0, 4.0], "loss": [4.0, 3.0, 2.0, 1.0]})

    def cuts(*pair: Any) -> list[tuple[list[int], list[int]]]:
        found = cuts_of([pair], table, ["N"], "loss", None)
        return [(cut.train.tolist(), cut.test.tolist()) for cut in found]

    first = np.array([True, True, False, False])
    assert cuts(first, ~first) == [([0, 1], [2, 3])]
    assert cuts([2, 0], [3, 1]) == [([2, 0], [3, 1])]
    assert cuts([3, 1, 2], [0]) == [([3, 1, 2], [0])]
    assert cuts([], [2, 1, 0, 3]) == [([], [2, 1, 0, 3])]  # as many as rows: still row numbers
    for train, words in (
        (first[:3], "masks of all rows"),
        ([0, -1], "gives row -1; rows go from 0 to 3"),
        ([0, 4], "gives row 4; rows go from 0 to 3"),
    ):
        with pytest.raises(lf.InputError, match=words):
            cuts(train, [3])


def test_scikit_learn_takes_the_splitters() -> None:
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score

    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = X @ [1.0, 2.0] + 0.1 * rng.normal(size=40)
    groups = np.arange(40) % 4
    for splitter, count in (
        (Rolling(0, 3), 3),
        (Rolling(lambda X: X[:, 1], 2, ahead="all"), 2),
        (LeaveOneGroupOut(), 4),
        (RandomFolds(5), 5),
        (LeaveOneOut(), 40),
    ):
        scores = cross_val_score(
            LinearRegression(), X, y, cv=splitter, groups=groups,
            scoring="neg_mean_absolute_error",
        )  # fmt: skip
        assert len(scores) == count
        assert (scores > -1).all()
    search = GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}, cv=Rolling(0, 3))
    assert search.fit(X, y).n_splits_ == 3


@settings(max_examples=30)
@given(n=st.integers(2, 40), folds=st.integers(2, 10))
def test_folds_differ_by_one_row_at_most(n: int, folds: int) -> None:
    if n < folds:
        return
    sizes = [len(c.test) for c in RandomFolds(folds).cuts(np.empty((n, 1)))]
    assert max(sizes) - min(sizes) <= 1
