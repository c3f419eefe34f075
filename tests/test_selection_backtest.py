"""Backtests: the numbers of a split are those of a fit by hand; failures say why."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.selection import RandomFolds, Rolling, TrainingGrid

from .waves import WAVE, waves


@pytest.fixture(scope="module")
def tested(runs: lf.Runs) -> lf.Backtest:
    return lf.backtest("chinchilla", runs)


def test_a_split_is_a_fit_of_its_rows(tested: lf.Backtest, runs: lf.Runs) -> None:
    c = 6 * runs["N"] * runs["D"]
    assert len(tested.splits) == 5
    split = tested.splits[2]
    border = c[split.train].max()
    np.testing.assert_array_equal(split.train, np.flatnonzero(c <= border))
    fit = lf.fit("chinchilla", runs.take(split.train))
    assert split.fit is not None
    assert split.fit.objective == pytest.approx(fit.objective, rel=1e-9)
    for name, value in fit.params.items():
        assert tested.coefficients[name][2] == pytest.approx(value, rel=1e-5)
    test = runs.take(split.test)
    y, told = test["loss"], fit.predict(test)
    u = np.log(told) - np.log(y)
    assert split.outside.are == pytest.approx(np.mean(np.abs(told - y) / y), rel=1e-4)
    assert split.outside.rmse == pytest.approx(np.sqrt(np.mean(u**2)), rel=1e-4)
    assert split.outside.mae == pytest.approx(np.mean(np.abs(u)), rel=1e-4)
    assert split.outside.bias == pytest.approx(np.mean(u), rel=1e-3)
    log_y = np.log(y)
    r2 = 1 - np.sum(u**2) / np.sum((log_y - log_y.mean()) ** 2)
    assert split.outside.r2 == pytest.approx(r2, rel=1e-6)
    np.testing.assert_allclose(split.reach, np.log(c[split.test] / border), rtol=1e-12)
    assert split.distance == pytest.approx(split.reach.mean())
    assert split.status == "converged"


def test_the_parts_agree_with_each_other(tested: lf.Backtest) -> None:
    points, table = tested.points(), tested.table()
    assert len(points["row"]) == sum(table["test"]) == tested.outside.rows
    assert points["are"].mean() == pytest.approx(tested.outside.are)
    weighted = np.average(table["are_outside"], weights=table["test"])
    assert weighted == pytest.approx(tested.outside.are)
    assert np.average(table["are_inside"], weights=table["train"]) == (
        pytest.approx(tested.inside.are)
    )
    bins = tested.by_distance(3)
    assert bins["rows"].sum() == len(points["row"])
    assert np.average(bins["are"], weights=bins["rows"]) == pytest.approx(tested.outside.are)
    assert (bins["from"] <= bins["to"]).all()
    assert -1 <= tested.distance_correlation <= 1
    text = str(tested)
    assert all(s.name in text for s in tested.splits)
    assert f"{tested.outside.are:.2%} outside" in text
    assert f"rank correlation of reach and error {tested.distance_correlation:+.2f}" in text
    assert {"split", "train", "test"} <= {
        word for line in text.splitlines() for word in line.split()
    }
    numbers = [[str(len(s.train)), str(len(s.test))] for s in tested.splits]
    rows = [line.split() for line in text.splitlines() if " <= " in line]
    assert [row[3:5] for row in rows] == numbers


def test_the_correlation_is_spearmans(tested: lf.Backtest) -> None:
    stats = pytest.importorskip("scipy.stats")
    points = tested.points()
    expected = stats.spearmanr(points["reach"], points["are"]).statistic
    assert tested.distance_correlation == pytest.approx(expected, abs=1e-12)


def test_bits_do_not_depend_on_threads(runs: lf.Runs) -> None:
    one, two = (lf.backtest("chinchilla", runs, steps=2, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.points()["prediction"], two.points()["prediction"])


def test_splits_start_from_common_points(runs: lf.Runs) -> None:
    tested = lf.backtest("chinchilla", runs, steps=2, starts=7, loss="squared", residual="linear")
    assert [s.fit.starts.n for s in tested.splits if s.fit] == [8, 8]  # and from the whole's end
    assert tested.residual == "linear"
    assert tested.splits[0].fit is not None
    assert tested.splits[0].fit.loss == lf.Squared()


def test_splits_take_the_first_hundred_of_automatic_starts() -> None:
    data, _ = waves(0.1)
    own = {name: column[data["run"] == 0] for name, column in data.items()}
    options: dict[str, Any] = {"target": "y", "order": "x", "steps": 1, "loss": "squared"}
    tested = lf.backtest(WAVE, own, **options)
    assert tested.whole.starts.n > 100
    assert [s.fit.starts.n for s in tested.splits if s.fit] == [101]
    given = lf.backtest(WAVE, own, starts=150, **options)
    assert [s.fit.starts.n for s in given.splits if s.fit] == [151]


def test_settings_go_with_their_rows(runs: lf.Runs) -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2.0, runs.n)
    tested = lf.backtest(
        "chinchilla", runs, steps=1, weights=weights, fixed={"E": 1.8}, tied=[("alpha", "beta")]
    )
    (split,) = tested.splits
    by_hand = lf.fit(
        "chinchilla", runs.take(split.train), weights=weights[split.train], fixed={"E": 1.8},
        tied=[("alpha", "beta")],
    )  # fmt: skip
    assert split.fit is not None
    assert split.fit.objective == pytest.approx(by_hand.objective, rel=1e-9)
    assert split.fit.params["E"] == 1.8


def test_rows_that_are_missing(runs: lf.Runs) -> None:
    loss = runs["loss"].copy()
    loss[3] = np.nan
    table = {**runs, "loss": loss}
    with pytest.raises(lf.InputError, match="missing"):
        lf.backtest("chinchilla", table)
    tested = lf.backtest("chinchilla", table, steps=1, missing="omit")
    assert tested.runs.n == runs.n - 1


def test_columns_are_renamed_derived_and_filtered_once(runs: lf.Runs) -> None:
    table = {"size": runs["N"], "D": runs["D"] / 3, "y": runs["loss"], "k": np.arange(runs.n) % 3}
    found = lf.backtest(
        "chinchilla", table, steps=1, columns={"N": "size", "loss": "y"}, derive={"D": "3 * D"},
        where="k < 2", starts=20,
    )  # fmt: skip
    by_hand = lf.backtest("chinchilla", runs.take(np.flatnonzero(table["k"] < 2)), steps=1,
                          starts=20)  # fmt: skip
    assert found.whole.objective == pytest.approx(by_hand.whole.objective, rel=1e-9)
    assert found.outside.are == pytest.approx(by_hand.outside.are, rel=1e-6)


def families(noise: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    n = np.exp(rng.uniform(16, 22, 60))
    family = np.repeat(["a", "b", "c"], 20)
    shift = {"a": 1.0, "b": 1.2, "c": 1.6}
    e = np.array([shift[f] for f in family])
    return {
        "N": n,
        "family": family,
        "loss": e + 40 / n**0.25 * np.exp(noise * rng.normal(size=60)),
    }


def test_rows_without_a_level_or_a_number_are_left_out() -> None:
    table = families()
    table["family"] = np.array([None if k == 7 else f for k, f in enumerate(table["family"])])
    table["N"][30] = np.nan
    tested = lf.backtest("E[family] + A / N**alpha", table, order="N", steps=1, missing="omit")
    assert tested.runs.n == 58
    assert tested.outside.are < 1e-6


def test_a_group_is_left_out_at_a_time() -> None:
    tested = lf.backtest("E + A / N**alpha", families(), by="family")
    assert [s.name for s in tested.splits] == ["family = a", "family = b", "family = c"]
    assert math.isnan(tested.splits[0].distance)  # no C and no D
    assert "rank correlation" not in str(tested)
    # The groups differ by their floor: the lowest is predicted too high, the highest too low.
    assert tested.splits[0].outside.bias > 0 > tested.splits[2].outside.bias
    tested = lf.backtest("E + A / N**alpha", families(), by="family", order="N")
    assert np.isfinite(tested.table()["distance"]).all()


def test_a_level_that_was_not_seen_cannot_be_predicted() -> None:
    tested = lf.backtest("E[family] + A / N**alpha", families(), by="family")
    assert len(tested.failed) == 3
    assert all("was not in the fit" in s.reason for s in tested.splits)
    assert {s.status for s in tested.splits} == {"no prediction"}
    assert tested.outside.rows == 0
    assert "nothing predicted" in str(tested)
    # Seen levels are fitted, also where a part of the table lacks others.
    tested = lf.backtest("E[family] + A / N**alpha", families(), splitter=RandomFolds(3))
    assert not tested.failed
    assert tested.outside.are < 1e-8
    tested = lf.backtest("E[family] + A / N**alpha", families(), by="family", fixed={"E": 1.2})
    assert [math.isfinite(s.inside.are) for s in tested.splits] == [True] * 3
    options: dict[str, Any] = {"fixed": {"E[ax]": 1.0}, "bounds": {"E[bx]": (1.1, 1.3)}}
    named = families()
    named["family"] = np.char.add(named["family"], "x")
    tested = lf.backtest("E[family] + A / N**alpha", named, by="family", **options)
    assert [math.isfinite(s.inside.are) for s in tested.splits] == [True] * 3
    tested = lf.backtest("E[family] + A / N**alpha", families(), splitter=[([], [0, 1])])
    assert tested.splits[0].reason == "no rows to fit"


def test_too_few_rows_are_told_in_their_split(runs: lf.Runs) -> None:
    tested = lf.backtest("chinchilla", runs, steps=2, first=0.03)
    first, second = tested.splits
    assert first.fit is None
    assert first.status == "not fitted"
    assert "5 free parameters" in first.reason
    assert not second.reason
    assert [s.name for s in tested.failed] == [first.name]
    assert math.isnan(tested.coefficients["alpha"][0])
    assert first.reason in str(tested)
    assert tested.outside.rows == len(second.test)


def test_the_grid_of_training() -> None:
    rng = np.random.default_rng(0)
    size = np.repeat(np.geomspace(1e8, 4e9, 6), 8)
    tokens = np.tile(np.geomspace(1e9, 1e11, 8), 6)
    loss = 1.8 + 480 / size**0.35 + 2000 / tokens**0.37
    table = {
        "N": size, "D": tokens, "model": np.repeat(list("abcdef"), 8),
        "loss": loss * np.exp(0.001 * rng.normal(size=48)),
    }  # fmt: skip
    tested = lf.backtest("chinchilla", table, splitter=TrainingGrid(shares=(0.3, 1.0)))
    grid = tested.grid()
    assert grid["are"].shape == (5, 2)
    assert grid["models"].tolist() == [1, 2, 3, 4, 5]
    for s in tested.splits:
        at = int(s.facts["models"]) - 1, [0.3, 1.0].index(s.facts["share"])
        assert grid["are"][at] == pytest.approx(s.outside.are, nan_ok=True)
    assert grid["are"][4, 1] < 0.002  # one model alone says nothing of N: [0, 0] is luck
    with pytest.raises(lf.InputError, match="TrainingGrid"):
        lf.backtest("chinchilla", table, steps=1).grid()


def test_splitters_of_others(runs: lf.Runs) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    folds = selection.KFold(3, shuffle=True, random_state=0)
    tested = lf.backtest("chinchilla", runs, splitter=folds)
    pairs = list(folds.split(np.empty((runs.n, 2))))
    for split, (train, test) in zip(tested.splits, pairs, strict=True):
        np.testing.assert_array_equal(split.train, train)
        np.testing.assert_array_equal(split.test, test)
    again = lf.backtest("chinchilla", runs, splitter=pairs)
    assert again.outside == tested.outside
    table = {**runs, "family": np.arange(runs.n) % 3}
    tested = lf.backtest("chinchilla", table, splitter=selection.GroupKFold(3), by="family")
    for split in tested.splits:
        groups = table["family"]
        assert not set(groups[split.test]) & set(groups[split.train])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"order": "Q"}, 'no column "Q"'),
    ({"order": "6*N*Q"}, 'no column "Q"'),
    ({"steps": 200}, "200 steps need at least 201"),
    ({"by": "family"}, 'no column "family"'),
    ({"by": "one"}, "one group only"),
    ({"splitter": 5}, "does not split"),
    ({"splitter": []}, "gives no split"),
    ({"splitter": [([0, 1], [1, 2])]}, "both fitted and predicted"),
    ({"splitter": [([0, 1], [])]}, "no row is predicted"),
    ({"splitter": [([0, 1], [900])]}, "row 900"),
    ({"splitter": [([0.5], [1.5])]}, "row numbers"),
    ({"target": "loss2"}, 'no column "loss2"'),
    ({"weights": [1.0, 2.0]}, "weights has shape"),
    ({"missing": "drop"}, "'raise', 'omit'"),
    ({"residual": "cubic"}, "must be one of"),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_requests_are_answered(runs: lf.Runs, options: dict[str, Any], words: str) -> None:
    with pytest.raises(lf.InputError, match=words):
        lf.backtest("chinchilla", {**runs, "one": np.ones(runs.n)}, **options)


def test_progress_counts_splits(runs: lf.Runs) -> None:
    seen: list[tuple[int, int]] = []
    lf.backtest("chinchilla", runs, steps=2, progress=lambda *done: seen.append(done))
    assert seen == [(1, 2), (2, 2)]


def test_real_runs_the_smaller_half_predicts_the_larger(chinchilla_csv: Path) -> None:
    tested = lf.backtest("chinchilla", chinchilla_csv, splitter=Rolling("6*N*D", 1, first=0.5))
    (split,) = tested.splits
    assert (len(split.train), len(split.test)) == (120, 120)
    assert 0.002 < split.inside.are < split.outside.are < 0.02
